"""An independent checker of evidence: it shares no code with f2fbuild, only the published page.

It reads a file as the section "Evidence" of docs/reference/ledger-format.md has it, and says what it proves.

    python tests/evidence_checker.py FILE

Whether the owners named in certificates signed them, `gpg --verify` says. Exit 0: it proves what it says.
"""

import base64
import hashlib
import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    from tests import checker
except ModuleNotFoundError:
    import checker  # type: ignore[import-not-found, no-redef]

Wrong, require, unbase64 = checker.Wrong, checker.require, checker.unbase64
WEEK = 604_800
SIDE = ("log", "certificate", "certificate-proof", "outcome", "outcome-proof", "products")
SIDES = tuple(f"{name}-{letter}" for letter in "ab" for name in SIDE)
BOUND = ("log", "certificate", "certificate-proof")
PARTS: dict[str, tuple[str, ...]] = {
    "equivocation": ("log", "old", "new"),
    "divergent-results": SIDES,
    "self-contradiction": SIDES,
    "repeated-epoch": ("certificate-a", "certificate-b"),
    "hidden-result": (*BOUND, "acceptance-proof", "entries"),
    "dated-before": (*BOUND, "entry", "entry-proof", "before"),
}
CERTIFICATE = re.compile(
    "f2fbuild node certificate v1\nowner ([0-9A-F]{40})\nnode [a-z0-9-]{1,32}\nstatements ([0-9a-f]{64})\n"
    "log (\\S+)\nwitness (\\S+)\nmirror (\\S+)\nnoise [0-9a-f]{64}\nnot-before \\S+\nnot-after \\S+\n"
    "epoch (0|[1-9][0-9]{0,9})\nprevious [^\n]+\n"
)


@dataclass(frozen=True, kw_only=True)
class Proved:
    """What a file proves: of which kind, against which owner or origin ("" for nobody), of which logs."""

    kind: str
    against: str
    origins: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Key:
    """A vkey taken apart."""

    name: str
    id: bytes
    type: int
    public: bytes


@dataclass(frozen=True, kw_only=True)
class Node:
    """A certificate file taken apart."""

    owner: str
    statements: str
    log: str
    witness: Key
    epoch: int


def check(data: bytes) -> Proved:
    """Return what a file of evidence proves; raise `Wrong`, or what Python raises on nonsense."""
    kind, parts = read_parts(data)
    names, wanted = tuple(parts), PARTS.get(kind, ())
    if kind in ("hidden-result", "dated-before"):
        more = len(names) - len(wanted)
        require(2 <= more <= 8, "two to eight witnesses")
        wanted += tuple(f"witness-{number + 1}" for number in range(more))
    if kind == "equivocation" and "consistency" in parts:
        wanted += ("consistency",)
    require(names == wanted and bool(wanted), "other parts than the kind has")
    return CHECKS[kind](kind, parts)


def read_parts(data: bytes) -> tuple[str, dict[str, bytes]]:
    """Return the kind and the parts of a file, which must be the one spelling of them."""
    lines = data.decode("ascii").split("\n")
    kind = lines[0].removeprefix("f2fbuild evidence v1 ")
    parts: dict[str, bytes] = {}
    name = ""
    rows: list[str] = []
    for line in lines[2:-1]:
        if line.startswith("-----BEGIN "):
            name, rows = line[11:-5].lower(), []
        elif line.startswith("-----END "):
            parts[name] = unbase64("".join(rows))
        else:
            rows.append(line)
    blocks = []
    for name, part in parts.items():
        text = base64.b64encode(part).decode()
        rows = [text[at : at + 64] + "\n" for at in range(0, len(text), 64)]
        blocks.append(f"-----BEGIN {name.upper()}-----\n{''.join(rows)}-----END {name.upper()}-----\n")
    require(data.decode() == f"f2fbuild evidence v1 {kind}\n\n{''.join(blocks)}", "another spelling")
    return kind, parts


