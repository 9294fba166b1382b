"""Weights whose digests differ are read, two at a time, and their changes put in numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from kvcs.comparison.encoded import Json
from kvcs.comparison.evidence import Likeness
from kvcs.comparison.graph import Container, Graph, Node
from kvcs.comparison.histograms import histogram
from kvcs.comparison.statistics import Statistics, added_rank, is_merged, sketch, statistics
from kvcs.comparison.threads import LARGE, both
from kvcs.comparison.values import ABSENT, DAMAGED, Change, Diff
from kvcs.errors import AbsentError, KvcsError
from kvcs.npy import Array, true_dtype
from kvcs.spec import TensorSpec

# The tensors of a model by path from its root, as `kvcs.tree.reader.Contents` has them.
Contents: TypeAlias = Mapping[str, Callable[[], "Array | bytes"]]


@runtime_checkable
class Foreseeing(Protocol):
    """Contents that come faster when they know what is read next."""

    def expect(self, paths: Sequence[str]) -> None:
        """Say what will be read next, in order."""


# Called with the bytes of weights that were compared, and with those that will be in the end.
Report: TypeAlias = Callable[[int, int], None]


def likeness(old: Contents, new: Contents) -> Likeness:
    """Return what compares the weights of two layers: by a sample of the largest tensor."""
    samples: dict[tuple[bool, str], Array | None] = {}

    def sample(node: Node, contents: Contents, is_new: bool) -> Array | None:
        if (is_new, node.path) not in samples:
            name = max(node.spec.tensors, key=lambda name: (node.spec.tensors[name].size, name))
            try:
                array = _array(contents, node, node.spec.tensors[name])
            except KvcsError:  # which the statistics tell, if it changed
                samples[is_new, node.path] = None
            else:
                samples[is_new, node.path] = sketch(array)
        return samples[is_new, node.path]

    def compare(mine: Node, yours: Node) -> float | None:
        one, other = sample(mine, old, False), sample(yours, new, True)
        if one is None or other is None or one.shape != other.shape or one.size < 4:
            return None
        return float(np.dot(one, other))

    return compare


def _array(contents: Contents, part: Node | Container, tensor: TensorSpec) -> Array:
    found = contents[_path(part, tensor)]()
    assert isinstance(found, np.ndarray), "assets have no tensor's name"
    return found


def _path(part: Node | Container, tensor: TensorSpec) -> str:
    return f"{part.place}/{tensor.file}" if part.place else tensor.file


class _Tensors(NamedTuple):
    name: str
    old: TensorSpec
    new: TensorSpec


def _size(each: _Tensors) -> int:
    return sum(one.size * true_dtype(one.dtype).itemsize for one in (each.old, each.new))


def _is_weighed(change: Change) -> bool:
    return change.kind in ("weights", "shape") and change.new_path is not None


@dataclass(frozen=True)
class Weighing:
    """Two models and their tensors.

    Attributes:
        old, new, old_contents, new_contents: the two.
        report: told of how many bytes how many were read.
        histograms: whether to say how the changes are spread, too.
    """

    old: Graph
    new: Graph
    old_contents: Contents
    new_contents: Contents
    report: Report = field(default=lambda done, total: None)
    histograms: bool = False

    def with_statistics(self, diff: Diff) -> Diff:
        """Return a diff with the statistics of all weights that changed."""
        self._announce(diff)
        total = sum(sum(map(_size, self._changed(change))) for change in diff.changes)
        done = 0
        changes = []
        for change in diff.changes:
            if _is_weighed(change):
                changes.append(replace(change, details=self._details(change)))
                done += sum(map(_size, self._changed(change)))
                self.report(done, total)
            else:
                changes.append(change)
        return replace(diff, changes=tuple(changes))

    def _announce(self, diff: Diff) -> None:
        """Tell where weights are read from which ones come, in order."""
        old, new = [], []
        for change in filter(_is_weighed, diff.changes):
            sides = _part(self.old, change.old_path), _part(self.new, change.new_path)
            for each in self._changed(change):
                old.append(_path(sides[0], each.old))
                new.append(_path(sides[1], each.new))
        for contents, paths in ((self.old_contents, old), (self.new_contents, new)):
            if isinstance(contents, Foreseeing):
                contents.expect(paths)

    def _changed(self, change: Change) -> list[_Tensors]:
        """Return the tensors that both sides of a change have, in the same shape."""
        if not _is_weighed(change):
            return []
        old, new = _part(self.old, change.old_path), _part(self.new, change.new_path)
        found = []
        for name, tensor in sorted(old.spec.tensors.items()):
            other = new.spec.tensors.get(name)
            if other is None or other.shape != tensor.shape or other.sha256 == tensor.sha256:
                continue
            if change.kind == "shape" or name in change.new:  # averages are another change
                found.append(_Tensors(name, tensor, other))
        return found

    def _details(self, change: Change) -> Json:
        sides = _part(self.old, change.old_path), _part(self.new, change.new_path)
        tensors: dict[str, Json] = {}
        labels: list[str] = []
        unread: dict[str, Json] = {}
        for each in self._changed(change):
            try:
                found, rank = self._compared(*sides, each)
            except KvcsError as error:  # must not hide how much the others changed
                reason = ABSENT if isinstance(error, AbsentError) else DAMAGED
                unread[each.name] = {"reason": reason, "message": str(error)}
                continue
            name = each.name
            tensors[name] = found.to_json()
            labels += found.labels
            labels += [f"low-rank update, rank {rank}"] if rank else []
        merged = None if unread else self._merged(*sides)
        if merged:
            labels = [f"LoRA merged, rank {merged}"]
        missing = {"unread": unread} if unread else {}
        return {"tensors": tensors, "labels": sorted(set(labels)), **missing}

    def _compared(
        self, old: Node | Container, new: Node | Container, each: _Tensors
    ) -> tuple[Statistics, int | None]:
        # In a function of its own, which lets go of the two before the next ones are read.
        mine, yours = _arrays(
            (self.old_contents, old, each.old), (self.new_contents, new, each.new)
        )
        found = statistics(mine, yours)
        low = found.share > 0.5 and not found.labels
        rank = added_rank(mine, yours) if low else None
        if self.histograms:
            found = replace(found, histogram=histogram(mine, yours, found))
        return found, rank

    def _merged(self, old: Node | Container, new: Node | Container) -> int | None:
        """Return the rank of LoRA factors that went into the kernel they stood beside."""
        factors = _factors(old)
        if factors is None or _factors(new) is not None or "kernel" not in new.spec.tensors:
            return None
        try:
            first, second = (_array(self.old_contents, old, tensor) for tensor in factors)
            before, after = _arrays(
                (self.old_contents, old, old.spec.tensors["kernel"]),
                (self.new_contents, new, new.spec.tensors["kernel"]),
            )
        except KvcsError:  # without them, nothing can be said
            return None
        rank = first.shape[-1]
        alpha: Any = old.config.get("lora_alpha", rank)
        return rank if is_merged(before, after, first, second, alpha / rank) else None


def _arrays(
    old: tuple[Contents, Node | Container, TensorSpec],
    new: tuple[Contents, Node | Container, TensorSpec],
) -> tuple[Array, Array]:
    """Read two tensors; large ones at the same time, for most of it is done outside of Python."""
    if max(old[2].size, new[2].size) < LARGE:
        return _array(*old), _array(*new)
    return both(lambda: _array(*old), lambda: _array(*new))


def _part(graph: Graph, path: str | None) -> Node | Container:
    path = path or ""
    return graph.nodes.get(path) or graph.ports.get(path) or graph.containers[path]


def _factors(part: Node | Container) -> tuple[TensorSpec, TensorSpec] | None:
    tensors = part.spec.tensors
    if "kernel" not in tensors or not {"lora_kernel_a", "lora_kernel_b"} <= tensors.keys():
        return None
    return tensors["lora_kernel_a"], tensors["lora_kernel_b"]
