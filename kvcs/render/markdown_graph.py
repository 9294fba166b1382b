"""The section of a comment that draws the layers that changed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial

from kvcs.comparison import Diff
from kvcs.render import words
from kvcs.render.diff import Key
from kvcs.render.flavour import Limits, length
from kvcs.render.markdown_text import block, code
from kvcs.render.marks import MARKS
from kvcs.render.mermaid import flowchart
from kvcs.render.neighbourhood import Both, Drawing, both, drawn

TITLE = "Graph of what changed"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A diagram that fits, and how many of the layers that changed are in it."""

    layers: int
    drawing: Drawing
    diagram: Sequence[str]

    def fits(self, limits: Limits) -> bool:
        """Tell whether a forge draws it."""
        return (
            len(self.drawing.spots) <= limits.nodes
            and len(self.drawing.edges) <= limits.edges
            and self.length <= limits.diagram
        )

    @property
    def length(self) -> int:
        """The length of the diagram."""
        return length("\n".join(self.diagram)) + 1


def graph_of(diff: Diff) -> Both | None:
    """Return what is to be drawn; nothing where the models differ in weights alone, or in all."""
    found = both(diff) if diff.related else None
    return found if found and found.focus else None


class Graph:
    """A graph, as a section: its rows are layers that changed.

    Args:
        graph: both models.
        limits: what the forge draws.
        room: length of what is drawn at once; a longer graph stands behind its title.
    """

    name = "graph"

    def __init__(self, graph: Both, limits: Limits, room: int) -> None:
        self.rows: Sequence[Key] = graph.focus
        self._graph = graph
        self._fitted = cache(partial(_fitted, graph, limits))
        self._body = cache(self._laid_out)
        self.open = self.length <= room

    @property
    def length(self) -> int:
        """The length of the diagram with all its rows."""
        found = self._fitted(len(self.rows))
        return found.length if found else 0

    def lines(self, most: int | None = None) -> list[str]:
        """Return the section, with at most some rows."""
        body = self._body(len(self.rows) if most is None else min(most, len(self.rows)))
        if self.open or not body:  # without a title around it, behind which GitLab draws nothing
            return body
        return [f"<details><summary>{TITLE}</summary>", "", *body, "", "</details>"]

    def _laid_out(self, most: int) -> list[str]:
        found = self._fitted(most)
        if found is None:
            return []
        left = len(self.rows) - found.layers
        return [
            *block(found.diagram, "mermaid"),
            "",
            ", ".join(_legend(self._graph, found.drawing)),
            *(["", f"… {words.count(left, 'more layer')} that changed, not drawn"] if left else []),
        ]


def _fitted(graph: Both, limits: Limits, most: int) -> Fitted | None:
    """Return the diagram that shows most of some layers that changed.

    First it is told less of each layer, then fewer layers are shown, and the layers beside them
    only where that leaves room for any.
    """
    for brief in (False, True):
        found = _drawn(graph, most, brief=brief) if 0 < most <= limits.nodes else None
        if found and found.fits(limits):
            return found
    for context in (True, False):
        counts = range(1, min(most, limits.nodes) + 1)
        fewest = bisect_left(
            counts, True, key=lambda many: not _drawn(graph, many, context=context).fits(limits)
        )
        if fewest:
            return _drawn(graph, fewest, context=context)
    return None


def _drawn(graph: Both, most: int, *, brief: bool = True, context: bool = True) -> Fitted:
    drawing = drawn(graph, most, context=context)
    return Fitted(most, drawing, flowchart(graph, drawing, brief=brief))


def _legend(graph: Both, drawing: Drawing) -> Iterator[str]:
    shown = [key for spot in drawing.spots if spot.shown for key in spot.layers]
    kinds = {change.kind for key in shown for change in graph.changes.get(key, ())}
    for kind, mark in MARKS.items():
        if kind in kinds:
            yield f"{code(mark.symbol)} {mark.word}"
    sides = set(drawing.edges.values())
    if "new" in sides:
        yield "thick arrow: connection added"
    if "old" in sides:
        yield "dotted arrow: connection removed"
