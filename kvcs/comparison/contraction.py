"""What is left of a graph without the layers that the other model lacks: who feeds whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from kvcs.comparison.graph import Graph, Source

OUTPUT = ""  # what the outermost model gives out, as a consumer


class Feed(NamedTuple):
    """A connection: output `output` of layer `source` is consumed by layer `consumer`."""

    source: str
    output: int
    consumer: str


class Root(NamedTuple):
    """Where a tensor comes from, when it is followed up through layers without a partner."""

    path: str
    output: int
    call: int
    through: tuple[str, ...]


class Seen(NamedTuple):
    """A consumed tensor as the other model can know it: also by what that call was made on."""

    path: str
    output: int
    made_on: tuple[str, ...]


@dataclass
class Contraction:
    """One graph without what has no partner; paths are those of the new model where it has them.

    Attributes:
        graph: the graph.
        names: for each layer with a partner, its path in the new model.
        others: the consumers that the other model has for a path; see `consumers`.
    """

    graph: Graph
    names: Mapping[str, str]
    others: Mapping[str, frozenset[str]]
    mains: dict[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path, sources in self.graph.before.items():
            if path not in self.names and sources:
                self.mains[path] = self._main(path, sources)

    def _main(self, path: str, sources: tuple[str, ...]) -> Source:
        """Return the tensor into whose way the layer was put, of all that it consumes."""
        consumers = reached(path, self.graph, self.names)

        def fit(source: Source) -> int:
            return len(self.others.get(self.root(source).path, frozenset()) & consumers)

        given = [
            source for call in self.graph.nodes[path].calls for source in call
            if source.path in sources
        ]  # fmt: skip
        return max(given, key=fit)

    def root(self, source: Source) -> Root:
        """Follow a tensor up to a layer with a partner, or to where it begins."""
        through: list[str] = []
        while source.path not in self.names and source.path in self.mains:
            through.insert(0, source.path)
            source = self.mains[source.path]
        path = self.names.get(source.path, f"\0{source.path}")
        return Root(path, source.output, source.call, tuple(through))

    def feeds(self) -> dict[Feed, tuple[str, ...]]:
        """Return all connections, with the layers without a partner on their way."""
        found: dict[Feed, tuple[str, ...]] = {}
        for path, name in self.names.items():
            for call in self.graph.nodes[path].calls:
                for source in call:
                    root = self.root(source)
                    found.setdefault(Feed(root.path, root.output, name), root.through)
        for source in self.graph.outputs:
            root = self.root(source)
            found.setdefault(Feed(root.path, root.output, OUTPUT), root.through)
        return found

    def extra_inputs(self) -> Iterator[tuple[Root, str]]:
        """Yield what layers without a partner consume besides the way they were put into."""
        for path, main in self.mains.items():
            met = {self.root(main)[:2]}
            for call in self.graph.nodes[path].calls:
                for source in call:
                    root = self.root(source)
                    if root[:2] not in met:
                        met.add(root[:2])
                        yield root, path

    def consumed(self, path: str) -> list[tuple[Seen, ...]]:
        """Return what each call of a layer consumes."""
        return [self._seen(call) for call in self.graph.nodes[path].calls]

    def given_out(self) -> tuple[Seen, ...]:
        """Return what the outermost model gives out."""
        return self._seen(self.graph.outputs)

    def _seen(self, call: tuple[Source, ...]) -> tuple[Seen, ...]:
        found = []
        for source in call:
            root = self.root(source)
            found.append(Seen(root.path, root.output, self._made_on(source)))
        return tuple(found)

    def _made_on(self, source: Source) -> tuple[str, ...]:
        node = self.graph.nodes[source.path]
        if len(node.calls) < 2 or source.path not in self.names:
            return ()
        return tuple(self.root(one).path for one in node.calls[source.call])


def contracted(
    old: Graph, new: Graph, there: Mapping[str, str], back: Mapping[str, str]
) -> tuple[Contraction, Contraction]:
    """Contract both sides."""
    same = {path: path for path in back}
    return (
        Contraction(old, there, consumers(new, same)),
        Contraction(new, same, consumers(old, there)),
    )


def consumers(graph: Graph, names: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return the nearest layers with a partner that consume each layer with a partner."""
    return {name: frozenset(reached(path, graph, names)) for path, name in names.items()}


def reached(path: str, graph: Graph, names: Mapping[str, str]) -> set[str]:
    """Return the nearest layers with a partner below a layer, and the model's output."""
    found: set[str] = set()
    seen, waiting = {path}, [path]
    while waiting:
        here = waiting.pop()
        if here in graph.ends:
            found.add(OUTPUT)
        for user in graph.after[here]:
            if user in names:
                found.add(names[user])
            elif user not in seen:
                seen.add(user)
                waiting.append(user)
    return found
