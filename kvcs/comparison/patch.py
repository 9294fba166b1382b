"""A diff applied to the description of the old model gives that of the new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kvcs.comparison.description import STRUCTURE, TRAINING, Description, Record, followed
from kvcs.comparison.settings import edited, pointer
from kvcs.comparison.values import Change, Diff
from kvcs.errors import KvcsError
from kvcs.spec import MISSING

# Kinds whose `new` is the whole record of something that was not there.
APPEARS = ("added", "container_added")
SETTINGS = ("config", "trainable", "note")


def patch(description: Mapping[str, Record], diff: Diff) -> Description:
    """Return the description of the new model, given that of the old one.

    Raises:
        KvcsError: the diff is one of another model.
    """
    there = {pair.old: pair.new for pair in (*diff.pairs, *diff.containers)}
    missing = there.keys() - description.keys()
    if missing:
        raise KvcsError(f"this diff is one of another model: there is no layer {min(missing)!r}")
    found = followed(description, there)
    for change in diff.changes:
        _apply(change, found)
    return dict(sorted(found.items()))


def _apply(change: Change, found: Description) -> None:
    path = change.new_path
    if path is None:
        return
    if change.kind in APPEARS:
        found[path] = change.new
    elif change.kind == "replaced":
        found[path] |= change.new
    elif change.kind == "calls":
        _apply_calls(change, path, found)
    elif change.kind == "structure" and change.at:
        found[path] = change.new
    elif change.kind == "structure":
        found[path] |= {key: change.new[key] for key in STRUCTURE}
    elif change.kind == "note" and change.at.startswith("training:"):
        _edit(replace(change, at=change.at.removeprefix("training:")), found[TRAINING])
    elif change.kind == "training":
        _apply_training(change, found)
    elif change.kind in SETTINGS and change.at and ":" not in change.at.split("/")[0]:
        _edit(change, found[path])


def _apply_calls(change: Change, path: str, found: Description) -> None:
    if change.at == "shared":
        found[path] = change.new
    else:
        found[path]["calls"] = change.new


def _apply_training(change: Change, found: Description) -> None:
    if change.at:
        _edit(change, found[TRAINING])
    elif change.new is MISSING:
        del found[TRAINING]
    else:
        found[TRAINING] = {"config": change.new}


def _edit(change: Change, record: Record) -> None:
    config = record["config"]
    record["config"] = edited(config, pointer(change.at, config), change.new)
