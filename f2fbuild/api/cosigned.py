"""What a cosigner said of a log, as replies show it."""

import msgspec


class Cosigned(msgspec.Struct, frozen=True, kw_only=True):
    """One key's newest cosignature of the log `origin`: the head's size, and the time (unix seconds).

    `name` is for people: whose key it is, or, of what this node cosigned, whose log. `role` is witness or
    mirror. `forked`: the log signed another head of that size, and is cosigned no more.
    """

    origin: str
    name: str
    role: str
    vkey: str
    size: int
    time: int
    forked: bool = False
