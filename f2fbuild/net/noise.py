"""Noise_IK and Noise_IKpsk1 with 25519, ChaChaPoly and BLAKE2b: a handshake as a table, then two ciphers.

Source: The Noise Protocol Framework, revision 34; section numbers below are its own. The machine has no
randomness: whoever drives it passes in a fresh ephemeral secret. Any failure poisons the handshake, and all
failures of a message look alike, so an attacker learns nothing from them.
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from nacl import bindings
from nacl.exceptions import CryptoError

from f2fbuild.errors import LocalProtocolError, RemoteProtocolError
from f2fbuild.limits import RECORD_BYTES, REKEY_RECORDS

KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
_NONCE: Final = struct.Struct("<4xQ")
_LAST_NONCE: Final = 2**64 - 1


class Token(Enum):
    """One step of writing or reading a handshake message (§7.1)."""

    E = "e"
    S = "s"
    EE = "ee"
    ES = "es"
    SE = "se"
    SS = "ss"
    PSK = "psk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A row of the table: the stream's first byte, the protocol's name, and the tokens of each message."""

    number: int
    name: bytes
    messages: tuple[tuple[Token, ...], ...]


_SECOND = (Token.E, Token.EE, Token.SE)
IK: Final = Pattern(
    number=1,
    name=b"Noise_IK_25519_ChaChaPoly_BLAKE2b",
    messages=((Token.E, Token.ES, Token.S, Token.SS), _SECOND),
)
IKPSK1: Final = Pattern(
    number=2,
    name=b"Noise_IKpsk1_25519_ChaChaPoly_BLAKE2b",
    messages=((Token.E, Token.ES, Token.S, Token.SS, Token.PSK), _SECOND),
)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An X25519 key pair, made from its 32-byte secret."""

    secret: bytes
    public: bytes

    @classmethod
    def from_secret(cls, secret: bytes) -> "PrivateKey":
        """Return the pair of a 32-byte secret."""
        return cls(secret, bindings.crypto_scalarmult_base(secret))

    def __repr__(self) -> str:
        return f"PrivateKey(public={self.public.hex()})"


class CipherState:
    """One direction of a transport: encrypts or decrypts records in order (§5.1).

    The nonce is 4 zero bytes and the record number as uint64le (§12.3). Both ends change the key by Noise's
    rekey (§4.2) after every `REKEY_RECORDS` records, without a word on the wire.
    """

    def __init__(self, key: bytes, *, rekey_every: int = REKEY_RECORDS) -> None:
        """Start with a 32-byte `key` at record 0."""
        self._cipher = ChaCha20Poly1305(key)
        self._number = 0
        self._rekey_every = rekey_every

    def encrypt(self, plaintext: bytes, ad: bytes = b"") -> bytes:
        """Return the next record: ciphertext and 16-byte tag."""
        sealed = self._cipher.encrypt(self._nonce(), plaintext, ad)
        self._advance()
        return sealed

    def decrypt(self, record: bytes, ad: bytes = b"") -> bytes:
        """Return the plaintext of the next record.

        Raises:
            RemoteProtocolError: forged, repeated, reordered, or cut.
        """
        if len(record) < TAG_BYTES:
            raise RemoteProtocolError("a record that does not decrypt")
        try:
            plaintext = self._cipher.decrypt(self._nonce(), record, ad)
        except InvalidTag:
            raise RemoteProtocolError("a record that does not decrypt") from None
        self._advance()
        return plaintext

    def rekey(self) -> None:
        """Replace the key by one from which it cannot be computed (§4.2)."""
        nonce = _NONCE.pack(_LAST_NONCE)
        self._cipher = ChaCha20Poly1305(self._cipher.encrypt(nonce, bytes(KEY_BYTES), b"")[:KEY_BYTES])

    def _nonce(self) -> bytes:
        if self._number == _LAST_NONCE:
            raise LocalProtocolError("a cipher outlived its nonces")
        return _NONCE.pack(self._number)

    def _advance(self) -> None:
        self._number += 1
        if self._number % self._rekey_every == 0:
            self.rekey()


class _SymmetricState:
    """Chaining key and handshake hash (§5.2)."""

    def __init__(self, name: bytes) -> None:
        self.hash = name.ljust(hashlib.blake2b().digest_size, b"\0")
        self.chaining_key = self.hash
        self.cipher: CipherState | None = None

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.blake2b(self.hash + data).digest()

    def mix_key(self, material: bytes) -> None:
        self.chaining_key, key = _hkdf(self.chaining_key, material, 2)
        self.cipher = CipherState(key[:KEY_BYTES])

    def mix_key_and_hash(self, psk: bytes) -> None:
        self.chaining_key, mixed, key = _hkdf(self.chaining_key, psk, 3)
        self.mix_hash(mixed)
        self.cipher = CipherState(key[:KEY_BYTES])

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        data = plaintext if self.cipher is None else self.cipher.encrypt(plaintext, self.hash)
        self.mix_hash(data)
        return data

    def decrypt_and_hash(self, data: bytes) -> bytes:
        plaintext = data if self.cipher is None else self.cipher.decrypt(data, self.hash)
        self.mix_hash(data)
        return plaintext

    def split(self) -> tuple[CipherState, CipherState]:
        first, second = _hkdf(self.chaining_key, b"", 2)
        return CipherState(first[:KEY_BYTES]), CipherState(second[:KEY_BYTES])


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a finished handshake leaves: a cipher for each direction, and who the other is.

    `handshake_hash` (64 bytes) names this session and no other (§11.2).
    """

    sending: CipherState
    receiving: CipherState
    remote_static: bytes
    handshake_hash: bytes