def check_equivocation(kind: str, parts: dict[str, bytes]) -> Proved:
    """Two heads of one log that cannot both be true."""
    log = log_key(parts["log"].decode())
    (old, old_root), (new, new_root) = (open_head(parts[name], log) for name in ("old", "new"))
    if old == new:
        require("consistency" not in parts and old_root != new_root, "one head")
    else:
        *rows, rest = parts["consistency"].decode().split("\n")
        prefix, *proof = map(unbase64, rows)
        require(rest == "" and len(proof) <= 63 and len(prefix) == 32, "another spelling of hashes")
        require(0 < old < new, "not from the smaller to the larger")
        require(consistent(old, new, prefix, new_root, proof), "the proof fails")
        require(prefix != old_root, "the larger head continues the smaller one")
    return Proved(kind=kind, against=log.name, origins=(log.name,))


def check_results(kind: str, parts: dict[str, bytes]) -> Proved:
    """Two results of one build key, in two logs or by one owner."""
    (log_a, a, statement_a), (log_b, b, statement_b) = (read_side(parts, letter) for letter in "ab")
    results = [
        read_result(statement, parts[f"products-{letter}"], log.name)
        for letter, log, statement in (("a", log_a, statement_a), ("b", log_b, statement_b))
    ]
    require(results[0][0] == results[1][0] and results[0][1] != results[1][1], "not two results of one build")
    origins = (log_a.name, log_b.name)
    if kind == "divergent-results":
        require(log_a != log_b, "one log")
        return Proved(kind=kind, against="", origins=origins)
    owner = read_certificate(a).owner
    require(owner == read_certificate(b).owner, "two owners")
    return Proved(kind=kind, against=owner, origins=origins)


def check_epochs(kind: str, parts: dict[str, bytes]) -> Proved:
    """One node with two logs in one epoch."""
    a, b = (read_certificate(parts[f"certificate-{letter}"]) for letter in "ab")
    require((a.owner, a.statements, a.epoch) == (b.owner, b.statements, b.epoch), "not one node and epoch")
    require(a.log != b.log, "one log")
    return Proved(kind=kind, against=a.owner, origins=(a.log.split("+")[0], b.log.split("+")[0]))


def check_hidden(kind: str, parts: dict[str, bytes]) -> Proved:
    """What was accepted at the proof's index is closed by nothing up to a head that two others saw."""
    log, file, statements = read_bound(parts["log"], parts["certificate"], parts["certificate-proof"])
    witnesses = [read_certificate(part) for name, part in parts.items() if name.startswith("witness-")]
    index, path, note = read_proof(parts["acceptance-proof"])
    size, root = open_head(note, log, len(witnesses))
    span, entries = parts["entries"], []
    require(len(span) <= 8 * 2**20, "too many entries")
    while span:
        (length,) = struct.unpack(">H", span[:2])
        require(len(span) >= 2 + length, "an entry is cut short")
        entries.append(span[2 : 2 + length])
        span = span[2 + length :]
    require(0 < len(entries) == size - index, "not the entries from the index to the end")
    require(included(index, size, checker.leaf(entries[0]), path) == root, "not in the tree")
    left = left_of(index, size, path)
    require(with_left(0, size, index, left, list(map(checker.leaf, entries))) == root, "other entries")
    read = checker.read_envelope(index, entries[0], statements)
    require(read[0] == "application/vnd.f2fbuild.acceptance+json", "no acceptance")
    for number, entry in enumerate(entries[1:], index + 1):
        require(not closes(number, entry, statements, index), "closed")
    due = max(read[1]["deadline"], read[1]["revealBy"]) + WEEK
    author = read_certificate(file).owner
    times = seen(note, witnesses, author)
    require(sum(time > due for time in times.values()) >= 2, "not seen by two, late enough")
    return Proved(kind=kind, against=author, origins=(log.name,))


