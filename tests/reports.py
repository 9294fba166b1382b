"""Comparisons to be shown as pages, made without Keras, and pages taken apart by a parser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from networks import Network

from kvcs.commands.diff import Comparison
from kvcs.commands.diff_all import Outcome
from kvcs.commands.versions import Versions
from kvcs.comparison import weighed_diff

VOID = {"meta", "input", "br", "link", "img", "hr", "base"}
OPTIMIZER = {"module": "keras.optimizers", "class_name": "Adam", "registered_name": None}


def optimizer(rate: float) -> dict[str, Any]:
    return {"loss": "mse", "optimizer": {**OPTIMIZER, "config": {"learning_rate": rate}}}


def compared(old: Network, new: Network, name: str = "models/net") -> Comparison:
    sides = old.stored(), new.stored()
    found = weighed_diff(*sides, old.contents(), new.contents(), histograms=True)
    return Comparison(f"v1:{name}", name, found, sides)


def outcome(old: Network, new: Network, name: str = "models/net") -> Outcome:
    versions = Versions(name=name, old=f"v1:{name}", new=name)
    return Outcome(versions=versions, found=compared(old, new, name))


def edited() -> tuple[Network, Network]:
    """Return a network and one with a layer more, a layer less, a setting and weights changed."""
    old = Network()
    block = ["Dense", "BatchNormalization", "ReLU", "Dropout"]
    old.chain("InputLayer", *block * 4, ("Dense", {"units": 3, "activation": "softmax"}))
    old.nudge(by=0.1)
    new = old.copy()
    dense = [number for number, layer in new.layers.items() if layer.cls == "Dense"]
    dropout = [number for number, layer in new.layers.items() if layer.cls == "Dropout"]
    new.insert(dense[1], "Dense", units=8, name="extra")
    new.delete(dropout[3])
    new.layers[dense[0]].config["activation"] = "gelu"
    new.nudge([dense[0], dense[4]])
    old.training, new.training = optimizer(0.001), optimizer(0.01)
    return old, new


def deep(blocks: int, change: Callable[[Network, list[int]], None]) -> tuple[Network, Network]:
    """Return a residual network, and a changed one.

    Args:
        blocks: how many, of five layers each.
        change: what to do with it, given the numbers of its layers.
    """
    old = Network()
    last = old.add("InputLayer")
    for _ in range(blocks):
        end = old.chain("Dense", "BatchNormalization", "ReLU", "Dense", on=last)[-1]
        last = old.add("Add", end, last)
    old.add("Dense", last, units=10, activation="softmax", name="head")
    old.nudge(by=0.1)
    new = old.copy()
    change(new, list(new.layers))
    return old, new


@dataclass
class Element:
    """A tag, what it says, and what it holds."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Parsed(HTMLParser):
    """A page as elements; `unclosed` are those whose end is missing."""

    elements: list[Element] = field(default_factory=list)
    unclosed: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(found)
        if tag not in VOID:
            self.unclosed.append(found)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self.unclosed:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        return [
            element
            for element in self.elements
            if element.tag == tag and attributes.items() <= element.attributes.items()
        ]


def parsed(text: str) -> Parsed:
    found = Parsed()
    found.feed(text)
    found.close()
    assert not found.unclosed, found.unclosed[0]
    return found


def data(text: str) -> list[dict[str, Any]]:
    """Return what the script of a page draws, of each of its models."""
    blocks = parsed(text).all("script", type="application/json")
    return [json.loads(block.text) for block in blocks]


def said(text: str) -> str:
    """Return what a page says without a script, in one line."""
    page = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    page = re.sub(
        "</(caption|div|figcaption|h[1-6]|li|p|pre|summary|t[dhr]|title)>", " \\g<0>", page
    )
    return " ".join(parsed(page).all("html")[0].text.split())


def structure(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return what a page is made of: tags and the names of their attributes."""
    return [(each.tag, tuple(each.attributes)) for each in parsed(text).elements]
