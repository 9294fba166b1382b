"""The settings of git that name kvcs, and git-lfs, as what shows and stores files of a model."""

from __future__ import annotations

from collections.abc import Mapping

DRIVERS: Mapping[str, str] = {
    "diff.kvcs.command": "kvcs driver model",
    "diff.kvcs-npy.textconv": "kvcs driver npy",
    "difftool.kvcs.cmd": 'kvcs driver tool "$LOCAL" "$REMOTE" "$MERGED"',
}

# As `git lfs install` writes them.
LFS_FILTER: Mapping[str, str] = {
    "filter.lfs.clean": "git-lfs clean -- %f",
    "filter.lfs.smudge": "git-lfs smudge -- %f",
    "filter.lfs.process": "git-lfs filter-process",
    "filter.lfs.required": "true",
}
