"""An independent reader of tlog-policies: it shares no code with f2fbuild, only C2SP's specifications.

Standard library and PyNaCl only. It reads a policy as https://c2sp.org/tlog-policy says, with every MUST of
it, and verifies a checkpoint against it: the log's signature (signed-note, type 0x01) and the witnesses'
lines (tlog-cosignature, type 0x04).

    python tests/policy_checker.py POLICY CHECKPOINT

Exit 0: the checkpoint is signed by a log of the policy, and enough witnesses have cosigned it.
"""

import base64
import hashlib
import re
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

LOG, WITNESS = 0x01, 0x04
ALLOWED = frozenset({0x09, 0x0A, *range(0x20, 0x7F), *range(0x80, 0x100)})
NUMBER = re.compile(rb"[0-9]+")


class Wrong(Exception):  # noqa: N818 - as in checker.py
    """A policy that is none, or a checkpoint that it does not accept."""


@dataclass(frozen=True)
class Key:
    """A vkey, taken apart."""

    name: bytes
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name + b"\n" + bytes([self.kind]) + self.public).digest()[:4]


@dataclass
class Policy:
    """What a policy says; names are opaque octets."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[bytes, Key] = field(default_factory=dict)
    groups: dict[bytes, tuple[int, list[bytes]]] = field(default_factory=dict)
    quorum: bytes = b""
    grouped: set[bytes] = field(default_factory=set)

    def met(self, cosigned: Collection[bytes]) -> bool:
        """Whether cosignatures of these witnesses, by name, make a quorum."""
        return self.quorum == b"none" or self._witnessed(self.quorum, cosigned)

    def check(self, checkpoint: bytes) -> set[bytes]:
        """Return the names of the witnesses that cosigned a checkpoint which the policy accepts."""
        text, separator, lines = checkpoint.rpartition(b"\n\n")
        require(bool(separator) and lines.endswith(b"\n"), "no signed note")
        signatures = [read_line(line) for line in lines[:-1].split(b"\n")]
        body = text + b"\n"
        signed = [key for key in self.logs if any(signs(key, body, one) for one in signatures)]
        require(any(key.name == body.split(b"\n")[0] for key in signed), "signed by no log of the policy")
        cosigned = {
            name for name, key in self.witnesses.items() if any(signs(key, body, one) for one in signatures)
        }
        require(self.met(cosigned), "cosigned by too few")
        return cosigned

    def _witnessed(self, name: bytes, cosigned: Collection[bytes]) -> bool:
        if name in self.witnesses:
            return name in cosigned
        threshold, members = self.groups[name]
        return sum(self._witnessed(member, cosigned) for member in members) >= threshold

    def _define(self, name: bytes) -> None:
        require(name != b"none" and name not in self.witnesses and name not in self.groups, "a name twice")

    def _read(self, words: list[bytes]) -> None:
        match words:
            case [b"log", vkey, *url] if len(url) <= 1:
                key = read_vkey(vkey, LOG)
                require(key.public not in {one.public for one in self.logs}, "a log twice")
                self.logs.append(key)
            case [b"witness", name, vkey, *url] if len(url) <= 1:
                self._define(name)
                key = read_vkey(vkey, WITNESS)
                require(key.public not in {one.public for one in self.witnesses.values()}, "a witness twice")
                self.witnesses[name] = key
            case [b"group", name, threshold, *members] if members:
                self._define(name)
                for member in members:
                    require(member in self.witnesses or member in self.groups, "a member before its line")
                    require(member not in self.grouped, "a member twice")
                    self.grouped.add(member)
                self.groups[name] = (read_threshold(threshold, len(members)), members)
            case [b"quorum", name]:
                require(not self.quorum, "two quorums")
                known = name in self.witnesses or name in self.groups
                require(known or name == b"none", "a quorum before its line")
                self.quorum = name
            case _:
                raise Wrong(f"no line of a policy: {words!r}")


def parse(data: bytes) -> Policy:
    """Return what a policy file says."""
    require(set(data) <= ALLOWED, "a control character")
    require(data.endswith(b"\n"), "a line without end")
    policy = Policy()
    for line in data[:-1].split(b"\n"):
        words = [word for word in re.split(rb"[ \t]+", line) if word]
        if words and not words[0].startswith(b"#"):
            policy._read(words)
    require(bool(policy.quorum), "no quorum")
    return policy


def read_threshold(word: bytes, count: int) -> int:
    if word in (b"any", b"all"):
        return 1 if word == b"any" else count
    require(NUMBER.fullmatch(word) is not None, "a threshold that is no number")
    require(1 <= int(word) <= count, "a threshold that no members make")
    return int(word)


def read_vkey(vkey: bytes, kind: int) -> Key:
    name, _, rest = vkey.partition(b"+")
    digits, _, encoded = rest.partition(b"+")
    raw = unbase64(encoded)
    require(bool(name) and len(raw) == 33, "no vkey of Ed25519")
    require(raw[0] == kind, "a key for something else")
    key = Key(name=name, kind=raw[0], public=raw[1:])
    require(digits == key.id.hex().encode(), "a vkey with another key id")
    return key


def read_line(line: bytes) -> tuple[bytes, bytes]:
    """Return key name and blob of a signature line."""
    dash, _, rest = line.partition(b" ")
    name, _, encoded = rest.partition(b" ")
    require(dash == "—".encode() and bool(name), "no signature line")
    return name, unbase64(encoded)


def signs(key: Key, body: bytes, signature: tuple[bytes, bytes]) -> bool:
    """Return whether a signature is the key's; a bad one by it refuses the note."""
    name, blob = signature
    if (name, blob[:4]) != (key.name, key.id):
        return False
    message, raw = body, blob[4:]
    if key.kind == WITNESS:
        time, raw = int.from_bytes(raw[:8], "big"), raw[8:]
        message = b"cosignature/v1\ntime %d\n" % time + body
    try:
        VerifyKey(key.public).verify(message, raw)
    except (BadSignatureError, ValueError) as error:
        raise Wrong(f"the signature of {name!r} does not verify") from error
    return True


def unbase64(text: bytes) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Wrong("no base64") from error
    require(base64.b64encode(data) == text, "base64 in a second spelling")
    return data


def require(holds: bool, what: str) -> None:
    if not holds:
        raise Wrong(what)


def main(policy: str, checkpoint: str) -> int:
    try:
        cosigned = parse(Path(policy).read_bytes()).check(Path(checkpoint).read_bytes())
    except Wrong as error:
        print(f"refused: {error}")
        return 1
    for name in sorted(cosigned):
        print(f"cosigned by {name.decode()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