def closes(number: int, entry: bytes, statements: str, index: int) -> bool:
    """Tell whether an entry ends the acceptance at `index`; one that another key signed ends nothing."""
    try:
        kind, payload = checker.read_envelope(number, entry, statements)
    except (Wrong, ValueError, KeyError, TypeError):
        return False
    if kind == "application/vnd.f2fbuild.closing+json":
        require(set(payload) == {"acceptance", "reason"}, "a closing that cannot be read")
        return bool(payload["acceptance"] == index)
    if kind == checker.IN_TOTO and payload["predicateType"] in (checker.PROVENANCE, checker.FAILURE):
        return bool(metadata_of(payload)["f2fbuild_acceptance"] == index)
    return False


def check_dated(kind: str, parts: dict[str, bytes]) -> Proved:
    """Two others saw an entry before a time."""
    log, file, _ = read_bound(parts["log"], parts["certificate"], parts["certificate-proof"])
    witnesses = [read_certificate(part) for name, part in parts.items() if name.startswith("witness-")]
    index, path, note = read_proof(parts["entry-proof"])
    size, root = open_head(note, log, len(witnesses))
    require(included(index, size, checker.leaf(parts["entry"]), path) == root, "not in the tree")
    before = decimal(parts["before"].decode())
    times = seen(note, witnesses, read_certificate(file).owner)
    require(sum(time < before for time in times.values()) >= 2, "not seen by two, early enough")
    return Proved(kind=kind, against="", origins=(log.name,))


CHECKS = {
    "equivocation": check_equivocation,
    "divergent-results": check_results,
    "self-contradiction": check_results,
    "repeated-epoch": check_epochs,
    "hidden-result": check_hidden,
    "dated-before": check_dated,
}


# --- logs, certificates, statements -------------------------------------------------------------------------


def read_bound(log: bytes, entry: bytes, proof: bytes) -> tuple[Key, bytes, str]:
    """Return a log's key, the certificate file in its entry 0, and the statement key that signed that."""
    key = log_key(log.decode())
    index, path, note = read_proof(proof)
    size, root = open_head(note, key)
    require(index == 0 and included(0, size, checker.leaf(entry), path) == root, "not entry 0 of the log")
    envelope = checker.strict_json(entry, "entry 0")
    statements = envelope["signatures"][0]["keyid"]
    kind, text = checker.read_envelope(0, entry, statements)
    checker.check_certificate(kind, text, log.decode(), statements)
    return key, text.encode(), statements


def read_side(parts: dict[str, bytes], letter: str) -> tuple[Key, bytes, Any]:
    """Return the log, the certificate file and the Statement of one side."""
    side = {name: parts[f"{name}-{letter}"] for name in SIDE}
    log, file, statements = read_bound(side["log"], side["certificate"], side["certificate-proof"])
    index, path, note = read_proof(side["outcome-proof"])
    size, root = open_head(note, log)
    require(included(index, size, checker.leaf(side["outcome"]), path) == root, "not in the tree")
    kind, statement = checker.read_envelope(index, side["outcome"], statements)
    require(kind == checker.IN_TOTO, "no outcome")
    return log, file, statement


def metadata_of(statement: Any) -> Any:
    """Return where a Statement says which acceptance it ends."""
    predicate = statement["predicate"]
    if statement["predicateType"] == checker.PROVENANCE:
        return predicate["runDetails"]["metadata"]
    require(statement["predicateType"] == checker.FAILURE, "no outcome")
    return predicate


def read_result(statement: Any, products: bytes, origin: str) -> tuple[str, str]:
    """Return the build key and the result digest of an outcome of the log `origin`."""
    predicate = statement["predicate"]
    metadata_of(statement)
    if statement["predicateType"] == checker.PROVENANCE:
        builder, definition = predicate["runDetails"]["builder"]["id"], predicate["buildDefinition"]
    else:
        builder, definition = predicate["f2fbuild_builder"], predicate["f2fbuild_buildDefinition"]
    require(builder == origin, "speaks for another log")
    public = {name: part for name, part in definition.items() if name != "internalParameters"}
    build_key = hashlib.sha256(b"f2fbuild build key v1\n" + checker.canonical(public)).hexdigest()
    require(definition["internalParameters"] == {"f2fbuild_buildKey": build_key}, "build key")
    digest = checker.result_digest(statement)
    if not digest:
        (subject,) = statement["subject"]
        require(subject["digest"] == {"sha256": hashlib.sha256(products).hexdigest()}, "other products")
        listed = checker.strict_json(products, "products.json")
        names = [product["name"] for product in listed]
        require(0 < len(names) <= 50_000 and names == sorted(set(names)), "products.json")
        digest = checker.result_digest({**statement, "subject": listed})
    else:
        require(products == b"", "products of nothing")
    return build_key, digest


