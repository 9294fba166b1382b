"""A model as one graph: nodes are layers, whatever models they stand in; models are a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from kvcs.comparison.encoded import Json
from kvcs.spec import LayerSpec, ModelSpec, StoredModel


class Source(NamedTuple):
    """A tensor that a layer consumes: the layer it comes from, of which call, which output."""

    path: str
    call: int
    output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A layer in the graph.

    Attributes:
        path: canonical names from the outermost model, such as `encoder/dense`.
        name: its own canonical name.
        scope: path of the model it stands in; empty for the outermost.
        place: where it is stored, `layers/encoder/layers/dense`.
        live: its name in the live model.
        spec: what stands there.
        config: its config, comparable.
        constants: for each call, the arguments that are no tensors.
        calls: for each call in the flattened graph, what it consumes, in order.
        port: an input of a model inside another one, which is no node of the dataflow.
    """

    path: str
    name: str
    scope: str
    place: str
    live: str
    spec: LayerSpec
    config: Mapping[str, Json]
    constants: tuple[Mapping[str, Json], ...] = ()
    calls: tuple[tuple[Source, ...], ...] = ()
    port: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A model in the tree of models; the outermost has an empty path.

    Attributes:
        path, name, scope, place, live, config: as of a `Node`.
        spec: the model.
        members: paths of what stands directly in it, in order.
        ports: paths of its inputs, when it is not the outermost.
    """

    path: str
    name: str
    scope: str
    place: str
    live: str
    spec: ModelSpec
    config: Mapping[str, Json]
    members: tuple[str, ...]
    ports: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A whole model, flattened; see `kvcs.comparison.flatten`.

    Attributes:
        stored: the model it was made of.
        nodes: the layers by path, in an order in which what is consumed comes first.
        ports: the inputs of models inside, by path.
        aliases: where a layer stands a second time, and the path where it stands first.
        containers: the models by path, parents first.
        outputs: what comes out of the outermost model.
    """

    stored: StoredModel
    nodes: Mapping[str, Node]
    ports: Mapping[str, Node]
    aliases: Mapping[str, str]
    containers: Mapping[str, Container]
    outputs: tuple[Source, ...]

    def parts(self) -> Iterator[Node | Container]:
        """Yield everything that has settings and weights of its own."""
        yield from self.nodes.values()
        yield from self.ports.values()
        yield from self.containers.values()

    @cached_property
    def position(self) -> dict[str, int]:
        """Where each node stands in `nodes`."""
        return {path: index for index, path in enumerate(self.nodes)}

    @cached_property
    def before(self) -> dict[str, tuple[str, ...]]:
        """The nodes that each consumes, in order, each once; backward edges left out.

        A layer that is called on its own output would otherwise be its own predecessor.
        """
        return {
            path: tuple(
                dict.fromkeys(
                    source.path
                    for call in node.calls
                    for source in call
                    if self.position[source.path] < self.position[path]
                )
            )
            for path, node in self.nodes.items()
        }

    @cached_property
    def after(self) -> dict[str, tuple[str, ...]]:
        """The nodes that consume each, backward edges left out."""
        found: dict[str, list[str]] = {path: [] for path in self.nodes}
        for path, sources in self.before.items():
            for source in sources:
                found[source].append(path)
        return {path: tuple(consumers) for path, consumers in found.items()}

    @cached_property
    def ends(self) -> frozenset[str]:
        """The nodes that the outermost model gives out."""
        return frozenset(source.path for source in self.outputs)


def step(name: str) -> str:
    """Return a name as a step of a path, as in a JSON Pointer: it may hold a slash, or nothing."""
    return name.replace("~", "~0").replace("/", "~1") or "~"


def name_of(path: str) -> str:
    """Return the name at the end of a path."""
    last = path.rpartition("/")[2]
    return "" if last == "~" else last.replace("~1", "/").replace("~0", "~")


def below(scope: str, name: str) -> str:
    """Return the path of what stands in a model."""
    return f"{scope}/{step(name)}" if scope else step(name)


def relocated(path: str, places: Mapping[str, str]) -> str:
    """Return where something stands in the new model that stood at a path of the old one.

    Args:
        path: the place of a layer, perhaps with more behind and, for a slot of an optimizer, with
            something before it.
        places: for each place in the old model, that of its partner.
    """
    start = path.find("layers/")
    place, rest = path[max(start, 0) :], ""
    while place and place not in places:
        place, _, last = place.rpartition("/")
        rest = f"/{last}{rest}"
    return f"{path[: max(start, 0)]}{places[place]}{rest}" if place else path
