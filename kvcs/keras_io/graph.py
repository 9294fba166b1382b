"""The symbolic graph of a functional model: read from a live one, called into a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras.src.backend import Variable

from kvcs.errors import RestoreError, SaveError
from kvcs.keras_io.serial import portable
from kvcs.keras_io.survey import Place
from kvcs.keras_io.words import reason
from kvcs.spec import Call, ModelSpec, SymbolicTensor, TensorRef, Value, VariableRef, references


class Graph:
    """The calls of a functional model, with layers by canonical name and calls from zero.

    Args:
        place: where the model stands.
        weights: the path of every weight of the whole model, by the identity of the variable.
    """

    def __init__(self, place: Place, weights: Mapping[int, str]) -> None:
        self.model = place.layer
        self.weights = weights
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
        """Replace symbolic tensors, and weights of the model, by references."""
        if isinstance(value, keras.KerasTensor):
            operation, node_index, output = value._keras_history
            node = operation._inbound_nodes[node_index]
            return TensorRef(self.names[id(operation)], self.numbers[id(node)], output)
        if isinstance(value, Variable):
            if id(value) not in self.weights:
                raise TypeError(f"variable {value.path}, which belongs to no layer of the model")
            return VariableRef(self.weights[id(value)])
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
Weight = Callable[[str], Any]


class Calls:
    """The calling of the layers of a graph, which makes its symbolic tensors.

    Args:
        model: the description of the graph.
        members: its live layers by canonical name.
        weight: returns a weight of a live layer by its path; None where there is none (yet).
    """

    def __init__(self, model: ModelSpec, members: Mapping[str, Any], weight: Weight) -> None:
        self.members = members
        self.weight = weight
        self.tensors: Tensors = {}
        waiting = []
        for entry in model.layers:
            for number, call in enumerate(entry.calls):
                if any(True for _ in call.inputs()):
                    waiting.append((entry.name, number, call))
                else:
                    layer = members[entry.name]
                    self.tensors[entry.name, number] = _outputs_of_input(layer)
        while waiting:
            left = [job for job in waiting if not self._try_call(*job)]
            if len(left) == len(waiting):
                raise RestoreError(self._stuck(*left[0]))
            waiting = left

    def _stuck(self, name: str, number: int, call: Call) -> str:
        missing = [str(ref) for ref in call.inputs() if (ref.layer, ref.call) not in self.tensors]
        missing += [ref.path for ref in _weights_of(call) if self.weight(ref.path) is None]
        return (
            f"call {number} of layer {name!r} needs {', '.join(missing)}, which nothing "
            "yields: the graph has a loop or a loose end"
        )

    def _try_call(self, name: str, number: int, call: Call) -> bool:
        """Call a layer if all is there that the call needs, in an order that is Keras' own."""
        earlier = number == 0 or (name, number - 1) in self.tensors
        if not earlier or any((ref.layer, ref.call) not in self.tensors for ref in call.inputs()):
            return False
        if any(self.weight(ref.path) is None for ref in _weights_of(call)):
            return False
        args = [self.resolve(one) for one in call.args]
        kwargs = {key: self.resolve(one) for key, one in call.kwargs.items()}
        self.tensors[name, number] = keras.tree.flatten(self.members[name](*args, **kwargs))
        return True

    def resolve(self, value: Value) -> Any:
        """Replace references by what they refer to."""
        if isinstance(value, TensorRef):
            try:
                return self.tensors[value.layer, value.call][value.output]
            except (KeyError, IndexError):
                raise RestoreError(f"nothing in the graph yields {value}") from None
        if isinstance(value, VariableRef):
            return self.weight(value.path)
        if isinstance(value, dict):
            if "class_name" in value and "config" in value:
                return keras.saving.deserialize_keras_object(value)
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            items = [self.resolve(item) for item in value]
            return tuple(items) if isinstance(value, tuple) else items
        return value


def _outputs_of_input(layer: Any) -> list[Any]:
    return list(layer._inbound_nodes[0].output_tensors)


def _weights_of(call: Call) -> list[VariableRef]:
    found = references([list(call.args), dict(call.kwargs)])
    return [ref for ref in found if isinstance(ref, VariableRef)]
