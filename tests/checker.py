"""An independent checker of ledgers: it shares no code with f2fbuild, only the published formats.

Standard library and PyNaCl only. It reads a log's directory (`checkpoint`, `tile/…`) and computes everything
anew: signature and root of the checkpoint, every tile and entry bundle byte for byte, the DSSE signature of
every entry, and that entry 0 is the node certificate that binds log key and statement key.

    python tests/checker.py DEMO.json

DEMO.json is an object with `"logs": [{"origin", "vkey", "statement_key", "path"}, …]`. Exit 0: all is true.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

CERTIFICATE_TYPE = "text/vnd.f2fbuild.node-certificate"
WIDTH = 256


class Wrong(Exception):  # noqa: N818 - the word that the checker prints
    """A log that is not what it says."""


def check_log(path: Path | str, vkey: str, statement_key: str) -> list[tuple[str, Any]]:
    """Return (payload type, decoded payload) of every entry of a log in which everything is true.

    Args:
        path: the log's directory.
        vkey: the log's verifier key, as the certificate names it.
        statement_key: the node's statement key, 64 hexadecimal digits.

    Raises:
        Wrong: anything at all is not as it should be.
    """
    root = Path(path)
    size, signed_root = read_checkpoint(root / "checkpoint", vkey)
    entries = read_entries(root, size)
    if tree_root([leaf(entry) for entry in entries]) != signed_root:
        raise Wrong("the entries do not make the signed root")
    check_tiles(root, [leaf(entry) for entry in entries])
    payloads = [read_envelope(n, entry, statement_key) for n, entry in enumerate(entries)]
    if payloads:
        check_certificate(*payloads[0], vkey, statement_key)
    return payloads


def read_checkpoint(path: Path, vkey: str) -> tuple[int, bytes]:
    """Return size and root of the checkpoint, signed by the log."""
    name, hex_id, encoded = vkey.split("+", 2)
    algorithm_and_key = unbase64(encoded)
    key_id = hashlib.sha256(name.encode() + b"\n" + algorithm_and_key).digest()[:4]
    require(algorithm_and_key[0] == 1 and len(algorithm_and_key) == 33, "vkey: not Ed25519")
    require(key_id.hex() == hex_id, "vkey: wrong key id")
    public = algorithm_and_key[1:]
    require(name == "f2fbuild.invalid/log/" + hashlib.sha256(public).hexdigest(), "vkey: not its origin")
    text, separator, signatures = path.read_bytes().decode().rpartition("\n\n")
    require(bool(separator) and signatures.endswith("\n"), "checkpoint: no signature lines")
    verified = False
    for line in signatures[:-1].split("\n"):
        dash, signer, blob = line.split(" ")
        raw = unbase64(blob)
        if (dash, signer, raw[:4]) == ("—", name, key_id):
            verify(public, (text + "\n").encode(), raw[4:], "checkpoint")
            verified = True
    require(verified, "checkpoint: not signed by the log")
    lines = text.split("\n")
    require(len(lines) == 3 and lines[0] == name, "checkpoint: another origin or extra lines")
    require(lines[1] == str(int(lines[1])), "checkpoint: size in another spelling")
    return int(lines[1]), unbase64(lines[2])


def read_entries(root: Path, size: int) -> list[bytes]:
    """Return all entries, out of full bundles and the one partial."""
    entries: list[bytes] = []
    for first in range(0, size, WIDTH):
        count = min(WIDTH, size - first)
        data = read(root, "entries", first // WIDTH, count)
        found: list[bytes] = []
        while data:
            length = data[0] << 8 | data[1]
            require(len(data) >= 2 + length, f"bundle {first // WIDTH}: cut short")
            found.append(data[2 : 2 + length])
            data = data[2 + length :]
        require(len(found) == count, f"bundle {first // WIDTH}: {len(found)} entries, not {count}")
        entries += found
    return entries


def check_tiles(root: Path, hashes: list[bytes]) -> None:
    """Compare each tile of each level with the hashes of that level."""
    level = 0
    while hashes:
        for first in range(0, len(hashes), WIDTH):
            part = hashes[first : first + WIDTH]
            stored = read(root, str(level), first // WIDTH, len(part))
            require(stored == b"".join(part), f"tile level {level} index {first // WIDTH}: wrong hashes")
        full = range(0, len(hashes) // WIDTH * WIDTH, WIDTH)
        hashes = [tree_root(hashes[first : first + WIDTH]) for first in full]
        level += 1


def read(root: Path, kind: str, index: int, width: int) -> bytes:
    """Return the bytes of a tile or bundle by its tlog-tiles path."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    path = root / "tile" / kind / "/".join(groups)
    if width < WIDTH:
        path = path.with_name(path.name + ".p") / str(width)
    require(path.is_file(), f"{path}: missing")
    return path.read_bytes()


