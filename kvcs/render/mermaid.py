"""A drawing in the language of Mermaid, which forges show as a picture.

Layers have numbers of our own (`n0`); what others called them stands in labels alone. There, all
of ASCII but letters, digits, commas and single spaces is written as a number, `#35;`, so that
nothing can end the label, nor be taken for HTML, Markdown, an icon, a directive or a keyword.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kvcs.comparison import Change
from kvcs.comparison.values import Kind
from kvcs.render import changes as said
from kvcs.render import words
from kvcs.render.diff import Key
from kvcs.render.marks import MARKS
from kvcs.render.neighbourhood import OUTPUT, Both, Drawing, Sides, Spot
from kvcs.render.text import plain

LONGEST_NAME = 40
LONGEST = 60
SHALLOW = 5  # spots: what is not deeper fits the width of a page

# What stands for itself in a label. ASCII is judged character by character: an underscore inside of
# a word emphasises nothing, a point inside of a number begins no list, and a space is a space, but
# after one word which Mermaid's lexer looks for in whole lines, labels included. Mermaid uses ° and
# ¶ to remember the numbers.
_CHARACTER = re.compile(
    r"""
    ( [^\W_] | [^\x00-\x7f°¶] | , | (?<=[0-9])[.](?=[0-9])
    | (?<=[a-z0-9])_+(?=[a-z0-9]) | (?<=\S)(?<!direction)[ ](?=\S) ) | .
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a layer is drawn: the brackets that make its outline, and colours.

    The colours are dark enough for white letters, and as strong on a dark page as on a light one.
    """

    left: str
    right: str
    style: str = ""


def _coloured(left: str, right: str, fill: str, stroke: str) -> Shape:
    return Shape(left, right, f"fill:{fill},stroke:{stroke},color:#ffffff,stroke-width:2px")


SAME = "same"
FOLDED = "folded"
SHAPES: Mapping[str, Shape] = {
    "added": _coloured("([", "])", "#1a7f37", "#2da44e"),
    "removed": _coloured("{{", "}}", "#b62324", "#fa4549"),
    "replaced": _coloured("[[", "]]", "#8250df", "#a475f9"),
    "moved": _coloured("[/", "/]", "#0969da", "#54aeff"),
    "changed": _coloured("[", "]", "#8a5a00", "#d4a72c"),
    SAME: Shape("(", ")"),
    FOLDED: Shape("(", ")", "stroke-dasharray:4 3"),
}
# The first of these that a layer has says how it is drawn.
OUTLINES: tuple[tuple[Kind, str], ...] = (
    ("added", "added"), ("removed", "removed"), ("replaced", "replaced"), ("moved", "moved"),
    ("rescoped", "moved"), ("inputs_reordered", "changed"), ("renamed", "changed"),
    ("config", "changed"),
)  # fmt: skip
ARROWS: Mapping[Sides, tuple[str, str]] = {
    "both": ("-->", ""), "new": ("==>", "+"), "old": ("-.->", "-"),
}  # fmt: skip


def flowchart(graph: Both, drawing: Drawing, *, brief: bool = False) -> list[str]:
    """Return a drawing as lines of Mermaid.

    Args:
        graph: both models.
        drawing: what is drawn of them.
        brief: name the layers that changed, and say no more.
    """
    direction = "LR" if drawing.depth() <= SHALLOW else "TD"
    outlines = [_outline(graph, spot) for spot in drawing.spots]
    return [
        f"flowchart {direction}",
        *(
            _node(index, SHAPES[outline], _label(graph, spot, brief))
            for index, (spot, outline) in enumerate(zip(drawing.spots, outlines, strict=True))
        ),
        *(_edge(*edge, sides) for edge, sides in sorted(drawing.edges.items())),
        *_classes(outlines),
    ]


def _outline(graph: Both, spot: Spot) -> str:
    if not spot.shown:
        return FOLDED
    kinds = {change.kind for change in graph.changes.get(spot.layers[0], ())}
    return next((outline for kind, outline in OUTLINES if kind in kinds), SAME)


def _node(index: int, shape: Shape, label: Sequence[str]) -> str:
    text = "<br>".join(map(escaped, label))
    return f'n{index}{shape.left}"{text}"{shape.right}'


def _edge(source: int, target: int, sides: Sides) -> str:
    arrow, symbol = ARROWS[sides]
    label = f'|"{escaped(symbol)}"|' if symbol else ""
    return f"n{source} {arrow}{label} n{target}"


def _classes(outlines: Sequence[str]) -> Iterator[str]:
    for name, shape in SHAPES.items():
        members = [f"n{index}" for index, outline in enumerate(outlines) if outline == name]
        if members and shape.style:
            yield f"classDef {name} {shape.style}"
            yield f"class {','.join(members)} {name}"


def _label(graph: Both, spot: Spot, brief: bool) -> list[str]:
    if not spot.shown:
        changed = sum(key in graph.changes for key in spot.layers)
        among = f", {changed:,} changed" if changed else ""
        return [f"… {words.count(len(spot.layers), 'layer')}{among}"]
    (key,) = spot.layers
    changes = graph.changes.get(key, [])
    symbols = "".join(dict.fromkeys(MARKS[change.kind].symbol for change in changes))
    name = f"{symbols} {_name(key)}".lstrip()
    told = [] if brief else [_told(change) for change in changes if change.kind in _TOLD]
    more = [f"and {len(told) - 1:,} more"] if len(told) > 1 else []
    return [name, *told[:1], *more]


# What is said of a layer besides its symbols, which say enough of all else.
_TOLD: tuple[Kind, ...] = ("added", "removed", "replaced", "rescoped", "renamed", "config")


def _name(key: Key) -> str:
    return "(output)" if key == OUTPUT else words.cut(key[0], LONGEST_NAME) or "(no name)"


def _told(change: Change) -> str:
    return words.shortened(" ".join(said.what(change).split()), LONGEST)


def escaped(text: str) -> str:
    """Return a label that is shown as it is, and means nothing."""
    return _CHARACTER.sub(lambda found: found[1] or f"#{ord(found[0])};", plain(text))
