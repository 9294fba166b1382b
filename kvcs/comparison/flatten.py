"""A stored model becomes one graph: models inside dissolve, their layers keep their scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kvcs.comparison.encoded import Encoder, Json, constants
from kvcs.comparison.graph import Container, Graph, Node, Source, below
from kvcs.spec import (
    Call,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StoredModel,
    TensorRef,
    Value,
    references,
)

# How often models may be entered: a model that is called twice, in one that is called twice, …
MAX_ENTRIES = 2000


def flatten_both(old: StoredModel, new: StoredModel) -> tuple[Graph, Graph]:
    """Return two stored models as graphs that share settings where the models do."""
    encode = Encoder()
    return flatten(old, encode), flatten(new, encode)


def flatten(stored: StoredModel, encode: Encoder | None = None) -> Graph:
    """Return a stored model as a graph."""
    inventory = _Inventory(stored, encode or Encoder())
    inventory.model(stored.model, "", "", stored.name)
    trace = _Trace(inventory)
    outputs = trace.enter("", [])
    reached = list(trace.calls)
    order = reached + [path for path in inventory.nodes if path not in trace.calls]
    nodes = {
        path: replace(inventory.nodes[path], calls=tuple(trace.calls.get(path, ())))
        for path in order
    }
    return Graph(
        stored=stored,
        nodes=nodes,
        ports=inventory.ports,
        aliases={
            path: inventory.paths[place]
            for path, place in inventory.shared.items()
            if place in inventory.paths
        },
        containers=inventory.containers,
        outputs=tuple(outputs),
    )


@dataclass
class _Inventory:
    """Everything that stands in a model, by path."""

    stored: StoredModel
    encode: Encoder
    nodes: dict[str, Node] = field(default_factory=dict)
    ports: dict[str, Node] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)  # by place
    shared: dict[str, str] = field(default_factory=dict)  # places by path

    def model(self, spec: ModelSpec, scope: str, path: str, name: str, place: str = "") -> None:
        ports = _ports(spec) if path else frozenset()
        self.paths[place] = path
        self.containers[path] = Container(
            path=path,
            name=name,
            scope=scope,
            place=place,
            live=self._live(place, name),
            spec=spec,
            config=self.encode(spec.config),
            members=tuple(below(path, entry.name) for entry in spec.layers),
            ports=tuple(below(path, entry.name) for entry in spec.layers if entry.name in ports),
        )
        for entry in spec.layers:
            self._member(entry, path, f"{place}/{entry.path}" if place else entry.path, ports)

    def _member(self, entry: LayerEntry, scope: str, place: str, ports: frozenset[str]) -> None:
        path, layer = below(scope, entry.name), entry.layer
        if isinstance(layer, ModelSpec) and layer.layers:
            self.model(layer, scope, path, entry.name, place)
        elif isinstance(layer, LayerSpec):
            self.paths[place] = path
            kind = self.ports if entry.name in ports else self.nodes
            kind[path] = self._node(entry, layer, scope, place, entry.name in ports)
        else:
            self.shared[path] = layer.path

    def _node(
        self, entry: LayerEntry, layer: LayerSpec, scope: str, place: str, port: bool
    ) -> Node:
        return Node(
            path=below(scope, entry.name),
            name=entry.name,
            scope=scope,
            place=place,
            live=self._live(place, entry.name),
            spec=layer,
            config=self.encode(layer.config),
            constants=_constants(entry.calls),
            port=port,
        )

    def _live(self, place: str, name: str) -> str:
        return self.stored.live_names.get(place or ".", name)


def _constants(calls: Sequence[Call]) -> tuple[Mapping[str, Json], ...]:
    found = [constants(call) for call in calls]
    return tuple(found) if any(found) else ()


def _ports(spec: ModelSpec) -> frozenset[str]:
    """Return the names of a model's inputs, which dissolve when it stands in another one."""
    bound = {ref.layer for ref in references(spec.inputs) if isinstance(ref, TensorRef)}
    return frozenset(
        entry.name
        for entry in spec.layers
        if isinstance(entry.layer, LayerSpec)
        and entry.layer.cls.name == "InputLayer"
        and (spec.build == "sequence" or entry.name in bound)
    )


