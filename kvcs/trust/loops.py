"""Graphs in which a call waits for itself: older versions of Keras try for ever to make them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from kvcs.errors import RefusedError

Call = tuple[str, int]


def check_graph(config: Mapping[Any, Any]) -> None:
    """Refuse the config of a model in which a call needs what it, or nothing, yields.

    Args:
        config: any config; one without layers and their calls is none of a graph.

    Raises:
        RefusedError: there is such a call; the text names the layer.
    """
    layers = config.get("layers")
    if not isinstance(layers, list) or "input_layers" not in config:
        return
    nodes = {name: calls for name, calls in map(_calls_of, layers) if name}
    order = TopologicalSorter[Call]()
    for name, calls in nodes.items():
        for number, node in enumerate(calls):
            needed = list(_needed(name, number, node, nodes))
            if None in needed:
                raise _stuck((name, number))
            order.add((name, number), *filter(None, needed))
    try:
        order.prepare()
    except CycleError as error:
        raise _stuck(error.args[1][0]) from None


def _stuck(call: Call) -> RefusedError:
    return RefusedError(
        f"call {call[1]} of layer {call[0]!r} needs what nothing yields before it: the graph has a "
        "loop or a loose end"
    )


def _calls_of(layer: Any) -> tuple[str, list[Any]]:
    if not isinstance(layer, dict):
        return "", []
    config, calls = layer.get("config"), layer.get("inbound_nodes")
    name = layer.get("name", config.get("name") if isinstance(config, dict) else None)
    return name if isinstance(name, str) else "", calls if isinstance(calls, list) else []


def _needed(
    name: str, number: int, node: Any, nodes: Mapping[str, list[Any]]
) -> Iterator[Call | None]:
    """Yield the calls that a call waits for; None for one that is not there."""
    if number:
        yield name, number - 1  # the calls of a layer are made in their order
    for other, index in _tensors(node):
        calls = len(nodes.get(other, ()))
        # A model in the graph may have been called once when it was made.
        if other not in nodes or index > calls:
            yield None
        elif calls:
            yield other, min(index, calls - 1)


def _tensors(value: Any) -> Iterator[Call]:
    """Yield layer and call of each tensor, in the form of Keras 3 and of its older ones."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list):
        if len(value) >= 3 and isinstance(value[0], str) and all(_is_int(x) for x in value[1:3]):
            yield value[0], value[1]
        else:
            for item in value:
                yield from _tensors(item)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
