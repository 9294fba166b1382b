"""What stands beside the layers: `training.json`, `state.json` and `optimizer/index.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kvcs import canon
from kvcs.spec import StateSpec, TensorSpec, Value
from kvcs.tree.fields import (
    Json,
    Object,
    arguments_from_json,
    check_written,
    dict_of,
    integer,
    list_of,
)
from kvcs.tree.layers import tensors_from_json, tensors_to_json


def training_to_json(training: Mapping[str, Value]) -> Any:
    """Return what `training.json` holds."""
    return canon.encode_schema(dict(training))


def state_to_json(state: StateSpec) -> Json:
    """Return what `state.json` holds."""
    found: Json = {"seeds": {path: list(counters) for path, counters in state.seeds.items()}}
    if state.tensors:
        found["tensors"] = tensors_to_json(state.tensors)
    return found


def state_from_json(value: Any) -> StateSpec:
    """Read `state.json`."""
    found = Object(value)
    state = StateSpec(
        seeds=found.parse("seeds", dict_of(list_of(integer))),
        tensors=found.parse("tensors", lambda tensors: tensors_from_json(tensors, "state/"), {}),
    )
    found.done()
    check_written(value, state_to_json(state))
    return state


def slots_from_json(value: Any) -> dict[str, TensorSpec]:
    """Read `optimizer/index.json`: the optimizer's variables by name."""
    found = tensors_from_json(value)
    check_written(value, tensors_to_json(found))
    return found


def training_from_json(value: Any) -> dict[str, Value]:
    """Read `training.json`: the arguments of `compile()`."""
    found = arguments_from_json(value)
    check_written(value, training_to_json(found))
    return found
