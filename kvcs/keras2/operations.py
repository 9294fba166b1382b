"""Functions of TensorFlow in a graph of Keras 2, as operations of Keras 3: the table.

Keras 2 makes a layer (`TFOpLambda`) of a function of TensorFlow that is called on its tensors, and
of an operator; `SlicingOpLambda` is `x[…]`. Only functions that do the same in Keras 3 are here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kvcs.errors import RestoreError
from kvcs.keras2.fields import Object, a_list, a_text, keras3
from kvcs.keras2.nodes import Arguments

OPERATIONS = ("TFOpLambda", "SlicingOpLambda")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """How a function of TensorFlow is carried over.

    Attributes:
        name: the operation of Keras 3.
        module: which part of Keras has it.
        second: the keyword of its second tensor, or empty.
        settings: keywords that are settings of the operation, with their names in Keras 3.
        fixed: keywords that may be there, with the only value Keras 3 has them at.
        needed: settings without which Keras 3 would do something else.
    """

    name: str
    module: str = "numpy"
    second: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()


def _two(name: str) -> Function:
    return Function(name=name, second="y")


def _nn(name: str, **rest: Any) -> Function:
    return Function(name=name, module="nn", **rest)


def _over_axes(name: str) -> Function:
    return Function(name=name, settings={"axis": "axis", "keepdims": "keepdims"})


def _axis(name: str, axis: str = "axis", ours: str = "axis", **rest: Any) -> Function:
    return Function(name=name, settings={axis: ours}, needed=frozenset({axis}), **rest)


FUNCTIONS: Mapping[str, Function] = {
    "__operators__.add": _two("Add"),
    "math.add": _two("Add"),
    "math.subtract": _two("Subtract"),
    "math.multiply": _two("Multiply"),
    "math.truediv": _two("TrueDivide"),
    "math.divide": _two("TrueDivide"),
    "math.pow": _two("Power"),
    "math.maximum": _two("Maximum"),
    "math.minimum": _two("Minimum"),
    "linalg.matmul": Function(
        name="Matmul",
        second="b",
        fixed={
            "transpose_a": False, "transpose_b": False, "adjoint_a": False, "adjoint_b": False,
            "a_is_sparse": False, "b_is_sparse": False, "output_type": None, "grad_a": False,
            "grad_b": False,
        },
    ),
    "math.abs": Function(name="Absolute"),
    "math.negative": Function(name="Negative"),
    "math.exp": Function(name="Exp"),
    "math.log": Function(name="Log"),
    "math.sqrt": Function(name="Sqrt"),
    "math.square": Function(name="Square"),
    "math.sin": Function(name="Sin"),
    "math.cos": Function(name="Cos"),
    "math.tanh": Function(name="Tanh"),
    "math.sigmoid": _nn("Sigmoid"),
    "nn.relu": _nn("Relu"),
    "nn.relu6": _nn("Relu6"),
    "nn.elu": _nn("Elu"),
    "nn.selu": _nn("Selu"),
    "math.softplus": _nn("Softplus"),
    "nn.softmax": _axis("Softmax", module="nn"),
    "math.reduce_mean": _over_axes("Mean"),
    "math.reduce_sum": _over_axes("Sum"),
    "math.reduce_max": _over_axes("Max"),
    "math.reduce_min": _over_axes("Min"),
    "concat": _axis("Concatenate"),
    "stack": _axis("Stack"),
    "expand_dims": _axis("ExpandDims"),
    "compat.v1.squeeze": Function(name="Squeeze", settings={"axis": "axis"}),
    "squeeze": Function(name="Squeeze", settings={"axis": "axis"}),
    "reshape": _axis("Reshape", "shape", "newshape"),
    "transpose": _axis("Transpose", "perm", "axes", fixed={"conjugate": False}),
    "compat.v1.transpose": _axis("Transpose", "perm", "axes", fixed={"conjugate": False}),
}  # fmt: skip

# Operations that move numbers and do not calculate: the dtype is that of what they are given.
SAME_FOR_ALL_DTYPES = frozenset(
    {"Concatenate", "Stack", "ExpandDims", "Squeeze", "Reshape", "Transpose", "GetItem"}
)

# Left out: what a function's result is called in TensorFlow.
_NAME = "name"


def upgraded_operation(config: Object, calls: Sequence[Arguments], place: str) -> Object:
    """Return the description of an operation, with its calls, as Keras 3 reads it."""
    name = a_text(config.get("function"), "'function'", place)
    if name == "__operators__.getitem":
        nodes = [_item_of(call, place) for call in calls]
        return {**keras3("keras.src.ops.numpy", "GetItem", {}), "inbound_nodes": nodes}
    if name not in FUNCTIONS:
        raise RestoreError(
            f"{place} calls the function {name} of TensorFlow, for which kvcs knows no operation "
            "of Keras 3: make a layer of it, and build the model with that"
        )
    function = FUNCTIONS[name]
    settings = [_settings(function, call, place) for call in calls]
    if any(each != settings[0] for each in settings):
        raise RestoreError(f"{place} is called with several settings, which Keras 3 cannot do")
    nodes = [_call_of(function, call, place) for call in calls]
    module = f"keras.src.ops.{function.module}"
    described = keras3(module, function.name, settings[0] if settings else {})
    return {**described, "inbound_nodes": nodes}


def _settings(function: Function, call: Arguments, place: str) -> Object:
    found = {}
    for key, value in call.others.items():
        if key in (_NAME, function.second):
            continue
        if key in function.settings:
            _check_constant(key, value, place)
            found[function.settings[key]] = value
        elif key not in function.fixed or value != function.fixed[key]:
            raise RestoreError(f"{place}: {key}={value!r:.80} has no equivalent in Keras 3")
    missing = sorted(function.needed - call.others.keys())
    if missing:
        raise RestoreError(f"{place}: {missing[0]!r} is missing")
    return {key: value for key, value in found.items() if value is not None}


def _check_constant(key: str, value: Any, place: str) -> None:
    parts = value if isinstance(value, list) else [value]
    if any(isinstance(part, dict | list) for part in parts):
        raise RestoreError(f"{place}: {key} is computed, which Keras 3 has no operation for")


def _call_of(function: Function, call: Arguments, place: str) -> Object:
    args = [call.first]
    if function.second:
        if function.second not in call.others:
            raise RestoreError(f"{place}: {function.second!r} is missing")
        args.append(call.others[function.second])
    return {"args": args, "kwargs": {}}


def _item_of(call: Arguments, place: str) -> Object:
    if not call.others.keys() <= {"slice_spec", _NAME}:
        raise RestoreError(f"{place}: a call has arguments that Keras 3 does not know")
    given = a_list(call.others.get("slice_spec"), "'slice_spec'", place)
    return {"args": [call.first, [_slice(item, place) for item in given]], "kwargs": {}}


def _slice(item: Any, place: str) -> Any:
    if item is None or type(item) is int:
        return item
    if isinstance(item, dict) and item.get("class_name") == "__ellipsis__":
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(item, dict) and item.keys() == {"start", "stop", "step"} and _are_sizes(item):
        return {"class_name": "__slice__", "config": item}
    raise RestoreError(f"{place}: {item!r:.80} is an index that Keras 3 has no operation for")


def _are_sizes(item: Object) -> bool:
    return all(bound is None or type(bound) is int for bound in item.values())