def read_envelope(number: int, entry: bytes, statement_key: str) -> tuple[str, Any]:
    """Return payload type and decoded payload of an entry that the node's statement key signed."""
    where = f"entry {number}"
    envelope = strict_json(entry, where)
    require(set(envelope) == {"payload", "payloadType", "signatures"}, f"{where}: other fields")
    require(len(envelope["signatures"]) == 1, f"{where}: not one signature")
    (signature,) = envelope["signatures"]
    require(signature["keyid"] == statement_key, f"{where}: another key")
    payload = unbase64(envelope["payload"])
    kind = envelope["payloadType"]
    signed = f"DSSEv1 {len(kind.encode())} {kind} {len(payload)} ".encode() + payload
    verify(bytes.fromhex(statement_key), signed, unbase64(signature["sig"]), where)
    if kind.endswith("json"):
        return kind, strict_json(payload, where)
    return kind, payload.decode()


def check_certificate(kind: str, text: Any, vkey: str, statement_key: str) -> None:
    """Require entry 0 to be the certificate that names this log and this statement key."""
    require(kind == CERTIFICATE_TYPE, "entry 0: no node certificate")
    lines = text.split("\n\n")[0].split("\n")
    require(lines[0] == "f2fbuild node certificate v1", "entry 0: no node certificate")
    require(lines.count(f"log {vkey}") == 1, "entry 0: certificate of another log")
    require(lines.count(f"statements {statement_key}") == 1, "entry 0: certificate of another statement key")


def strict_json(data: bytes, where: str) -> Any:
    """Return the value of canonical JSON, refusing every other spelling of it."""
    value = json.loads(data)
    spelled = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    require(spelled.encode() == data, f"{where}: JSON in another spelling")
    return value


def unbase64(text: str) -> bytes:
    """Return the bytes of padded base64, refusing every other spelling of it."""
    data = base64.b64decode(text, validate=True)
    require(base64.b64encode(data).decode() == text, "base64 in another spelling")
    return data


def verify(public: bytes, message: bytes, signature: bytes, where: str) -> None:
    """Require an Ed25519 signature to be good."""
    try:
        VerifyKey(public).verify(message, signature)
    except (BadSignatureError, ValueError) as error:
        raise Wrong(f"{where}: bad signature") from error


def leaf(entry: bytes) -> bytes:
    """RFC 6962 leaf hash."""
    return hashlib.sha256(b"\0" + entry).digest()


def tree_root(hashes: list[bytes]) -> bytes:
    """RFC 6962 tree over leaf (or subtree) hashes, level by level; an odd last node rises as it is."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        pairs = [hashes[n : n + 2] for n in range(0, len(hashes), 2)]
        hashes = [hashlib.sha256(b"\1" + b"".join(p)).digest() if len(p) == 2 else p[0] for p in pairs]
    return hashes[0]


def require(condition: bool, what: str) -> None:
    """Say `what` is wrong unless the condition holds."""
    if not condition:
        raise Wrong(what)


def main(arguments: list[str]) -> int:
    """Check every log that the file names; print one line for each; return the exit code."""
    (file,) = arguments
    wrong = 0
    for log in json.loads(Path(file).read_text())["logs"]:
        try:
            require(log["origin"] == log["vkey"].split("+")[0], "origin is not the name of the vkey")
            payloads = check_log(log["path"], log["vkey"], log["statement_key"])
        except (Wrong, ValueError, KeyError, TypeError, IndexError, OSError) as error:
            wrong += 1
            print(f"WRONG {log['origin']}: {error}")
        else:
            print(f"ok    {log['origin']}: {len(payloads)} entries")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
