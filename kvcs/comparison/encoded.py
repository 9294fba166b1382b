"""Settings as JSON that can be compared: what differs in spelling only is the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from kvcs import canon
from kvcs.checksum import sha256
from kvcs.spec import Call, TensorRef, Value, VariableRef

Json: TypeAlias = Any

_NESTED = frozenset({list, dict})

# Made once: `json.dumps` makes one for each call, which takes longer than most values.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)

# Most settings are one of these, for which the encoder takes five times as long.
_ATOMS: dict[type, Callable[[Any], str]] = {
    str: json.encoder.encode_basestring_ascii,
    int: int.__repr__,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda value: "null",
}


def encoded(config: Mapping[str, Value]) -> dict[str, Json]:
    """Return a config as JSON; tuples are lists, for a `.keras` file no longer knows which."""
    found: dict[str, Json] = as_lists(canon.encode_schema(dict(config)))
    return found


class Encoder:
    """Encodes configs; one that layers share, such as those of a network's blocks, only once."""

    def __init__(self) -> None:
        # With the config itself, or another one could have its id later.
        self._known: dict[int, tuple[Mapping[str, Value], dict[str, Json]]] = {}

    def __call__(self, config: Mapping[str, Value]) -> dict[str, Json]:
        """Return what `encoded` does; nobody alters it."""
        if id(config) not in self._known:
            self._known[id(config)] = config, encoded(config)
        return self._known[id(config)][1]


def as_lists(value: Json) -> Json:
    """Return encoded JSON with tuples as lists."""
    kind = type(value)
    if kind is list:
        return [as_lists(item) for item in value]
    if kind is not dict:
        return value
    if len(value) == 1 and "$tuple" in value:
        return as_lists(value["$tuple"])
    return {key: as_lists(item) if type(item) in _NESTED else item for key, item in value.items()}


def text(value: Json) -> str:
    """Return JSON as text that is equal where the values are: 1, 1.0 and true are three."""
    write = _ATOMS.get(type(value))
    return write(value) if write else _ENCODER.encode(value)


def signature(*values: Json) -> str:
    """Return a short name for JSON values; equal for equal values."""
    return sha256([text(values).encode()])[:24]


def encoded_call(call: Call) -> dict[str, Json]:
    """Return the arguments of a call as JSON."""
    return {
        "args": as_lists([canon.encode(argument) for argument in call.args]),
        "kwargs": encoded(call.kwargs),
    }


def constants(call: Call) -> dict[str, Json]:
    """Return the arguments of a call that are no tensors, by their place in it.

    `x * 2.0` calls `Multiply` on `x` and 2.0; the latter is a setting of that layer.
    """
    found: dict[str, Json] = {}
    for index, argument in enumerate(call.args):
        _collect(argument, f"args/{index}", found)
    for key in sorted(call.kwargs):
        _collect(call.kwargs[key], f"kwargs/{key}", found)
    return found


def _collect(value: Value, at: str, found: dict[str, Json]) -> None:
    if isinstance(value, TensorRef):
        return
    if isinstance(value, VariableRef):  # its place moves with the name of its layer
        found[at] = {"$variable": value.path.rpartition("/")[2]}
        return
    if isinstance(value, list | tuple) and _holds_tensor(value):
        for index, item in enumerate(value):
            _collect(item, f"{at}/{index}", found)
    elif isinstance(value, dict) and _holds_tensor(value):
        for key, item in value.items():
            _collect(item, f"{at}/{key}", found)
    elif value is not None:
        found[at] = as_lists(canon.encode(value))


def _holds_tensor(value: Value) -> bool:
    if isinstance(value, TensorRef | VariableRef):
        return True
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list | tuple):
        return False
    return any(_holds_tensor(item) for item in items)