def read_certificate(file: bytes) -> Node:
    """Return the node of a certificate file, after its keys' proofs."""
    body, proofs, _ = file.decode("ascii").split("\n\n", 2)
    text = body + "\n"
    found = CERTIFICATE.fullmatch(text)
    require(found is not None and len(file) <= 16_384, "no certificate")
    assert found is not None
    owner, statements, log, *vkeys, epoch = found.groups()
    message = hashlib.sha256(b"f2fbuild node key/1\n" + text.encode()).digest()
    keys = {"statements": bytes.fromhex(statements), "log": log_key(log).public}
    cosigners = {}
    for role, vkey in zip(("witness", "mirror"), vkeys, strict=True):
        cosigners[role] = read_vkey(vkey)
        keys[role] = cosigners[role].public
        name = f"f2fbuild.invalid/{role}/{hashlib.sha256(keys[role]).hexdigest()}"
        require((cosigners[role].type, cosigners[role].name) == (4, name), f"{role} key")
    lines = proofs.split("\n")
    require(len(lines) == len(keys), "not four proofs")
    for line, (role, public) in zip(lines, keys.items(), strict=True):
        word, named, proof = line.split(" ")
        require((word, named) == ("proof", role), "proofs in another order")
        checker.verify(public, message, unbase64(proof), f"proof of the {role} key")
    return Node(owner=owner, statements=statements, log=log, witness=cosigners["witness"], epoch=int(epoch))


# --- notes, proofs, trees -----------------------------------------------------------------------------------


def read_vkey(text: str) -> Key:
    """Return a vkey taken apart."""
    name, key_id, encoded = text.split("+", 2)
    blob = unbase64(encoded)
    require(len(blob) == 33, "vkey: length")
    digest = hashlib.sha256(name.encode() + b"\n" + blob).digest()[:4]
    require(key_id == digest.hex(), "vkey: wrong key id")
    return Key(name=name, id=digest, type=blob[0], public=blob[1:])


def log_key(text: str) -> Key:
    """Return the key of a log, whose name is its origin."""
    key = read_vkey(text)
    name = "f2fbuild.invalid/log/" + hashlib.sha256(key.public).hexdigest()
    require((key.type, key.name) == (1, name), "no key of a log")
    return key


def open_head(note: bytes, log: Key, others: int = 0) -> tuple[int, bytes]:
    """Return size and root of a note that the log signed; it has so many other signatures."""
    text, lines = split_note(note)
    require(len(lines) == 1 + others, "other signatures than those needed")
    blobs = [blob for name, blob in lines if (name, blob[:4]) == (log.name, log.id)]
    require(bool(blobs), "not signed by the log")
    for blob in blobs:
        checker.verify(log.public, text, blob[4:], "checkpoint")
    origin, size, root, rest = text.decode().split("\n")
    require(origin == log.name and rest == "", "another log's")
    require(len(unbase64(root)) == 32, "root")
    return decimal(size), unbase64(root)


