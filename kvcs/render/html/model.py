"""One model: its graph, its layers, what it takes and gives, how it is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kvcs.comparison.compare import model_of
from kvcs.comparison.encoded import Json
from kvcs.comparison.flatten import flatten
from kvcs.comparison.graph import Graph
from kvcs.render import words
from kvcs.render.html import assets, sections
from kvcs.render.html.data import data
from kvcs.render.html.folding import chained
from kvcs.render.html.graph import alone
from kvcs.render.html.layers import Layer, Setting, layer, settings, shapes
from kvcs.render.text import plain, size
from kvcs.spec import StoredModel

if TYPE_CHECKING:
    from kvcs.commands.show import Summary

Fact = tuple[str, tuple[str, ...]]  # what about the model, and values


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """What is said of a model that is compared with nothing.

    Attributes:
        facts: about the whole model.
        layers: its layers.
        interface: names and descriptions of inputs and outputs.
        training: what `compile()` was given.
        data: what the script draws, as JSON.
    """

    facts: list[Fact]
    layers: list[Layer]
    interface: list[tuple[str, str]]
    training: tuple[Setting, ...]
    data: Any


def model_page(found: Summary, stored: StoredModel) -> str:
    """Return a model as a page.

    Args:
        found: what `kvcs show` says of it.
        stored: the model.
    """
    frozen = found.parameters - found.trainable
    counted = (f"{found.parameters:,} ({size(found.size)})", f"{frozen:,} not trainable")
    parameters = counted if found.has_weights else ("not known",)
    digest: Fact = ("digest", (found.digests.whole,))
    return assets.page(
        "model.html",
        interactive=True,
        title=words.path(found.name),
        model={"number": 0, "alone": of_one(stored, parameters, [digest])},
    )


def of_one(
    stored: StoredModel, parameters: tuple[str, ...] = (), more: Sequence[Fact] = ()
) -> Alone:
    """Say what there is to say of a model.

    Args:
        stored: the model.
        parameters: how many it has; unless given, they are counted.
        more: other facts about it.
    """
    flat = flatten(stored)
    graph, about, known = alone(flat), model_of(flat), shapes(stored)
    layers = [layer(at, vertex, (known, known)) for at, vertex in enumerate(graph.vertices)]
    return Alone(
        facts=[*_facts(flat, parameters or (f"{about.parameters:,}",)), *more],
        layers=layers,
        interface=[*_ports("input", about.inputs), *_ports("output", about.outputs)],
        training=settings(about.training or {}, {}, ()),
        data=assets.as_json(data(graph, chained(graph), layers, alone=True)),
    )


def _facts(flat: Graph, parameters: tuple[str, ...]) -> list[Fact]:
    about = model_of(flat)
    return [
        ("class", (words.cut(about.cls), flat.stored.model.build)),
        ("layers", (f"{len(about.layers):,}",)),
        ("parameters", parameters),
        ("input → output", (*sections.flow(about.inputs), "→", *sections.flow(about.outputs))),
        ("training", sections.training(about.training)),
        ("Keras", (plain(about.keras_version) or "not known",)),
    ]


def _ports(side: str, ports: Mapping[str, Json] | None) -> list[tuple[str, str]]:
    return [(f"{side} {words.cut(key)}", words.port(port)) for key, port in (ports or {}).items()]