class Handshake:
    """One side of a handshake; sides alternate, the initiator first (§5.3)."""

    def __init__(
        self,
        pattern: Pattern,
        *,
        static: PrivateKey,
        ephemeral: PrivateKey,
        prologue: bytes,
        remote_static: bytes | None = None,
        psk: bytes | None = None,
    ) -> None:
        """Begin as initiator if `remote_static` (32 bytes) is known, as responder if not.

        Args:
            pattern: `IK`, or `IKPSK1` with `psk`, a 32-byte secret that both sides share.
            static: this side's lasting key.
            ephemeral: a fresh key, never used before or again.
            prologue: what both sides must agree on, byte for byte.
            remote_static: the responder's lasting public key, at the initiator only.
            psk: the shared secret of `IKPSK1`.
        """
        self._session: Session | None = None
        self._initiator = remote_static is not None
        self._static, self._ephemeral, self._psk = static, ephemeral, psk
        self._remote_static, self._remote_ephemeral = remote_static, b""
        self._messages = list(pattern.messages)
        self._turn = self._initiator
        self._state = _SymmetricState(pattern.name)
        self._has_psk = any(Token.PSK in tokens for tokens in pattern.messages)
        self._state.mix_hash(prologue)
        self._state.mix_hash(static.public if remote_static is None else remote_static)

    def write(self, payload: bytes) -> bytes:
        """Return this side's next handshake message, carrying `payload`.

        Raises:
            LocalProtocolError: not this side's turn, or too much for a message.
            RemoteProtocolError: the peer's key is of small order.
        """
        tokens = self._next_tokens(own=True)
        parts = [self._write_token(token) for token in tokens]
        message = b"".join((*parts, self._state.encrypt_and_hash(payload)))
        if len(message) > RECORD_BYTES:
            raise LocalProtocolError("a handshake payload too large for its message")
        self._pass_on()
        return message

    def read(self, message: bytes) -> bytes:
        """Return the payload of the peer's next handshake message.

        Raises:
            LocalProtocolError: it is not the peer's turn, or an earlier message failed.
            RemoteProtocolError: not a message for us in this state; the handshake is dead.
        """
        rest = message
        for token in self._next_tokens(own=False):
            rest = self._read_token(token, rest)
        payload = self._state.decrypt_and_hash(rest)
        self._pass_on()
        return payload

    def session(self) -> Session:
        """Return what the handshake leads to.

        Raises:
            LocalProtocolError: messages are still missing, or one has failed.
        """
        if self._session is None:
            raise LocalProtocolError("a handshake that is not finished")
        return self._session

    @property
    def remote_static(self) -> bytes:
        """The peer's lasting public key, as far as the handshake has come; b"" before it is known."""
        return self._remote_static or b""

    def _next_tokens(self, *, own: bool) -> tuple[Token, ...]:
        """Take the row's next message; until `_pass_on` the table is empty, so that a failure is final."""
        if not self._messages or self._turn is not own:
            raise LocalProtocolError("a handshake message out of turn")
        tokens, *self._later = self._messages
        self._messages = []
        return tokens

    def _pass_on(self) -> None:
        self._messages, self._turn = self._later, not self._turn
        if not self._messages:
            first, second = self._state.split()
            sending, receiving = (first, second) if self._initiator else (second, first)
            self._session = Session(
                sending=sending,
                receiving=receiving,
                remote_static=self.remote_static,
                handshake_hash=self._state.hash,
            )

    def _write_token(self, token: Token) -> bytes:
        match token:
            case Token.E:
                self._mix_ephemeral(self._ephemeral.public)
                return self._ephemeral.public
            case Token.S:
                return self._state.encrypt_and_hash(self._static.public)
            case _:
                self._mix_shared(token)
                return b""

    def _read_token(self, token: Token, data: bytes) -> bytes:
        match token:
            case Token.E:
                self._remote_ephemeral, rest = _take(data, KEY_BYTES)
                self._mix_ephemeral(self._remote_ephemeral)
                return rest
            case Token.S:
                sealed, rest = _take(data, KEY_BYTES + TAG_BYTES)
                self._remote_static = self._state.decrypt_and_hash(sealed)
                return rest
            case _:
                self._mix_shared(token)
                return data

    def _mix_ephemeral(self, public: bytes) -> None:
        """Mix an ephemeral key in; with a psk it also keys the cipher (§9.2)."""
        self._state.mix_hash(public)
        if self._has_psk:
            self._state.mix_key(public)

    def _mix_shared(self, token: Token) -> None:
        """Mix in a Diffie-Hellman result or the psk. In a token's name the initiator's key comes first."""
        if token is Token.PSK:
            if self._psk is None or len(self._psk) != KEY_BYTES:
                raise LocalProtocolError("this pattern needs a secret of 32 bytes")
            self._state.mix_key_and_hash(self._psk)
            return
        ours, theirs = token.value if self._initiator else reversed(token.value)
        pair = self._static if ours == "s" else self._ephemeral
        public = self.remote_static if theirs == "s" else self._remote_ephemeral
        self._state.mix_key(_dh(pair.secret, public))


def _dh(secret: bytes, public: bytes) -> bytes:
    """Return the X25519 result; an all-zero one, given by keys of small order, is refused (§12.1)."""
    try:
        return bindings.crypto_scalarmult(secret, public)
    except CryptoError:
        raise RemoteProtocolError("a key of small order") from None


def _take(data: bytes, size: int) -> tuple[bytes, bytes]:
    if len(data) < size:
        raise RemoteProtocolError("a handshake message too short")
    return data[:size], data[size:]


def _hkdf(chaining_key: bytes, material: bytes, count: int) -> list[bytes]:
    """Return `count` keys of 64 bytes (§4.3: HKDF with the chaining key as salt and no info)."""
    secret = hmac.digest(chaining_key, material, hashlib.blake2b)
    keys = [b""]
    for number in range(1, count + 1):
        keys.append(hmac.digest(secret, keys[-1] + bytes([number]), hashlib.blake2b))
    return keys[1:]
