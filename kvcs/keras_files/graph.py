"""The calls of a model: which tensors each layer takes, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from kvcs.keras_files import NeedsKerasError, operations, symbolic
from kvcs.keras_files.place import Place, build_of, surveyed
from kvcs.keras_files.values import argument, class_of
from kvcs.spec import Call, SymbolicTensor, TensorRef, Value, references

Outputs: TypeAlias = tuple[SymbolicTensor, ...]
Known: TypeAlias = dict[tuple[str, int], Outputs]


class Graph:
    """The calls of a functional model, with layers by canonical name and calls from zero."""

    def __init__(self, place: Place, containers: Mapping[str, Outputs]) -> None:
        """Read the calls from the config of a model.

        Args:
            place: the model.
            containers: what the models in it yield, called on what they were built on; by name.

        Raises:
            NeedsKerasError: what a call yields cannot be told.
        """
        self._place = place
        self._containers = containers
        self._members = {member.name: member for member in place.members}
        self._names = {member.live_name: member.name for member in place.members}
        self._seen: dict[tuple[str, int], dict[int, SymbolicTensor]] = {}
        self._calls = {
            member.name: [self._arguments(node) for node in member.given["inbound_nodes"]]
            for member in place.members
        }
        self._known = self._flow()

    def calls(self, name: str) -> tuple[Call, ...]:
        """Return the calls of a layer."""
        made = self._calls[name] or [((), {})]  # an input, which is called on nothing
        return tuple(
            Call(args=args, kwargs=kwargs, outputs=self._known[name, number])
            for number, (args, kwargs) in enumerate(made)
        )

    def inputs(self) -> Value:
        """Return the structure of input tensors."""
        return self._structure(self._place.given["config"]["input_layers"])

    def outputs(self) -> Value:
        """Return the structure of output tensors."""
        return self._structure(self._place.given["config"]["output_layers"])

    def yields(self) -> Outputs:
        """Return what the model yields."""
        return tuple(self._tensor(ref) for ref in _tensors([self.outputs()]))

    def _tensor(self, ref: TensorRef) -> SymbolicTensor:
        return self._known[ref.layer, ref.call][ref.output]

    def _arguments(self, node: Any) -> tuple[tuple[Value, ...], dict[str, Value]]:
        if not isinstance(node, dict) or not isinstance(node.get("args"), list):
            raise NeedsKerasError("its graph is written as Keras 2 did")
        self._note(node)
        args = [argument(item, self._reference) for item in node["args"]]
        kwargs = {key: argument(item, self._reference) for key, item in node["kwargs"].items()}
        return tuple(args), kwargs

    def _note(self, value: Any) -> None:
        """Note the shape that the file gives for each tensor that a layer takes."""
        if isinstance(value, list):
            for item in value:
                self._note(item)
        elif isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            config = value["config"]
            ref = self._reference(config["keras_history"])
            tensor = SymbolicTensor(shape=_shape(config["shape"]), dtype=config["dtype"])
            seen = self._seen.setdefault((ref.layer, ref.call), {})
            if seen.setdefault(ref.output, tensor) != tensor:
                raise NeedsKerasError(f"the tensor {ref} has two shapes")
        elif isinstance(value, dict):
            for item in value.values():
                self._note(item)

    def _reference(self, history: Sequence[Any]) -> TensorRef:
        name, call, output = history
        if name not in self._names:
            raise NeedsKerasError(f"its graph refers to a layer {name!r} that is not there")
        return TensorRef(self._names[name], int(call), int(output))

    def _structure(self, value: Any) -> Value:
        if isinstance(value, dict):
            return {key: self._structure(item) for key, item in value.items()}
        if not isinstance(value, list):
            raise NeedsKerasError("its inputs or outputs are written in an unknown way")
        if len(value) == 3 and isinstance(value[0], str):
            ref = self._reference(value)
            # Here, and only here, Keras counts the call that made a functional model.
            before = self._members[ref.layer].build == "graph"
            return TensorRef(ref.layer, ref.call - before, ref.output)
        return [self._structure(item) for item in value]

    def _flow(self) -> Known:
        """Find what each call yields, in an order in which each has its inputs."""
        known: Known = {}
        waiting = [
            (name, number)
            for name, calls in self._calls.items()
            for number in range(max(1, len(calls)))
        ]
        while waiting:
            left = [job for job in waiting if not self._try(job, known)]
            if len(left) == len(waiting):
                raise NeedsKerasError("its graph has a loop or a loose end")
            waiting = left
        taken = [TensorRef(*job, output) for job, seen in self._seen.items() for output in seen]
        for ref in [*_tensors([self.inputs(), self.outputs()]), *taken]:
            if ref.output >= len(known.get((ref.layer, ref.call), ())):
                raise NeedsKerasError(f"nothing in its graph yields {ref}")
        return known

    def _try(self, job: tuple[str, int], known: Known) -> bool:
        name, number = job
        if self._calls[name]:
            args, kwargs = self._calls[name][number]
            if any((ref.layer, ref.call) not in known for ref in _tensors([list(args), kwargs])):
                return False
        known[job] = self._yields(job, known)
        return True

    def _yields(self, job: tuple[str, int], known: Known) -> Outputs:
        name, number = job
        member = self._members[name]
        if not self._calls[name]:
            return (of_input(member),)
        args, kwargs = self._calls[name][number]
        found = self._computed(member, args, kwargs, known)
        seen = self._seen.get(job, {})
        if found is None:
            single = (
                operations.single(member.cls.name)
                if member.is_operation
                else symbolic.single(member.cls.name, member.config, kwargs)
            )
            if set(seen) == {0} and single:
                return (seen[0],)
            raise NeedsKerasError(
                f"what {member.cls.name} {member.live_name!r} yields is not known"
            )
        if any(output >= len(found) or found[output] != one for output, one in seen.items()):
            raise NeedsKerasError(f"{member.live_name!r} yields something else than expected")
        return found

    def _computed(
        self, member: Place, args: Sequence[Value], kwargs: Mapping[str, Value], known: Known
    ) -> Outputs | None:
        given = [_resolved(one, known) for one in args]
        if member.build is None:
            named = {key: _resolved(one, known) for key, one in kwargs.items()}
            if member.cls.name == "TimeDistributed" and _is_model(member.config["layer"]):
                return _each_step(member.config["layer"], given)
            if member.is_operation:
                return operations.outputs(member.cls.name, member.config, given)
            return symbolic.outputs(member.cls.name, member.config, given, named)
        flat = list(_leaves(given))
        same = [one.shape for one in flat] == [one.shape for one in member.takes]
        return self._containers[member.name] if same else None


def _tensors(value: Value) -> list[TensorRef]:
    return [ref for ref in references(value) if isinstance(ref, TensorRef)]


def of_input(place: Place) -> SymbolicTensor:
    """Describe the tensor of an input layer."""
    if place.cls.name != "InputLayer":
        raise NeedsKerasError(f"{place.live_name!r} is called on nothing, and is no input")
    shape, dtype = place.config.get("batch_shape"), place.config.get("dtype")
    if isinstance(dtype, dict):
        dtype = dtype["config"]["name"]
    return SymbolicTensor(shape=_shape(shape), dtype=str(dtype))


def sequence(place: Place, containers: Mapping[str, Outputs]) -> list[Outputs]:
    """Return what each layer of a sequence yields; nothing, if its input was never known.

    Raises:
        NeedsKerasError: it cannot be told.
    """
    members = place.members
    if not members or members[0].cls.name != "InputLayer":
        if place.config.get("build_input_shape") is not None or any(
            member.build_config for member in members
        ):
            raise NeedsKerasError("a Sequential was built without an input layer")
        return [()] * len(members)
    found: list[Outputs] = [(of_input(members[0]),)]
    if len(members) == 1:
        raise NeedsKerasError("a Sequential has an input and nothing else")
    for member in members[1:]:
        given = found[-1]
        if member.build is None:
            out = symbolic.outputs(member.cls.name, member.config, list(given), {})
        else:
            same = [one.shape for one in given] == [one.shape for one in member.takes]
            out = containers[member.name] if same else None
        if out is None:
            raise NeedsKerasError(
                f"what {member.cls.name} {member.live_name!r} yields is not known"
            )
        found.append(out)
    return found


def _shape(value: Any) -> tuple[int | None, ...] | None:
    return None if value is None else tuple(value)


def _resolved(value: Value, known: Known) -> Value:
    if isinstance(value, TensorRef):
        outputs = known[value.layer, value.call]
        if value.output >= len(outputs):
            raise NeedsKerasError(f"nothing in its graph yields {value}")
        return outputs[value.output]
    if isinstance(value, dict):
        return {key: _resolved(item, known) for key, item in value.items()}
    return [_resolved(item, known) for item in value] if isinstance(value, list) else value


def _leaves(value: Value) -> list[SymbolicTensor]:
    if isinstance(value, SymbolicTensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [leaf for item in items for leaf in _leaves(item)]


def _is_model(given: Mapping[str, Any]) -> bool:
    return build_of(class_of(given)) is not None


def _each_step(given: Mapping[str, Any], args: Sequence[Value]) -> Outputs | None:
    """Return what comes out of a model that is called on each step of a sequence."""
    root = surveyed(given)
    out = _yields_of(root)
    leaves = _leaves(list(args))
    if len(leaves) != 1 or len(out) != 1 or len(root.takes) != 1:
        return None
    shape, step, found = leaves[0].shape, root.takes[0].shape, out[0].shape
    if shape is None or found is None or (shape[0], *shape[2:]) != step:
        return None
    return (SymbolicTensor(shape=(found[0], shape[1], *found[1:]), dtype=out[0].dtype),)


def _yields_of(place: Place) -> Outputs:
    yields = {one.name: _yields_of(one) for one in place.members if one.build is not None}
    return connections(place, yields)[3]


def connections(
    place: Place, yields: Mapping[str, Outputs]
) -> tuple[list[tuple[Call, ...]], Value, Value, Outputs]:
    """Return the calls of each layer, the structures of inputs and outputs, and what comes out.

    Args:
        place: a container.
        yields: what each container in it yields.
    """
    if place.build == "graph":
        graph = Graph(place, yields)
        inputs = [one for one in place.members if not one.given["inbound_nodes"]]
        place.takes = tuple(of_input(one) for one in inputs)
        calls = [graph.calls(member.name) for member in place.members]
        return calls, graph.inputs(), graph.outputs(), graph.yields()
    found = sequence(place, yields)
    place.takes = found[0] if found else ()
    called: list[tuple[Call, ...]] = [
        (Call(args=(), kwargs={}, outputs=one),) if one else () for one in found
    ]
    return called, None, None, found[-1] if found else ()
