"""Two stored models become a diff: the pairs first, then what differs, then what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kvcs.comparison.bare import bare
from kvcs.comparison.causes import grouped, with_causes
from kvcs.comparison.containers import Containers, match_containers
from kvcs.comparison.contraction import OUTPUT
from kvcs.comparison.description import Description, describe
from kvcs.comparison.edges import Connection, compare_edges
from kvcs.comparison.encoded import Json, encoded
from kvcs.comparison.evidence import Likeness
from kvcs.comparison.flatten import flatten_both
from kvcs.comparison.graph import Graph
from kvcs.comparison.interface import interface
from kvcs.comparison.layers import Known, container_changes, layer_changes
from kvcs.comparison.matcher import Match, match
from kvcs.comparison.rest import rest
from kvcs.comparison.spelling import spelling
from kvcs.comparison.values import NO_WEIGHTS, NOT_COMPARED, ORDER, RUN, Change, Diff, Model, Pair
from kvcs.comparison.weighing import Contents, Report, Weighing, likeness
from kvcs.comparison.whole import whole_changes
from kvcs.spec import MISSING, StoredModel, TensorSpec

LEAST_RELATED = 0.3  # share of the layers of the smaller model that have a partner


def diff(old: StoredModel, new: StoredModel, *, hints: Mapping[str, str] | None = None) -> Diff:
    """Compare two models; no tensor is read.

    Args:
        old: the one model.
        new: the other.
        hints: layers of the old model, by path, and which of the new one they are.

    Raises:
        KvcsError: a hint names a layer that is not there, or one twice.
    """
    return _diff(*flatten_both(old, new), hints, None)


def weightless_diff(
    old: StoredModel,
    new: StoredModel,
    has_weights: tuple[bool, bool],
    *,
    hints: Mapping[str, str] | None = None,
) -> Diff:
    """Compare two models of which one at least is known without its weights.

    Weights, what moves them, and state are compared with nothing; a note says so.

    Args:
        old, new, hints: as for `diff`.
        has_weights: whether those of each are known.
    """
    found = _diff(*flatten_both(bare(old, new), bare(new, old)), hints, None)
    graphs = flatten_both(old, new)
    sides = [
        model_of(graph) if known else replace(model_of(graph), parameters=None, tensors=None)
        for graph, known in zip(graphs, has_weights, strict=True)
    ]
    words = ["present" if known else "absent" for known in has_weights]
    note = Change(
        kind="note", old_path="", new_path="", at=":weights", old=words[0], new=words[1],
        reason=NOT_COMPARED,
    )  # fmt: skip
    changed = [_thawed(change, graphs, has_weights) for change in found.changes]
    changes = tuple(sorted(grouped([*changed, note]), key=_sort_key))
    return replace(found, old=sides[0], new=sides[1], changes=changes, kept=None)


def _thawed(change: Change, graphs: tuple[Graph, Graph], has_weights: tuple[bool, bool]) -> Change:
    """Return a change of `trainable` as one that counts, unless its layer has no weights."""
    if change.reason != NO_WEIGHTS:
        return change
    nodes = (graphs[0].nodes.get(change.old_path or ""), graphs[1].nodes.get(change.new_path or ""))
    known = [node for node, there in zip(nodes, has_weights, strict=True) if node and there]
    if known and not any(node.spec.tensors for node in known):
        return change
    return replace(change, kind="trainable", reason="", group="")


def weighed_diff(
    old: StoredModel,
    new: StoredModel,
    old_contents: Contents,
    new_contents: Contents,
    *,
    hints: Mapping[str, str] | None = None,
    numbers: bool = True,
    histograms: bool = False,
    report: Report = lambda done, total: None,
) -> Diff:
    """Compare two models, and say how much the weights changed: those are read.

    Args:
        old, new, hints: as for `diff`.
        old_contents: the tensors of the old model by path.
        new_contents: those of the new one.
        numbers: say how much. Without, weights are read only where layers are hard to tell apart.
        histograms: with the numbers, say how the changes of each tensor are spread.
        report: called with the bytes compared so far, and with those that will be in the end.
    """
    graphs = flatten_both(old, new)
    found = _diff(*graphs, hints, likeness(old_contents, new_contents))
    if not numbers:
        return found
    weighing = Weighing(*graphs, old_contents, new_contents, report, histograms)
    return weighing.with_statistics(found)


def _diff(
    old: Graph, new: Graph, hints: Mapping[str, str] | None, by_weights: Likeness | None
) -> Diff:
    graphs = old, new
    found = match(*graphs, hints, by_weights)
    comparison = _Comparison(*graphs, found, match_containers(*graphs, found))
    changes = grouped(with_causes(list(comparison.changes()), *graphs))
    return Diff(
        old=model_of(graphs[0]),
        new=model_of(graphs[1]),
        pairs=comparison.pairs(),
        containers=comparison.container_pairs(),
        changes=tuple(sorted(changes, key=_sort_key)),
        related=comparison.related(),
        kept=_kept(*graphs),
    )


def _described(graph: Graph) -> Description:
    return describe(graph.stored, {part.path: part.config for part in graph.parts()})


def _sort_key(change: Change) -> tuple[int, str, str]:
    return ORDER[change.kind], change.path, change.at


@dataclass(frozen=True)
class _Comparison:
    """The comparison of two models whose pairs are known."""

    old: Graph
    new: Graph
    found: Match
    inside: Containers

    def pairs(self) -> tuple[Pair, ...]:
        found = [
            Pair(old=old, new=new, strategy=how.strategy, score=how.score)
            for old, new in self.found.there.items()
            for how in (self.found.how[old],)
        ]
        for strategy, there in (("input", self.inside.ports), ("shared", self.inside.aliases)):
            found += [Pair(old=o, new=n, strategy=strategy, score=1.0) for o, n in there.items()]
        return tuple(sorted(found, key=lambda pair: pair.old))

    def container_pairs(self) -> tuple[Pair, ...]:
        how = self.inside.how
        found = [
            Pair(old=old, new=new, strategy=how[old].strategy, score=how[old].score)
            for old, new in self.inside.there.items()
        ]
        return tuple(sorted(found, key=lambda pair: pair.old))

    def related(self) -> bool:
        smaller = min(len(self.old.nodes), len(self.new.nodes))
        return len(self.found.there) >= LEAST_RELATED * smaller

    def changes(self) -> Iterator[Change]:
        descriptions = _described(self.old), _described(self.new)
        yield from self._one_sided(*descriptions)
        yield from self._inside()
        yield from self._connections()
        yield from whole_changes(self.old, self.new, self._places(), spelling(self.old, self.new))
        there = {pair.old: pair.new for pair in (*self.pairs(), *self.container_pairs())}
        yield from rest(*descriptions, there)

    def _one_sided(self, old: Description, new: Description) -> Iterator[Change]:
        for path in self.old.nodes.keys() - self.found.there.keys():
            reason = RUN if path in self.found.old_runs else ""
            parameters = self.old.nodes[path].spec.parameters
            yield _removed("removed", path, old[path], reason, parameters)
        for path in self.new.nodes.keys() - self.found.back.keys():
            reason = RUN if path in self.found.new_runs else ""
            parameters = self.new.nodes[path].spec.parameters
            yield _added("added", path, new[path], reason, parameters)
        for path in self.old.containers.keys() - self.inside.there.keys():
            yield _removed("container_removed", path, old[path])
        for path in self.new.containers.keys() - self.inside.back.keys():
            yield _added("container_added", path, new[path])
        yield from self._one_sided_ports(old, new)

    def _one_sided_ports(self, old: Description, new: Description) -> Iterator[Change]:
        """Yield inputs of models inside: those of a paired graph count as layers."""
        for path in self.old.ports.keys() - self.inside.ports.keys():
            scope = self.old.ports[path].scope
            if _is_graph(self.old, scope) and scope in self.inside.there:
                yield _removed("removed", path, old[path])
        for path in self.new.ports.keys() - set(self.inside.ports.values()):
            scope = self.new.ports[path].scope
            if _is_graph(self.new, scope) and scope in self.inside.back:
                yield _added("added", path, new[path])
            else:
                yield Change(
                    kind="structure", old_path=None, new_path=path, at="input", new=new[path]
                )

    def _inside(self) -> Iterator[Change]:
        known = Known(
            scopes=self.inside.there,
            places=self._places(),
            spelling=spelling(self.old, self.new),
        )
        for old, new in self.found.there.items():
            yield from layer_changes(self.old.nodes[old], self.new.nodes[new], known)
        for old, new in self.inside.ports.items():
            yield from layer_changes(self.old.ports[old], self.new.ports[new], known)
        for old, new in self.inside.there.items():
            sides = self.old.containers[old], self.new.containers[new]
            yield from container_changes(*sides, known)

    def _places(self) -> dict[str, str]:
        found = {
            self.old.nodes[old].place: self.new.nodes[new].place
            for old, new in self.found.there.items()
        }
        for old, new in self.inside.there.items():
            found[self.old.containers[old].place] = self.new.containers[new].place
        return found

    def _connections(self) -> Iterator[Change]:
        edges = compare_edges(self.old, self.new, self.found.there, self.found.back)
        back = self.found.back
        for connection in edges.added:
            yield _connection(connection, new=True)
        for connection in edges.removed:
            yield _connection(connection, new=False)
        for path in edges.moved:
            yield Change(kind="moved", old_path=back[path], new_path=path)
        for path in edges.reordered:
            yield Change(kind="inputs_reordered", old_path=back.get(path, ""), new_path=path)


def _is_graph(graph: Graph, scope: str) -> bool:
    return graph.containers[scope].spec.build == "graph"


def _added(
    kind: Any, path: str, record: Json, reason: str = "", parameters: int | None = None
) -> Change:
    size = MISSING if parameters is None else {"parameters": parameters}
    return Change(kind=kind, old_path=None, new_path=path, new=record, reason=reason, details=size)


def _removed(
    kind: Any, path: str, record: Json, reason: str = "", parameters: int | None = None
) -> Change:
    size = MISSING if parameters is None else {"parameters": parameters}
    return Change(kind=kind, old_path=path, new_path=None, old=record, reason=reason, details=size)


def _connection(connection: Connection, *, new: bool) -> Change:
    details = {"through": list(connection.through)} if connection.through else MISSING
    if new:
        return Change(
            kind="connection_added", old_path=None, new_path=connection.consumer,
            at=connection.source, new=connection.source, details=details,
        )  # fmt: skip
    return Change(
        kind="connection_removed", old_path=connection.consumer, new_path=None,
        at=connection.source, old=connection.source, details=details,
    )  # fmt: skip


def model_of(graph: Graph) -> Model:
    """Return what a diff says of one side as a whole."""
    training = graph.stored.training
    tensors = _tensors(graph)
    return Model(
        name=graph.stored.name,
        cls=graph.stored.model.cls.name,
        layers=tuple(graph.nodes),
        parameters=sum(tensor.size for tensor in tensors),
        tensors=len(tensors),
        keras_version=graph.stored.keras_version,
        inputs=interface(graph.stored, "inputs"),
        outputs=interface(graph.stored, "outputs"),
        training=None if training is MISSING else encoded(training),
        connections=_connections(graph),
    )


def _connections(graph: Graph) -> dict[str, tuple[str, ...]]:
    given_out = tuple(dict.fromkeys(source.path for source in graph.outputs))
    consumed = {path: sources for path, sources in graph.before.items() if sources}
    return {**consumed, OUTPUT: given_out}


def _tensors(graph: Graph) -> list[TensorSpec]:
    return [tensor for part in graph.parts() for tensor in part.spec.tensors.values()]


def _kept(old: Graph, new: Graph) -> int:
    """Count the weights of the old model that are in the new one, to the bit."""
    left: dict[tuple[str, str], int] = {}
    for tensor in _tensors(new):
        key = tensor.dtype, tensor.sha256
        left[key] = left.get(key, 0) + 1
    kept = 0
    for tensor in _tensors(old):
        key = tensor.dtype, tensor.sha256
        if left.get(key, 0):
            left[key] -= 1
            kept += 1
    return kept
