"""What environments, sandboxes and builds may take."""

from f2fbuild.limits.products import PRODUCTS_PER_BUILD
from f2fbuild.limits.units import KIB, MIB

# Environments
TARGET_BYTES = 64 * KIB
"""Bytes of a target file: a screenful of text by its owner."""

LOCK_BYTES = 4 * MIB
"""Bytes of an environment lock: 10,000 packages of 250 bytes and some air."""

LOCK_PACKAGES = 10_000
"""Packages of an environment lock: the largest desktop buildroots have some 3,000."""

PACKAGE_BYTES = 2048 * MIB
"""Bytes of one package file: the largest of Debian and Fedora stay below."""

METADATA_SIGNED_BYTES = 4 * MIB
"""Bytes of one signed InRelease or repomd.xml: Debian's are 150 KiB."""

METADATA_INDEX_BYTES = 64 * MIB
"""Bytes of one compressed package index: Debian main has 9 MiB, Fedora Everything 20 MiB."""

METADATA_INDEX_UNPACKED_BYTES = 512 * MIB
"""Bytes of one package index unpacked: Debian main has 48 MiB, Fedora Everything 180 MiB."""

METADATA_REPOSITORIES = 32
"""Repositories whose metadata travels beside one lock."""

METADATA_INDEXES = 16
"""Package indexes of one repository: one per component and architecture."""

METADATA_AHEAD_SECONDS = 24 * 3600
"""Seconds that signed metadata may lie in the future before it is refused: a wrong time zone, no more."""

SOLVER_CACHE_BYTES = 1024 * MIB
"""Bytes of dnf's cache in memory while it solves: Fedora Everything needs 300 MiB."""

TOOL_OUTPUT_BYTES = 8 * MIB
"""Bytes that a tool of the builder may print: an InRelease, or a solver's 10,000 lines of names."""

TOOL_SECONDS = 600
"""Seconds of one run of a tool of the builder: dpkg unpacks 3,000 packages in that time."""

TOOL_MEMORY_BYTES = 4096 * MIB
"""Bytes of memory of one run of a tool: a solver over a whole distribution needs one."""

TOOL_DISK_BYTES = 32 * 1024 * MIB
"""Bytes that one run of a tool may write: the largest desktop buildroots have 20 GiB."""

FETCHES_AT_ONCE = 6
"""Package files asked for at once: more gain nothing from one mirror and are taken for an attack."""

FETCH_SECONDS = 60
"""Seconds without a byte after which a mirror counts as gone."""

# Sandbox
SANDBOX_ROOT_ID = 0x7000_0000
"""First host uid and gid behind the sandboxes of a node that runs as root: systemd's list of uid ranges
leaves 0x70000000 to 0x7FFFFFFF unused, and useradd's subordinate ranges start far below."""

SANDBOX_IDS = 65_536
"""Uids of a sandbox: nobody is 65534, and Debian asks for 16 bits."""

SANDBOX_SHM_BYTES = 256 * MIB
"""Bytes of /dev/shm, and of the root where it is empty: memory that no process's size shows."""

SANDBOX_TMP_BYTES = 1024 * MIB
"""Bytes of /tmp in a sandbox, memory too: compilers keep their assembler files there."""

SANDBOX_OPEN_FILES = 4_096
"""Open files of one process: linkers of large programs open 2,000."""

WATCH_SECONDS = 0.1
"""Seconds between looks at a build's memory and disk: at 4 GB/s it grows by 400 MB in between."""

SANDBOX_START_SECONDS = 5
"""Seconds for bubblewrap to name a sandbox's first process, which takes 0.05, before a run is killed."""

MEMORY_RESERVE_BYTES = 256 * MIB
"""Bytes of the host's memory that a build must leave free, or it is ended before the host suffers."""

DISK_RESERVE_BYTES = 1024 * MIB
"""Bytes that a build leaves free on the file system of its job, so that blobs and ledger can still write."""

DISK_SLACK_BYTES = 1024 * MIB
"""Bytes that one file may have beyond a build's whole disk: what is written in `WATCH_SECONDS`, so that a
build which takes too much is ended for this reason, and does not fail by itself as if it were broken."""

OUTPUT_READ_BYTES = 64 * KIB
"""Bytes of a program's output taken from the pipe at once: a pipe's whole buffer."""

CAPTURED_BYTES = 8 * MIB
"""Bytes of output kept of a program that is asked something, such as rpm queries."""

# Builds
SOURCE_FILES = 1_000
"""Files of one source: TeX Live, the largest collections, have some hundred."""

BUILD_CPUS = 1_024
"""CPUs that a build may ask to be shown."""

BUILD_MACROS = 256
"""Macros, tools and profiles of one build definition: a distribution's overrides are some twenty."""

BUILD_MACRO_CHARACTERS = 4_096
"""Characters of a macro's value: compiler flags of a distribution have 500."""

SOURCE_DATE_BOUND = 2**32 - 1
"""Latest SOURCE_DATE_EPOCH in unix seconds: an RPM's BUILDTIME is a uint32."""

ROOT_LAYER_BYTES = 512 * MIB
"""Bytes in memory for what a build writes outside its job and temporary directories."""

PRODUCT_BYTES = 32 * 1024 * MIB
"""Bytes of all products of one build together: twice the largest blob."""

PRODUCT_REPORT_BYTES = 64 * MIB
"""Bytes of the report over all products of a build: 50,000 with 500 bytes each, and long names."""

PRODUCT_ENTRIES = 4 * PRODUCTS_PER_BUILD
"""Directory entries looked at for products; more are a trap for whoever looks."""
