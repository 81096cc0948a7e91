"""An independent checker of ledgers: it shares no code with f2fbuild, only the published formats.

Standard library and PyNaCl only. It reads a log's directory (`checkpoint`, `tile/…`) and computes everything
anew: signature and root of the checkpoint, every tile and entry bundle byte for byte, the DSSE signature of
every entry, and that entry 0 is the node certificate that binds log key and statement key. Then it reads what
the entries say, as docs/reference/ledger-format.md has it: every field of every known kind, that each promise
is kept once, that outcomes open the commitments before them and verdicts the orders before them.

    python tests/checker.py DEMO.json

DEMO.json is an object with `"logs": [{"origin", "vkey", "statement_key", "path"}, …]`. Exit 0: all is true.
"""

import base64
import datetime
import hashlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

OURS = re.compile(r"application/vnd\.f2fbuild\.([a-z-]+)\+json")
IN_TOTO = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
FAILURE = "https://in-toto.io/attestation/test-result/v0.1"
VSA = "https://slsa.dev/verification_summary/v1"
SVR = "https://in-toto.io/attestation/svr/v0.2"
CERTIFICATE_TYPE = "text/vnd.f2fbuild.node-certificate"
WIDTH = 256


class Wrong(Exception):  # noqa: N818 - the word that the checker prints
    """A log that is not what it says."""


def check_log(path: Path | str, vkey: str, statement_key: str) -> list[tuple[str, Any]]:
    """Return (payload type, decoded payload) of every entry of a log; see `read_log`."""
    return read_log(path, vkey, statement_key).payloads


