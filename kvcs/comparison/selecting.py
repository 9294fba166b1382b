"""Parts of a diff: some levels of it alone, or some layers. What is left is a diff again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from kvcs.comparison.values import Change, Diff, Kind
from kvcs.errors import KvcsError

# What can be looked at alone, most important first.
LEVELS: Mapping[str, tuple[Kind, ...]] = {
    "interface": ("interface",),
    "architecture": (
        "added", "removed", "replaced", "moved", "rescoped", "renamed", "connection_added",
        "connection_removed", "inputs_reordered", "container_added", "container_removed", "calls",
        "structure",
    ),
    "config": ("config",),
    "training": ("training",),
    "weights": ("shape", "trainable", "weights"),
    "state": ("state",),
    "notes": ("renumbered", "note"),
}  # fmt: skip


IN_FULL: tuple[Kind, ...] = ("calls", "structure")  # which say for `patch` what others say


def only(diff: Diff, levels: Collection[str]) -> Diff:
    """Return a diff with the changes of some levels.

    Raises:
        KvcsError: there is no such level.
    """
    for level in levels:
        if level not in LEVELS:
            raise KvcsError(f"there is no level {level!r}: expected some of {', '.join(LEVELS)}")
    kinds = {kind for level in levels for kind in LEVELS[level]}
    return _where(diff, lambda change: change.kind in kinds)


def in_layers(diff: Diff, globs: Sequence[str]) -> Diff:
    """Return a diff with the changes of layers whose path on either side one of `globs` matches.

    `*` also stands for slashes. A connection is at both its ends; what belongs to no layer, such as
    what a model is trained with, is left out.
    """
    return _where(
        diff, lambda change: any(_matches(path, globs) for path in _places(change) if path)
    )


def layers_found(diff: Diff, glob: str) -> bool:
    """Tell whether a pattern matches any layer of either model."""
    return any(_matches(path, [glob]) for path in _layers(diff))


def _layers(diff: Diff) -> Iterator[str]:
    yield from diff.old.layers
    yield from diff.new.layers
    for pair in (*diff.pairs, *diff.containers):
        yield from filter(None, (pair.old, pair.new))  # empty for the model itself
    for change in diff.changes:
        yield from filter(None, _places(change))


def _places(change: Change) -> Iterator[str | None]:
    yield from (change.old_path, change.new_path)
    if change.kind in ("connection_added", "connection_removed"):
        yield change.at


def _matches(path: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(path, glob) for glob in globs)


def _where(diff: Diff, wanted: Callable[[Change], bool]) -> Diff:
    changes = [change for change in diff.changes if wanted(change)]
    many = Counter(change.group for change in changes)
    alone = (
        replace(change, group="") if change.group and many[change.group] == 1 else change
        for change in changes
    )
    left_out = sum(change.kind not in IN_FULL for change in diff.changes if not wanted(change))
    return replace(diff, changes=tuple(alone), left_out=diff.left_out + left_out)