def split_note(note: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Return a note's text and its signatures."""
    text, _, signatures = note.decode().rpartition("\n\n")
    require(signatures.endswith("\n"), "no signatures")
    lines = []
    for line in signatures[:-1].split("\n"):
        dash, name, blob = line.split(" ")
        require(dash == "—", "no signature line")
        lines.append((name, unbase64(blob)))
    return (text + "\n").encode(), lines


def seen(note: bytes, witnesses: list[Node], author: str) -> dict[str, int]:
    """Return when owners other than the author cosigned a note; the first witness of each counts."""
    text, lines = split_note(note)
    require(len({node.witness for node in witnesses}) == len(witnesses), "a witness twice")
    times: dict[str, int] = {}
    for node in witnesses:
        key = node.witness
        found = []
        for name, blob in lines:
            if (name, blob[:4]) == (key.name, key.id):
                (time,) = struct.unpack(">Q", blob[4:12])
                require(time < 2**63, "time")
                message = b"cosignature/v1\ntime %d\n" % time + text
                checker.verify(key.public, message, blob[12:], "cosignature")
                found.append(time)
        require(bool(found), "did not cosign")
        if node.owner != author:
            times.setdefault(node.owner, max(found))
    return times


def read_proof(data: bytes) -> tuple[int, list[bytes], bytes]:
    """Return index, hashes and checkpoint of a tlog-proof without an extra line."""
    head, _, note = data.partition(b"\n\n")
    magic, index, *hashes = head.decode().split("\n")
    require(magic == "c2sp.org/tlog-proof@v1" and index.startswith("index "), "no tlog-proof")
    path = [unbase64(line) for line in hashes]
    require(len(path) <= 63 and all(len(value) == 32 for value in path), "hashes")
    return decimal(index.removeprefix("index ")), path, note


def decimal(text: str) -> int:
    """Return a number in its one spelling."""
    require(re.fullmatch("0|[1-9][0-9]{0,15}", text) is not None and int(text) < 2**53, "number")
    return int(text)


def node(left: bytes, right: bytes) -> bytes:
    """RFC 6962 node hash."""
    return hashlib.sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1


def included(index: int, size: int, value: bytes, path: list[bytes]) -> bytes:
    """Return the root to which an audit path leads (RFC 6962 §2.1.1, read backwards)."""
    require(0 <= index < size, "behind the tree")
    if size == 1:
        require(not path, "too many hashes")
        return value
    require(bool(path), "too few hashes")
    half = split(size)
    if index < half:
        return node(included(index, half, value, path[:-1]), path[-1])
    return node(path[-1], included(index - half, size - half, value, path[:-1]))


def left_of(index: int, size: int, path: list[bytes]) -> list[bytes]:
    """Return the hashes of an audit path that lie left of its leaf, largest first."""
    if size == 1:
        return []
    half = split(size)
    if index < half:
        return left_of(index, half, path[:-1])
    return [path[-1], *left_of(index - half, size - half, path[:-1])]


def with_left(start: int, size: int, index: int, left: list[bytes], leaves: list[bytes]) -> bytes:
    """Return the root of a tree of which the hashes left of `index` and the leaves from there are known."""
    if start >= index:
        return checker.tree_root(leaves[start - index : start - index + size])
    if start + size <= index:
        return left.pop(0)
    half = split(size)
    first = with_left(start, half, index, left, leaves)
    return node(first, with_left(start + half, size - half, index, left, leaves))


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> bool:
    """Tell whether a proof leads from one head to the other (RFC 6962 §2.1.2, read backwards)."""
    left = list(proof)

    def walk(m: int, n: int, whole: bool) -> tuple[bytes, bytes]:
        if m == n:
            value = old_root if whole else left.pop(0)
            return value, value
        half = split(n)
        if m <= half:
            small, large = walk(m, half, whole)
            return small, node(large, left.pop(0))
        small, large = walk(m - half, n - half, False)
        before = left.pop(0)
        return node(before, small), node(before, large)

    try:
        return walk(old, new, True) == (old_root, new_root) and not left
    except IndexError:
        return False


def main(arguments: list[str]) -> int:
    """Check one file, say what it proves, and return the exit code."""
    (file,) = arguments
    try:
        proved = check(Path(file).read_bytes())
    except (Wrong, ValueError, KeyError, TypeError, IndexError, struct.error, UnboundLocalError) as error:
        print(f"WRONG {file}: {error}")
        return 1
    print(f"ok    {proved.kind} against {proved.against or 'nobody'}: {', '.join(proved.origins)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