def read_log(path: Path | str, vkey: str, statement_key: str) -> "History":
    """Return what stands in a log in which everything is true.

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
    return read_history(vkey, statement_key, entries, payloads)


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


def read_history(
    vkey: str, statement_key: str, entries: list[bytes], payloads: list[tuple[str, Any]]
) -> "History":
    """Read all entries in their order, and require each to be one that may stand where it stands."""
    history = History(vkey.split("+", maxsplit=1)[0], entries, payloads)
    for number, (kind, payload) in enumerate(payloads):
        require(bool(history.certificates) or number == 0, f"entry {number}: behind the last revocation")
        if kind == CERTIFICATE_TYPE:
            check_certificate(kind, payload, vkey, statement_key)
            history.certificates.add(number)
        elif kind == IN_TOTO:
            history.statement(number, payload)
        elif OURS.fullmatch(kind):
            history.own(number, OURS.sub(r"\1", kind), payload)
    return history


class History:
    """What the entries read so far have promised, sealed and declared."""

    def __init__(self, origin: str, entries: list[bytes], payloads: list[tuple[str, Any]]) -> None:
        """Begin before the first entry of the log `origin`."""
        self.origin = origin
        self.entries = entries
        self.payloads = payloads
        self.certificates: set[int] = set()
        self.mode = "distributed"
        self.owed: dict[int, str] = {}
        """Open acceptances, and the commitment to the result of each, "" before there is one."""

    def own(self, number: int, kind: str, payload: Any) -> None:
        """Take a payload of our own types."""
        where = f"entry {number}: {kind}"
        if kind in FIELDS:
            require(set(payload) == set(FIELDS[kind]), f"{where}: other fields")
            for name, is_good in FIELDS[kind].items():
                require(is_good(payload[name]), f"{where}: {name}")
        if kind == "acceptance":
            self.owed[number] = ""
        elif kind == "commitment":
            require(self.owed.get(payload["acceptance"]) == "", f"{where}: of no open acceptance, or again")
            self.owed[payload["acceptance"]] = payload["commitment"]
        elif kind == "closing":
            require(self.owed.pop(payload["acceptance"], None) is not None, f"{where}: of nothing open")
        elif kind == "mode-change":
            require(payload["from"] == self.mode != payload["to"], f"{where}: not from the mode that was")
            self.mode = payload["to"]
        elif kind == "revocation":
            require(payload["certificate"] in self.certificates, f"{where}: of nothing that held")
            self.certificates.discard(payload["certificate"])

    def statement(self, number: int, value: Any) -> None:
        """Take an in-toto Statement; one with a predicate that is not known is let be."""
        where = f"entry {number}"
        kind, predicate = value["predicateType"], value["predicate"]
        if kind in (PROVENANCE, FAILURE, VSA, SVR):
            require(
                set(value) == {"_type", "predicate", "predicateType", "subject"}, f"{where}: other fields"
            )
            require(value["_type"] == STATEMENT, f"{where}: no Statement v1")
        if kind in (PROVENANCE, FAILURE):
            self.outcome(number, value)
        elif kind == VSA:
            self.verdict(number, predicate)
        elif kind == SVR:
            require(set(predicate) == {"properties", "timeCreated", "verifier"}, f"{where}: other fields")
            require(
                set(predicate["verifier"]) == {"id", "policies"}, f"{where}: other fields of the verifier"
            )
            require(predicate["verifier"]["id"] == self.origin, f"{where}: speaks for another log")
            require(is_rounded(predicate["timeCreated"]), f"{where}: time")
            words = predicate["properties"]
            require(bool(words) and words == sorted(set(words)), f"{where}: properties")
        if kind in (VSA, SVR):
            names = [subject["name"] for subject in value["subject"]]
            require(bool(names) and names == sorted(set(names)), f"{where}: subjects")

    def outcome(self, number: int, value: Any) -> None:
        """Require an outcome to end an open acceptance, and to be what was committed to."""
        where = f"entry {number}"
        predicate = value["predicate"]
        if value["predicateType"] == PROVENANCE:
            metadata, job = predicate["runDetails"]["metadata"], "invocationId"
            builder = predicate["runDetails"]["builder"]["id"]
            definition = predicate["buildDefinition"]
        else:
            metadata, job, builder = predicate, "f2fbuild_invocationId", predicate["f2fbuild_builder"]
            definition = predicate["f2fbuild_buildDefinition"]
        require(builder == self.origin, f"{where}: speaks for another log")
        acceptance = metadata["f2fbuild_acceptance"]
        commitment = self.owed.pop(acceptance, None)
        require(commitment is not None, f"{where}: ends nothing that is open")
        require(commitment != "", f"{where}: was not committed to")
        require(self.payloads[acceptance][1]["job"] == metadata[job], f"{where}: of another job")
        public = {name: part for name, part in definition.items() if name != "internalParameters"}
        build_key = hashlib.sha256(b"f2fbuild build key v1\n" + canonical(public)).hexdigest()
        require(definition["internalParameters"] == {"f2fbuild_buildKey": build_key}, f"{where}: build key")
        result = result_digest(value)
        if result:
            lines = ["f2fbuild commit/1", builder, build_key, leaf(self.entries[acceptance]).hex(), result]
            sealed = "".join(line + "\n" for line in lines).encode() + bytes.fromhex(
                metadata["f2fbuild_nonce"]
            )
            require(hashlib.sha256(sealed).hexdigest() == commitment, f"{where}: not what was committed to")

    def verdict(self, number: int, predicate: Any) -> None:
        """Require a verdict to open an order before it, and to say of it what the order allows."""
        where = f"entry {number}: vsa"
        require(set(predicate) == VSA_FIELDS, f"{where}: other fields")
        require(predicate["verifier"] == {"id": self.origin}, f"{where}: speaks for another log")
        require(is_rounded(predicate["timeVerified"]), f"{where}: time")
        opened = predicate["f2fbuild_order"]
        require(set(opened) == {"entry", "payload", "salt"}, f"{where}: order")
        require(is_index(opened["entry"]) and opened["entry"] < number, f"{where}: opens no earlier entry")
        salt, text = bytes.fromhex(opened["salt"]), opened["payload"].encode()
        require(salt.hex() == opened["salt"] and len(salt) == 32, f"{where}: salt")
        sealed = {"commit": hashlib.sha256(salt + text).hexdigest()}
        order = ("application/vnd.f2fbuild.order+json", sealed)
        require(self.payloads[opened["entry"]] == order, f"{where}: opens another order, or none")
        job, ordered = hashlib.sha256(text).hexdigest(), strict_json(text, where)
        policy = {"digest": {"sha256": job}, "uri": f"f2fbuild:order/{job}"}
        require(predicate["policy"] == policy, f"{where}: policy")
        require(predicate["resourceUri"] == f"f2fbuild:build/{ordered['buildKey']}", f"{where}: resource")
        figures = predicate["f2fbuild_verdict"]
        passed = figures["kind"] in ("agree", "disputed")
        require(not passed or figures["agree"] >= ordered["agree"], f"{where}: fewer agree than were ordered")
        word = "SLSA_BUILD_REPRODUCED" if figures["agree"] > 1 else "SLSA_BUILD_LEVEL_UNEVALUATED"
        require(predicate["verifiedLevels"] == [word if passed else "FAILED"], f"{where}: levels")
        require(predicate["verificationResult"] == ("PASSED" if passed else "FAILED"), f"{where}: result")


def result_digest(statement: Any) -> str:
    """Return the digest of an outcome's result; "" when the list of its products is a blob elsewhere."""
    if statement["predicateType"] == FAILURE:
        predicate = statement["predicate"]
        (stage,) = predicate["failedTests"]
        lines = [f"failed {predicate['f2fbuild_exitClass']} {stage}\n"]
    else:
        lines = []
        for subject in statement["subject"]:
            if "annotations" not in subject:
                require(subject["name"] == "products.json", "a product without annotations")
                return ""
            about, digests = subject["annotations"], subject["digest"]
            digest = digests.get("f2fbuild_rpmCanonical", digests["sha256"])
            lines.append(f"{about['kind']} {digest} {about['size']} {subject['name']}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def check_seen_heads(payload: Any, blob: bytes) -> list[dict[str, Any]]:
    """Return the heads in the blob that opens the payload of a seen-heads entry."""
    value = strict_json(blob, "seen heads")
    require(set(value) == {"heads", "salt", "schema", "time"}, "seen heads: other fields")
    require(value["schema"] == "f2fbuild.seen-heads/1", "seen heads: schema")
    salt = bytes.fromhex(value["salt"])
    require(payload == {"heads": hashlib.sha256(salt + blob).hexdigest()}, "seen heads: another list")
    origins = [head["origin"] for head in value["heads"]]
    require(origins == sorted(set(origins)), "seen heads: not sorted")
    return list(value["heads"])


def is_digest(value: object) -> bool:
    """Tell whether a value is 64 lower-case hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def is_index(value: object) -> bool:
    """Tell whether a value is the index of an entry."""
    return type(value) is int and 0 <= value < 2**53


def is_coarse(value: object) -> bool:
    """Tell whether a value is a time in whole ten minutes."""
    return type(value) is int and value >= 0 and value % 600 == 0


def is_rounded(text: str) -> bool:
    """Tell whether a text is such a time in RFC 3339."""
    time = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ") == text and is_coarse(int(time.timestamp()))


def is_one_of(*words: str) -> Callable[[object], bool]:
    """Return what tells whether a value is one of these words."""
    return lambda value: value in words


MODES = ("distributed", "cautious", "trusted-only")
FIELDS: dict[str, dict[str, Callable[[object], bool]]] = {
    "order": {"commit": is_digest},
    "acceptance": {
        "buildKey": is_digest,
        "deadline": is_coarse,
        "job": is_digest,
        "revealBy": is_coarse,
        "submitter": is_digest,
    },
    "commitment": {"acceptance": is_index, "commitment": is_digest},
    "closing": {
        "acceptance": is_index,
        "reason": is_one_of("cancelled", "infra", "timed-out", "gave-back"),
    },
    "seen-heads": {"heads": is_digest},
    "mode-change": {
        "forced": lambda value: isinstance(value, bool),
        "from": is_one_of(*MODES),
        "reason": is_digest,
        "to": is_one_of(*MODES),
    },
    "revocation": {
        "certificate": is_index,
        "reason": is_one_of("superseded", "compromised", "retired"),
    },
}
VSA_FIELDS = {
    "f2fbuild_order",
    "f2fbuild_verdict",
    "inputAttestations",
    "policy",
    "resourceUri",
    "slsaVersion",
    "timeVerified",
    "verificationResult",
    "verifiedLevels",
    "verifier",
}


def strict_json(data: bytes, where: str) -> Any:
    """Return the value of canonical JSON, refusing every other spelling of it."""
    value = json.loads(data)
    require(canonical(value) == data, f"{where}: JSON in another spelling")
    return value


def canonical(value: Any) -> bytes:
    """Return the one spelling of a JSON value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


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
            history = read_log(log["path"], log["vkey"], log["statement_key"])
        except (Wrong, ValueError, KeyError, TypeError, IndexError, OSError) as error:
            wrong += 1
            print(f"WRONG {log['origin']}: {error}")
        else:
            print(f"ok    {log['origin']}: {len(history.payloads)} entries")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
