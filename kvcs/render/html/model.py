"""One model as a page: its graph, its layers, what it takes and gives, how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kvcs.comparison.compare import model_of
from kvcs.comparison.encoded import Json
from kvcs.comparison.flatten import flatten
from kvcs.comparison.values import Model
from kvcs.render import words
from kvcs.render.html import assets, sections
from kvcs.render.html.data import data
from kvcs.render.html.folding import chained
from kvcs.render.html.graph import alone
from kvcs.render.html.layers import layer, settings, shapes
from kvcs.render.text import plain, size
from kvcs.spec import StoredModel

if TYPE_CHECKING:
    from kvcs.commands.show import Summary


def model_page(found: Summary, stored: StoredModel) -> str:
    """Return a model as a page.

    Args:
        found: what `kvcs show` says of it.
        stored: the model.
    """
    flat = flatten(stored)
    graph, about, known = alone(flat), model_of(flat), shapes(stored)
    layers = [layer(at, vertex, (known, known)) for at, vertex in enumerate(graph.vertices)]
    return assets.page(
        "model.html",
        interactive=True,
        title=words.path(found.name),
        facts=_facts(found, about),
        layers=layers,
        interface=[
            *_ports("input", about.inputs),
            *_ports("output", about.outputs),
        ],
        training=settings(about.training or {}, {}, ()),
        data=assets.as_json(data(graph, chained(graph), layers, alone=True)),
    )


def _facts(found: Summary, about: Model) -> list[tuple[str, tuple[str, ...]]]:
    frozen = found.parameters - found.trainable
    counted = (f"{found.parameters:,} ({size(found.size)})", f"{frozen:,} not trainable")
    return [
        ("class", (words.cut(found.class_name), found.build)),
        ("layers", (f"{len(about.layers):,}",)),
        ("parameters", counted if found.has_weights else ("not known",)),
        ("input → output", (*sections.flow(about.inputs), "→", *sections.flow(about.outputs))),
        ("training", sections.training(about.training)),
        ("Keras", (plain(found.keras_version) or "not known",)),
        ("digest", (found.digests.whole,)),
    ]


def _ports(side: str, ports: Mapping[str, Json] | None) -> list[tuple[str, Any]]:
    return [(f"{side} {words.cut(key)}", words.port(port)) for key, port in (ports or {}).items()]
