"""The shell programs that turn package files into a root, and the reading of what is installed in one.

They run as root of a sandbox only. Package files are in /tmp/packages; a new base is at /layer where the
host's programs are used, and at / where its own are. Times of files that the installation itself made are set
to one constant, so that two builders' roots hold the same.
"""

from typing import Final

from f2fbuild.builder.targets import Format
from f2fbuild.errors import FormatError

Installed = frozenset[tuple[str, str, str]]

INSTALL_EPOCH: Final = 1_000_000_000
"""Unix seconds (2001-09-09): the time of every file in a root that no package dates."""

LAYOUT: Final = "2"
"""Version of everything here that a build can notice; part of a layer's key."""

_START: Final = """\
set -euo pipefail
umask 022
touch /tmp/started
"""

_FINISH: Final = """
cd "$root"
grep -qs '^build:' ./etc/passwd || echo 'build:x:1000:1000::/nonexistent:/bin/sh' >> ./etc/passwd
grep -qs '^build:' ./etc/group || echo 'build:x:1000:' >> ./etc/group
rm -rf ./etc/hostname ./etc/resolv.conf ./var/cache/ldconfig ./var/cache/apt ./var/cache/debconf/*-old
rm -rf ./var/lib/dpkg/*-old ./var/lib/rpm/*-shm
rm -rf ./etc/passwd- ./etc/group- ./etc/shadow- ./etc/gshadow- ./etc/.pwd.lock
if [ -d ./var/log ]; then find ./var/log -type f -delete; fi
"""

_DATE: Final = """
find . -xdev -newer /tmp/started -exec touch --no-dereference --date="@$epoch" {} +
"""

_DEB_MERGED: Final = """
for name in bin sbin lib $libraries; do
    mkdir -p "usr/$name"
    ln -s "usr/$name" "$name"
done
"""

_DEB_EXTRACT: Final = """
for package in /tmp/packages/*.deb; do
    case $(dpkg-deb --show --showformat '${Essential} ${Section}' "$package") in
        yes*) ;;
        *devel) continue ;;  # large, and nothing that dpkg and maintainer scripts of the base need
    esac
    dpkg-deb --fsys-tarfile "$package" \\
        | tar --extract --preserve-permissions --numeric-owner --keep-directory-symlink
done
mkdir -p var/lib/dpkg/info var/lib/dpkg/updates var/lib/dpkg/parts var/lib/dpkg/triggers tmp proc dev
touch var/lib/dpkg/status var/lib/dpkg/available
"""

_DEB_INSTALL: Final = """
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
dpkg --force-depends --force-unsafe-io --force-confnew --unpack /tmp/packages/*.deb
dpkg --force-unsafe-io --force-confnew --configure --pending
rm /usr/sbin/policy-rc.d
"""

_RPM_INSTALL: Final = """
debian=
if rpm --force-debian --version > /dev/null 2>&1; then debian=--force-debian; fi
rpm $debian --root "$root" --define '_dbpath /var/lib/rpm' --nosignature --install /tmp/packages/*.rpm
"""

_DEB_QUERY: Final = (
    "dpkg-query",
    "--show",
    "--showformat",
    "${db:Status-Abbrev}|${Package}|${Version}|${Architecture}\n",
)
_RPM_QUERY: Final = (
    *("rpm", "--query", "--all", "--queryformat"),
    "ii |%{NAME}|%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}|%{ARCH}\n",
)
_LIBRARIES: Final = {"amd64": "lib32 lib64 libx32"}


def deb_extraction(arch: str, *, merged: bool) -> str:
    """Return the bash program that unpacks a base's packages into /layer, before its own dpkg can run."""
    settings = f"cd /layer\nepoch={INSTALL_EPOCH}\nlibraries='{_LIBRARIES.get(arch, '')}'\n"
    return _START + settings + (_DEB_MERGED if merged else "") + _DEB_EXTRACT + _DATE


def installation(kind: Format, root: str) -> str:
    """Return the bash program that installs /tmp/packages into `root`: / by its own programs, or /layer."""
    install = _DEB_INSTALL if kind is Format.DEB else _RPM_INSTALL
    return f"{_START}root={root}\nepoch={INSTALL_EPOCH}\n{install}{_FINISH}{_DATE}"


def query(kind: Format) -> tuple[str, ...]:
    """Return the command that lists what is installed, for `parse_installed`."""
    return _DEB_QUERY if kind is Format.DEB else _RPM_QUERY


def parse_installed(output: bytes) -> Installed:
    """Return the (name, version, arch) that `query` listed.

    Raises:
        FormatError: a package is not completely installed, or a line cannot be read.
    """
    installed = set()
    for line in output.decode("utf-8", "replace").splitlines():
        status, *members = line.split("|")
        if status.strip() != "ii" or len(members) != 3:
            raise FormatError(f"not completely installed: {line[:200]!r}", where="buildroot")
        name, version, arch = members
        installed.add((name, version, arch))
    return frozenset(installed)
