"""All limits of the project, with their units and the reason for each.

Constants fixed by a specification carry its clause and are no tunables; the others are ours.
A limit is checked before anything is buffered. Names are the same everywhere: import them from here.
"""

from f2fbuild.limits.builder import *  # noqa: F403  this page is the whole list
from f2fbuild.limits.gossip import *  # noqa: F403  this page is the whole list
from f2fbuild.limits.ledger import *  # noqa: F403  this page is the whole list
from f2fbuild.limits.net import *  # noqa: F403  this page is the whole list
from f2fbuild.limits.node import *  # noqa: F403  this page is the whole list
from f2fbuild.limits.products import *  # noqa: F403  this page is the whole list
from f2fbuild.limits.trust import *  # noqa: F403  this page is the whole list
from f2fbuild.limits.units import *  # noqa: F403  this page is the whole list
