"""Runs gpgv, the one program that decides here who signed, over metadata that may come from anybody."""

import tempfile
from pathlib import Path

import trio

from f2fbuild.builder import process
from f2fbuild.builder.keyrings import good_signers, keyring_bytes
from f2fbuild.builder.metadata import Metadata, RepositoryMetadata
from f2fbuild.builder.sandbox import Bind, Command
from f2fbuild.builder.targets import Format, Repository, Target
from f2fbuild.builder.tools import ENVIRONMENT, TOOL_LIMITS, with_tools
from f2fbuild.builder.verify import Reason, VouchedIndex, VouchedMetadata, vouch_release, vouch_repomd
from f2fbuild.errors import ConfigurationError


async def signed_text(signed: bytes, signature: bytes, keyring: bytes) -> bytes | None:
    """Return what a key of `keyring` signed, or None when none did.

    Args:
        signed: a clear-signed file, or any file when there is a `signature`.
        signature: its detached signature, or empty.
        keyring: binary certificates one after another.

    Returns:
        The text inside of the clear signature as gpgv wrote it, or `signed` itself.
    """
    with tempfile.TemporaryDirectory(prefix="f2f") as name:
        folder = Path(name)
        files = {"signed": signed, "signature": signature, "keyring": keyring}
        await trio.to_thread.run_sync(_lay_out, folder, files)
        inputs = ("/in/signature", "/in/signed") if signature else ("/in/signed",)
        argv = (
            *("gpgv", "--status-fd", "2", "--weak-digest", "SHA1"),
            *("--keyring", "/in/keyring", *(() if signature else ("--output", "-")), "--", *inputs),
        )
        sandbox = with_tools(Bind(source=folder, target="/in"))
        command = Command(argv=argv, env=ENVIRONMENT)
        _, output, status = await process.capture(sandbox, command, limits=TOOL_LIMITS)
    if not good_signers(status):
        return None
    return signed if signature else output


async def vouch(target: Target, metadata: Metadata) -> VouchedMetadata:
    """Return what holds of `metadata`, whoever brought it, by the keyrings of this node's own `target`.

    Raises:
        ConfigurationError: a keyring of the target cannot be read.
    """
    indexes: list[VouchedIndex] = []
    refusals: list[Reason] = []
    for each in metadata.repositories:
        answer = await _vouch_one(target, each)
        if isinstance(answer, Reason):
            refusals.append(answer)
        else:
            indexes += answer
    return VouchedMetadata(indexes=tuple(indexes), refusals=tuple(refusals))


async def read_keyring(repository: Repository) -> bytes:
    """Return the repository's keyring in binary form.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        data = await trio.Path(repository.keyring).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=repository.keyring) from error
    return keyring_bytes(data, where=repository.keyring)


async def _vouch_one(target: Target, metadata: RepositoryMetadata) -> tuple[VouchedIndex, ...] | Reason:
    """Try every repository of the target: a bundle does not say, and would not be believed, whose it is."""
    reason = Reason.NO_KEY
    texts: dict[bytes, bytes | None] = {}
    found: list[VouchedIndex] = []
    for repository in target.repository:
        keyring = await read_keyring(repository)
        if keyring not in texts:
            texts[keyring] = await signed_text(metadata.signed, metadata.signature, keyring)
        text = texts[keyring]
        if text is None:
            continue
        if target.format is Format.DEB:
            answer = vouch_release(metadata, text, repository, target.arch)
        else:
            answer = vouch_repomd(metadata, repository)
        if isinstance(answer, Reason):
            reason = answer
        else:
            found += answer
    return tuple(found) or reason


def _lay_out(folder: Path, files: dict[str, bytes]) -> None:
    folder.chmod(0o755)
    for name, content in files.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)