@dataclass
class _Trace:
    """The way of the tensors through all models; `calls` are those of each node, so far."""

    inventory: _Inventory
    calls: dict[str, list[tuple[Source, ...]]] = field(default_factory=dict)
    outputs: dict[str, list[Source]] = field(default_factory=dict)
    entries: int = 0
    inside: set[str] = field(default_factory=set)

    def enter(self, path: str, arguments: Sequence[Source]) -> list[Source]:
        """Follow one call of a model, and return what comes out of it."""
        if path in self.inside:  # no model that Keras made, but one that a file can describe
            return []
        self.entries += 1
        if self.entries > MAX_ENTRIES and path in self.outputs:
            return self.outputs[path]
        self.inside.add(path)
        spec = self.inventory.containers[path].spec
        if spec.build != "sequence" and any(entry.calls for entry in spec.layers):
            found = self._graph(path, spec, arguments)
        else:
            found = self._chain(path, spec, arguments)
        self.outputs[path] = found
        self.inside.discard(path)
        return found

    def _chain(self, path: str, spec: ModelSpec, arguments: Sequence[Source]) -> list[Source]:
        last = list(arguments)
        for entry in spec.layers:
            member = self._stands(below(path, entry.name), entry)
            if member not in self.inventory.ports:
                last = self._called(member, last, 1)
        return last

    def _graph(self, path: str, spec: ModelSpec, arguments: Sequence[Source]) -> list[Source]:
        inputs = [ref for ref in references(spec.inputs) if isinstance(ref, TensorRef)]
        known: dict[tuple[str, int], list[Source]] = {}
        if path:
            known = {
                (ref.layer, 0): [source] for ref, source in zip(inputs, arguments, strict=False)
            }
        for entry, index, call in _in_order(spec.layers):
            member = self._stands(below(path, entry.name), entry)
            if member in self.inventory.ports:
                continue
            sources = self._sources(member, call, known)
            known[entry.name, index] = self._called(member, sources, len(call.outputs))
        self._uncalled(path, spec)
        refs = (ref for ref in references(spec.outputs) if isinstance(ref, TensorRef))
        return [source for ref in refs for source in _output(known, ref)]

    def _uncalled(self, path: str, spec: ModelSpec) -> None:
        """Follow models that nothing calls: their layers are connected all the same."""
        for entry in spec.layers:
            member = self._stands(below(path, entry.name), entry)
            inside = member in self.inventory.containers
            if inside and not entry.calls and member not in self.outputs:
                self.enter(member, [])

    def _stands(self, path: str, entry: LayerEntry) -> str:
        if isinstance(entry.layer, SharedLayer):
            return self.inventory.paths.get(entry.layer.path, path)
        return path

    def _sources(
        self, member: str, call: Call, known: Mapping[tuple[str, int], list[Source]]
    ) -> list[Source]:
        refs = list(call.inputs())
        if member in self.inventory.containers:
            refs = bound(self.inventory.containers[member].spec.inputs, call, refs)
        return [source for ref in refs for source in _output(known, ref)]

    def _called(self, member: str, sources: Sequence[Source], outputs: int) -> list[Source]:
        if member in self.inventory.containers:
            return self.enter(member, sources)
        if member not in self.inventory.nodes:
            return list(sources)
        calls = self.calls.setdefault(member, [])
        calls.append(tuple(sources))
        return [Source(member, len(calls) - 1, output) for output in range(max(outputs, 1))]


def _output(known: Mapping[tuple[str, int], list[Source]], ref: TensorRef) -> list[Source]:
    found = known.get((ref.layer, ref.call), [])
    return found[ref.output : ref.output + 1]


def bound(inputs: Value, call: Call, refs: list[TensorRef]) -> list[TensorRef]:
    """Return what a model is called on in the order of its inputs, which dicts may turn."""
    if not (isinstance(inputs, dict) and call.args and isinstance(call.args[0], dict)):
        return refs
    given = call.args[0]
    if inputs.keys() != given.keys():
        return refs
    return [ref for key in inputs for ref in references(given[key]) if isinstance(ref, TensorRef)]


def _in_order(entries: Sequence[LayerEntry]) -> Iterator[tuple[LayerEntry, int, Call]]:
    """Yield all calls in a graph, each after those whose outputs it consumes."""
    calls = {
        (entry.name, index): (entry, index, call)
        for entry in entries
        for index, call in enumerate(entry.calls)
    }
    waiting: dict[tuple[str, int], set[tuple[str, int]]] = {}
    consumers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for key, (_, _, call) in calls.items():
        needs = {(ref.layer, ref.call) for ref in call.inputs()} & calls.keys()
        waiting[key] = needs
        for need in needs:
            consumers.setdefault(need, []).append(key)
    ready = [key for key, needs in waiting.items() if not needs]
    for key in ready:  # grows while it is read
        yield calls[key]
        for consumer in consumers.get(key, ()):
            waiting[consumer].discard(key)
            if not waiting[consumer]:
                ready.append(consumer)
