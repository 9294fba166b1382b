"""The settings of git that name kvcs, and git-lfs, as what shows and stores files of a model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# git gives each command to a shell, and its arguments behind it. What follows `||` is for a shell
# that finds no kvcs, or a broken one.
DRIVERS: Mapping[str, str] = MappingProxyType(
    {
        "diff.kvcs.command": (
            'f() { command -v kvcs >/dev/null && kvcs driver model -- "$@" || '
            "{ [ $# -lt 7 ] || git --no-pager diff --no-index --no-ext-diff --no-textconv "
            '-- "$2" "$5"; :; }; }; f'
        ),
        "diff.kvcs-npy.textconv": (
            'f() { command -v kvcs >/dev/null && kvcs driver npy -- "$1" || '
            "{ printf 'npy, git object '; git hash-object --no-filters -- \"$1\"; :; }; }; f"
        ),
        "difftool.kvcs.cmd": 'kvcs driver tool -- "$LOCAL" "$REMOTE" "$MERGED"',
    }
)

# As `git lfs install` writes them.
LFS_FILTER: Mapping[str, str] = {
    "filter.lfs.clean": "git-lfs clean -- %f",
    "filter.lfs.smudge": "git-lfs smudge -- %f",
    "filter.lfs.process": "git-lfs filter-process",
    "filter.lfs.required": "true",
}
