"""A town of friends, made once: people with real OpenPGP keys, their nodes' directories, their friendships.

Making it takes GnuPG some seconds, so each scene plays with a copy of the nodes' directories. The people's
own GnuPG homes are not copied; scenes do not change them.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from f2fbuild.ledger.log import Log
from f2fbuild.node import clock, config
from f2fbuild.node.friendships import Friendships
from f2fbuild.node.identity import load_identity
from f2fbuild.node.setup import Wishes, set_up
from f2fbuild.store.database import Database
from f2fbuild.store.files import write_private
from f2fbuild.store.paths import Paths
from f2fbuild.store.schema import MIGRATIONS
from f2fbuild.trust.issuing import make_card
from f2fbuild.trust.keyring import Keyring
from f2fbuild.trust.policy import Right
from tests.trust.trust_people import Person, person

SUBMITTER = "alice"
BUILDERS = ("bob", "carol", "dave", "mallory")
NAMES = (SUBMITTER, *BUILDERS)
NOBODY_LISTENS = "127.0.0.1:1"


@dataclass(frozen=True)
class Town:
    """Whose key is whose, and where the nodes' directories lie that scenes copy."""

    people: Mapping[str, Person]
    directory: Path

    def copy(self, name: str, directory: Path) -> Paths:
        """Copy a node's directories below `directory` and return them."""
        shutil.copytree(self.directory / name, directory / name)
        return paths_of(directory / name)


def paths_of(directory: Path) -> Paths:
    return Paths(
        config=directory / "config",
        data=directory / "data",
        state=directory / "state",
        cache=directory / "cache",
        runtime=directory / "run",
    )


@contextmanager
def make_town(directory: Path) -> Iterator[Town]:
    """Alice lets the others build; they let her submit; all may read each other's ledgers."""
    with ExitStack() as stack:
        people = {name: stack.enter_context(person(name.capitalize())) for name in NAMES}
        town = Town(people=people, directory=directory)
        for name in NAMES:
            _found(town, name)
        trio.run(_befriend, town)
        yield town


def _found(town: Town, name: str) -> None:
    paths, someone = paths_of(town.directory / name), town.people[name]
    paths.config.parent.mkdir()
    wishes = Wishes(
        name=f"{name}-box",
        key=someone.fingerprint,
        new_key="",
        unprotected=True,
        gnupghome=someone.home,
        listen=(NOBODY_LISTENS,),
    )
    set_up(paths, wishes, lambda keys: keys[0].fingerprint)
    settings = config.Settings(
        node=config.NodeSettings(name=f"{name}-box", listen=(NOBODY_LISTENS,)),
        owner=config.OwnerSettings(fingerprint=someone.fingerprint, gnupghome=str(someone.home)),
        builder=config.BuilderSettings(disk_mib=1, slots=2, waiting=2),
    )
    paths.config_file.unlink()
    write_private(paths.config_file, config.dump(settings).encode())


async def _befriend(town: Town) -> None:
    with ExitStack() as stack:
        known = {name: _friendships(town, name, stack) for name in NAMES}
        cards = {name: _card(town, name) for name in NAMES}

        async def admit(one: str, other: str, rights: frozenset[Right]) -> None:
            await known[one].admit(cards[other], rights, other, certify=True)

        async with trio.open_nursery() as nursery:
            for builder in BUILDERS:
                nursery.start_soon(
                    admit, SUBMITTER, builder, frozenset({Right.BUILD, Right.LEDGER, Right.WITNESS})
                )
                nursery.start_soon(
                    admit, builder, SUBMITTER, frozenset({Right.SUBMIT, Right.LEDGER, Right.WITNESS})
                )


def _friendships(town: Town, name: str, stack: ExitStack) -> Friendships:
    paths, someone = paths_of(town.directory / name), town.people[name]
    database = stack.enter_context(Database.open(paths.database, MIGRATIONS))
    keyring = Keyring.open(paths.keyring, someone.key)
    return Friendships(database, keyring, someone.gnupg, clock.now)


def _card(town: Town, name: str) -> str:
    identity = load_identity(paths_of(town.directory / name))
    return make_card(identity.certificate, (NOBODY_LISTENS,), town.people[name].gnupg).decode()


def open_log(paths: Paths) -> Log:
    """Open the log of a node that does not run."""
    identity = load_identity(paths)
    return Log.open(paths.log_of(identity.certificate.certificate.epoch), identity.log_key)
