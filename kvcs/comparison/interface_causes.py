"""Which change of a layer is why a model takes or gives something else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kvcs.comparison.contraction import OUTPUT
from kvcs.comparison.graph import Graph, name_of
from kvcs.comparison.interface import Port, ports
from kvcs.comparison.values import Change, Kind
from kvcs.spec import MISSING

# What can change the shape or dtype of what comes out of a layer, or below it.
OF_TENSOR: tuple[Kind, ...] = (
    "config", "replaced", "added", "moved", "connection_added", "connection_removed",
    "inputs_reordered", "removed",
)  # fmt: skip
# What can change which layer gives it, and so its name.
OF_LAYER: tuple[Kind, ...] = (
    "renamed", "replaced", "added", "removed", "rescoped", "moved", "container_added",
    "container_removed",
)  # fmt: skip
# Settings that leave shape and dtype of what comes out as they are.
WITHIN = re.compile(
    r"activation|.*_(initializer|regularizer|constraint)|use_bias|rate|seed|momentum|epsilon|center"
    r"|scale|trainable|name"
)
OF_OUTPUTS: tuple[Kind, ...] = ("connection_added", "connection_removed", "inputs_reordered")


def upwards(path: str, graph: Graph) -> Iterator[str]:
    """Yield a layer and all that it depends on, the nearest first."""
    seen, waiting = {path}, [path]
    for each in waiting:  # grows while it is read
        yield each
        for source in graph.before.get(each, ()):
            if source not in seen:
                seen.add(source)
                waiting.append(source)


class InterfaceCauses:
    """The changes of two models by where they are, to find one that explains another."""

    def __init__(self, changes: Sequence[Change], old: Graph, new: Graph) -> None:
        self._sides = old, new
        self._by_path: dict[str, list[Change]] = {}
        self._gone: dict[str, list[Change]] = {}
        for change in changes:
            if change.kind == "config" and WITHIN.fullmatch(change.at.split("/")[0]):
                continue
            if change.kind in OF_TENSOR or change.kind in OF_LAYER:
                found = self._by_path if change.new_path is not None else self._gone
                found.setdefault(change.path, []).append(change)

    def cause(self, change: Change) -> str:
        """Return the `id` of what an input or output changed through; empty for nothing."""
        side, _, key = change.at.lstrip(":").partition("/")
        before, after = (self._place(graph, side, name_of(key)) for graph in self._sides)
        found = ""
        if _differ(change, "shape", "dtype") and after:
            above = list(upwards(after[0], self._sides[1]))
            found = self._first(above, OF_TENSOR)
        found = found or self._first(after, OF_LAYER)
        found = found or _chosen(self._at(before, self._gone), OF_LAYER)
        if side == "outputs" and not found:
            found = _chosen(self._at([OUTPUT], self._by_path), OF_OUTPUTS)
            found = found or _chosen(self._at([OUTPUT], self._gone), OF_OUTPUTS)
            found = found or self._removed_above(before)
        return found

    def _first(self, paths: Sequence[str], kinds: Sequence[Kind]) -> str:
        found = (_chosen(self._by_path.get(path, []), kinds) for path in paths if path)
        return next(filter(None, found), "")

    def _at(self, paths: Sequence[str], changes: dict[str, list[Change]]) -> list[Change]:
        return [change for path in paths for change in changes.get(path, [])]

    def _removed_above(self, before: Sequence[str]) -> str:
        above = [path for start in before[:1] for path in upwards(start, self._sides[0])]
        return _chosen(self._at(above, self._gone), ("removed",))

    def _place(self, graph: Graph, side: str, key: str) -> list[str]:
        """Return the paths of the layer, and of the models around it, that a port belongs to."""
        found = ports(graph.stored, side) or {}
        if key not in found:
            return []
        port: Port = found[key]
        if side == "outputs" and len(graph.outputs) == len(found):
            path = graph.outputs[list(found).index(key)].path
            return list(dict.fromkeys([path, port.layer]))
        return [port.layer]


def _differ(change: Change, *keys: str) -> bool:
    if change.old is MISSING or change.new is MISSING:
        return False
    return any(change.old.get(key) != change.new.get(key) for key in keys)


def _chosen(changes: Sequence[Change], kinds: Sequence[Kind]) -> str:
    found = [change for change in changes if change.kind in kinds]
    ranked = sorted(found, key=lambda change: (kinds.index(change.kind), change.at))
    return ranked[0].id if ranked else ""
