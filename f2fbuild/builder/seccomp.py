"""The system-call filter of every sandbox, made by libseccomp.

Everything is allowed but what a build has no need for and what has been the way out of containers: keys,
tracing by BPF and perf, io_uring, userfaultfd, new namespaces, mounts, and exotic socket families. Calls that
programs probe for, and can do without, answer ENOSYS; the others EPERM. Calls of another ABI (32-bit, x32)
answer ENOSYS.
"""

import errno
import os
from functools import cache
from typing import Final

import pyseccomp

_DENIED: Final = [
    "acct",
    "add_key",
    "bpf",
    "delete_module",
    "finit_module",
    "init_module",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "move_pages",
    "nfsservctl",
    "open_by_handle_at",
    "perf_event_open",
    "pivot_root",
    "quotactl",
    "reboot",
    "request_key",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "umount2",
    "unshare",
    "vhangup",
]
_ABSENT: Final = [
    "clone3",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "userfaultfd",
]
_NAMESPACES: Final = 0x7E02_0080
"""CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET of clone(2)."""

_FAMILIES: Final = frozenset({0, 1, 2, 10, 16})
"""AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK; without a network they reach the sandbox only."""


@cache
def filter_program() -> bytes:
    """Return the filter as BPF for this machine, as `bwrap --seccomp` takes it."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    rules.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.ERRNO(errno.ENOSYS))
    for names, number in ((_DENIED, errno.EPERM), (_ABSENT, errno.ENOSYS)):
        for name in names:
            rules.add_rule(pyseccomp.ERRNO(number), name)
    for bit in (1 << shift for shift in range(32) if _NAMESPACES >> shift & 1):
        rules.add_rule(pyseccomp.ERRNO(errno.EPERM), "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, bit, bit))
    refused = pyseccomp.ERRNO(errno.EAFNOSUPPORT)
    for family in set(range(max(_FAMILIES))) - _FAMILIES:
        rules.add_rule(refused, "socket", pyseccomp.Arg(0, pyseccomp.EQ, family))
    rules.add_rule(refused, "socket", pyseccomp.Arg(0, pyseccomp.GT, max(_FAMILIES)))
    return _export(rules)


def _export(rules: pyseccomp.SyscallFilter) -> bytes:
    with open(os.memfd_create("seccomp"), "r+b") as file:  # noqa: PTH123  (a descriptor)
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
