"""What follows from what, and what is one and the same change in many layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kvcs.comparison.encoded import signature
from kvcs.comparison.graph import Graph
from kvcs.comparison.interface_causes import InterfaceCauses, upwards
from kvcs.comparison.values import Change, Kind
from kvcs.spec import MISSING

# What can give a layer below it inputs of another shape.
CAUSES: tuple[Kind, ...] = ("config", "replaced", "added", "moved", "connection_added")
GROUPED: tuple[Kind, ...] = ("config", "trainable", "note")


def with_causes(changes: Sequence[Change], old: Graph, new: Graph) -> list[Change]:
    """Return changes of shapes, of inputs and of outputs with the change that they follow from.

    Where none can be found, they follow from nothing.
    """
    causes = _causes(changes)
    removed = _removed(changes)
    of_ports = InterfaceCauses(changes, old, new)
    return [
        replace(change, consequence_of=_cause(change, causes, removed, new))
        if change.kind == "shape"
        else replace(change, consequence_of=of_ports.cause(change))
        if change.kind == "interface"
        else change
        for change in changes
    ]


def _causes(changes: Sequence[Change]) -> dict[str, str]:
    """Return the first cause that stands at each layer of the new model."""
    found: dict[str, str] = {}
    ranked = [change for change in changes if change.kind in CAUSES and change.new_path]
    for change in sorted(ranked, key=lambda change: (CAUSES.index(change.kind), change.at)):
        if change.kind != "config" or change.at.split("/")[0] not in ("dtype", "name"):
            found.setdefault(change.new_path or "", change.id)
    return found


def _removed(changes: Sequence[Change]) -> str:
    """Return the one layer that was removed, if there is one, or the first of them."""
    found = [change.id for change in changes if change.kind == "removed"]
    return min(found, default="")


def _cause(change: Change, causes: Mapping[str, str], removed: str, new: Graph) -> str:
    return next((causes[path] for path in upwards(change.path, new) if path in causes), removed)


def grouped(changes: Sequence[Change]) -> list[Change]:
    """Return changes of which those that say the same of several layers are marked as a group."""
    keys = [_key(change) for change in changes]
    counts: dict[str, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return [
        replace(change, group=key if key and counts[key] > 1 else "")
        for change, key in zip(changes, keys, strict=True)
    ]


def _key(change: Change) -> str:
    if change.kind not in GROUPED or not change.at or change.at.startswith(":"):
        return ""
    values = [[] if value is MISSING else [value] for value in (change.old, change.new)]
    return f"{change.kind} {change.at} {signature(values)[:8]}"
