"""The symbolic graph of a functional model: read from a live one, called into a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kvcs.errors import RestoreError, SaveError
from kvcs.keras_io.serial import portable
from kvcs.keras_io.survey import Place
from kvcs.keras_io.words import reason
from kvcs.spec import Call, ModelSpec, SymbolicTensor, TensorRef, Value


class Graph:
    """The calls of a functional model, with layers by canonical name and calls from zero."""

    def __init__(self, place: Place) -> None:
        self.model = place.layer
        self.names = {id(member.layer): member.name for member in place.members}
        by_depth = getattr(self.model, "_nodes_by_depth", {})
        own = {id(node) for nodes in by_depth.values() for node in nodes}
        self.nodes = {
            key: [node for node in member.layer._inbound_nodes if id(node) in own]
            for member in place.members
            for key in [id(member.layer)]
        }
        self.numbers = {
            id(node): number for nodes in self.nodes.values() for number, node in enumerate(nodes)
        }

    def calls(self, layer: Any) -> tuple[Call, ...]:
        """Describe every call of a layer in this graph, in Keras' order."""
        return tuple(self._call(layer, node) for node in self.nodes[id(layer)])

    def _call(self, layer: Any, node: Any) -> Call:
        try:
            args = [portable(self._refer(one), exact=True) for one in node.arguments.args]
            kwargs = {
                key: portable(self._refer(one), exact=True)
                for key, one in node.arguments.kwargs.items()
            }
        except TypeError as error:
            raise SaveError(
                f"layer {layer.name!r} is called with something that cannot be stored: "
                f"{reason(error)}"
            ) from error
        if not node.input_tensors:
            args, kwargs = [], {}
        return Call(
            args=tuple(args), kwargs=kwargs, outputs=tuple(map(symbolic, node.output_tensors))
        )

    def inputs(self) -> Value:
        """Return the structure of input tensors; None where a class keeps the graph."""
        return self._structure("_inputs_struct")

    def outputs(self) -> Value:
        """Return the structure of output tensors; None where a class keeps the graph."""
        return self._structure("_outputs_struct")

    def _structure(self, attribute: str) -> Value:
        structure = getattr(self.model, attribute, None)
        return None if structure is None else portable(self._refer(structure), exact=True)

    def _refer(self, value: Any) -> Any:
        """Replace symbolic tensors by references."""
        if isinstance(value, keras.KerasTensor):
            operation, node_index, output = value._keras_history
            node = operation._inbound_nodes[node_index]
            return TensorRef(self.names[id(operation)], self.numbers[id(node)], output)
        if isinstance(value, dict):
            return {key: self._refer(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            items = [self._refer(item) for item in value]
            return tuple(items) if isinstance(value, tuple) else items
        return value


def symbolic(tensor: Any) -> SymbolicTensor:
    """Describe a symbolic tensor."""
    shape = None if tensor.shape is None else tuple(tensor.shape)
    return SymbolicTensor(shape=shape, dtype=keras.backend.standardize_dtype(tensor.dtype))


def sequence_calls(place: Place, layer: Any) -> tuple[Call, ...]:
    """Describe what comes out of a layer of a sequence; what goes in follows from the order."""
    functional = getattr(place.layer, "_functional", None)
    if functional is None:
        return ()
    own = {id(node) for nodes in functional._nodes_by_depth.values() for node in nodes}
    return tuple(
        Call(args=(), kwargs={}, outputs=tuple(map(symbolic, node.output_tensors)))
        for node in layer._inbound_nodes
        if id(node) in own
    )


Tensors = dict[tuple[str, int], list[Any]]


def call_all(model: ModelSpec, members: Mapping[str, Any]) -> Tensors:
    """Call the layers of a graph in an order in which every call finds its inputs."""
    tensors: Tensors = {}
    waiting = []
    for entry in model.layers:
        layer = members[entry.name]
        for number, call in enumerate(entry.calls):
            if any(True for _ in call.inputs()):
                waiting.append((entry.name, number, call))
            else:
                tensors[entry.name, number] = _outputs_of_input(layer)
    while waiting:
        left = [job for job in waiting if not _try_call(job, members, tensors)]
        if len(left) == len(waiting):
            name, number, call = left[0]
            missing = [str(ref) for ref in call.inputs() if (ref.layer, ref.call) not in tensors]
            raise RestoreError(
                f"call {number} of layer {name!r} needs {', '.join(missing)}, which nothing "
                "yields: the graph has a loop or a loose end"
            )
        waiting = left
    return tensors


def _outputs_of_input(layer: Any) -> list[Any]:
    return list(layer._inbound_nodes[0].output_tensors)


def _try_call(job: tuple[str, int, Call], members: Mapping[str, Any], tensors: Tensors) -> bool:
    name, number, call = job
    earlier = number == 0 or (name, number - 1) in tensors  # the order of calls is Keras' own
    if not earlier or any((ref.layer, ref.call) not in tensors for ref in call.inputs()):
        return False
    args = [resolve(one, tensors) for one in call.args]
    kwargs = {key: resolve(one, tensors) for key, one in call.kwargs.items()}
    tensors[name, number] = keras.tree.flatten(members[name](*args, **kwargs))
    return True


def resolve(value: Value, tensors: Tensors) -> Any:
    """Replace references by the symbolic tensors they refer to."""
    if isinstance(value, TensorRef):
        try:
            return tensors[value.layer, value.call][value.output]
        except (KeyError, IndexError):
            raise RestoreError(f"nothing in the graph yields {value}") from None
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return keras.saving.deserialize_keras_object(value)
        return {key: resolve(item, tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [resolve(item, tensors) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value
