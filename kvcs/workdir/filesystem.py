"""All that was written to one file system, brought to its disk in one step, where that is sure."""

from __future__ import annotations

import ctypes
import os
import re
import sys

# Linux' numbers of the systems of which the kernel itself writes all there is. A file system in
# user space is not told of a sync, and of the others nothing is known.
_SURE = {0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs", 0x794C7630: "overlay"}
_SURE[0x01021994] = "tmpfs"

_TELLS_OF_ERRORS = (5, 8)  # older kernels forget what went wrong before the sync


def can_sync(fd: int) -> bool:
    """Tell whether the file system that an open file is in can be brought to the disk at once."""
    return sys.platform == "linux" and _kernel() >= _TELLS_OF_ERRORS and _kind(fd) in _SURE


def sync(fd: int) -> None:
    """Bring all that was written to the file system of an open file to its disk.

    Raises:
        OSError: also what went wrong with another file since this one was opened.
    """
    if ctypes.CDLL(None, use_errno=True).syncfs(fd):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _kernel() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2])


def _kind(fd: int) -> int:
    status = (ctypes.c_long * 64)()  # more than any `struct statfs`, which begins with the kind
    failed = ctypes.CDLL(None).fstatfs(fd, status)
    return 0 if failed else status[0]
