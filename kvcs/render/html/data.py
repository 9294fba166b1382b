"""What the page's script draws, as JSON: layers, connections, and runs of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from kvcs.render.html.folding import Run
from kvcs.render.html.graph import Union
from kvcs.render.html.layers import Layer, Setting, Weight


def data(
    graph: Union, runs: Sequence[Run], layers: Sequence[Layer], *, alone: bool = False
) -> dict[str, Any]:
    """Return a graph, and what there is to say of its layers, as JSON.

    Args:
        graph: of two models, or of one that is shown `alone`.
        runs: layers that are drawn as one.
        layers: by the number of their vertices.
    """
    return {
        "alone": alone,
        "layers": [_layer(layer) for layer in layers],
        "edges": [[edge.source, edge.target, edge.sides] for edge in graph.edges],
        "runs": [_plain(run) for run in runs],
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        **_plain(layer),
        "settings": [_setting(setting) for setting in layer.settings],
        "weights": [_weight(weight) for weight in layer.weights],
    }


def _setting(setting: Setting) -> list[str]:
    """Return name and value; where it changed, also the value after."""
    found = [setting.name, setting.old]
    return [*found, setting.new] if setting.changed else found


def _weight(weight: Weight) -> dict[str, Any]:
    return _plain(weight)


def _plain(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}
