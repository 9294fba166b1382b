"""Calls of layers in a graph of Keras 2, and the tensors between them.

A tensor is `[layer, call, output]`. A call is a list of those for the first argument, each with
the keyword arguments of the call behind it, or one such alone, or any structure of them:
`[["x", 0, 0, {"training": false}]]`. There may be tensors among the keyword arguments too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kvcs.errors import RestoreError
from kvcs.keras2.fields import Object

CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """A layer of a graph, as tensors refer to it.

    Attributes:
        calls: how often it is called; an input counts as one call.
        first: the number of its first call. Keras 2 counts the calls of a model from 1, for
            that it was built is its call 0, and those of any other layer from 0.
        is_graph: whether it is a functional model.
    """

    calls: int
    first: int
    is_graph: bool


Callees = Mapping[str, Callee]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What a layer is called with: the first argument, and the others by name."""

    first: Any
    others: Object


def arguments(node: Any, callees: Callees, place: str) -> Arguments:
    """Read one call of a layer, with its tensors in Keras 3's form."""
    first = _first(node, callees, place)
    if isinstance(node, list) and isinstance(first, list) and len(first) == 1:
        first = first[0]
    keywords = list(_keywords(node))
    others = keywords[-1] if keywords else {}
    converted = {key: _keyword(value, callees, place) for key, value in others.items()}
    return Arguments(first=first, others=converted)


def _first(data: Any, callees: Callees, place: str) -> Any:
    if _is_tensor(data):
        if data[0] == CONSTANT:
            return data[2]
        return tensor(data, callees, place)
    if isinstance(data, list):
        return [_first(each, callees, place) for each in data]
    if isinstance(data, dict):
        return {key: _first(each, callees, place) for key, each in data.items()}
    raise RestoreError(f"{place}: a call has {data!r:.80} where a tensor is expected")


def _keywords(data: Any) -> Iterator[Object]:
    if _is_tensor(data):
        if len(data) == 4 and isinstance(data[3], dict):
            yield data[3]
    elif isinstance(data, list | dict):
        for each in data.values() if isinstance(data, dict) else data:
            yield from _keywords(each)


def _keyword(value: Any, callees: Callees, place: str) -> Any:
    if _is_tensor(value):
        return tensor(value, callees, place)
    if isinstance(value, list):
        return [_keyword(each, callees, place) for each in value]
    if isinstance(value, dict):
        return {key: _keyword(each, callees, place) for key, each in value.items()}
    return value


def _is_tensor(data: Any) -> bool:
    return (
        isinstance(data, list)
        and len(data) in (3, 4)
        and isinstance(data[0], str)
        and type(data[1]) is int
        and (type(data[2]) is int or data[0] == CONSTANT)
    )


def tensor(data: list[Any], callees: Callees, place: str) -> Object:
    """Return a tensor that a layer is called with, in Keras 3's form, which counts from 0."""
    name, call, output = data[:3]
    history = [name, _call(name, call, callees, place), output]
    # Shape and dtype are not looked at: those of the layer's output hold.
    config = {"shape": [None], "dtype": "float32", "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}


def _call(name: str, call: int, callees: Callees, place: str) -> int:
    if name not in callees:
        raise RestoreError(f"{place}: takes a tensor of layer {name!r}, which is not there")
    callee = callees[name]
    number = call - callee.first
    if not 0 <= number < callee.calls:
        raise RestoreError(
            f"{place}: takes the result of call {number} of layer {name!r}, which is called "
            f"{callee.calls} times, counted from 0"
        )
    return number


def ends(value: Any, callees: Callees, place: str) -> Any:
    """Return the inputs or outputs of a graph as Keras 3 writes them.

    There, too, calls of a functional model are counted from 1, but in this place alone.
    """
    if _is_tensor(value):
        name, call, output = value[:3]
        number = _call(name, call, callees, place)
        return [name, number + callees[name].is_graph, output]
    if isinstance(value, list) and value:
        found = [ends(each, callees, place) for each in value]
        return found[0] if len(found) == 1 else found
    if isinstance(value, dict) and value:
        return {key: ends(each, callees, place) for key, each in value.items()}
    raise RestoreError(f"{place}: its inputs or outputs are {value!r:.80}, which names no tensors")


def numbers(value: Any) -> Iterator[tuple[str, int]]:
    """Yield layer and number of call of every tensor inside."""
    if _is_tensor(value):
        yield value[0], value[1]
        value = value[3:]
    if isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from numbers(each)


def check_order(members: Sequence[Object], place: str) -> None:
    """Refuse calls that wait for each other, which Keras 3.10 would do forever."""
    waiting = {
        each["name"]: [list(_needed(node)) for node in each["inbound_nodes"]] for each in members
    }
    done = {name: 0 if calls else 1 for name, calls in waiting.items()}
    moved = True
    while moved:
        moved = False
        for name, calls in waiting.items():
            while done[name] < len(calls) and all(done[x] > call for x, call in calls[done[name]]):
                done[name] += 1
                moved = True
    stuck = [name for name, calls in waiting.items() if done[name] < len(calls)]
    if stuck:
        raise RestoreError(f"{place}: the calls of {', '.join(stuck)} wait for each other")


def _needed(value: Any) -> Iterator[tuple[str, int]]:
    """Yield layer and call of every tensor in a call in Keras 3's form."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        name, call, _ = value["config"]["keras_history"]
        yield name, call
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _needed(each)
