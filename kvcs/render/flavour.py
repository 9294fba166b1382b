"""What the forges that show a comment make of it, and how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Flavour: TypeAlias = Literal["github", "gitlab"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is shown. Lengths are in UTF-16 units: a forge that counts characters counts fewer,
    and one that counts bytes at most three for each.

    Attributes:
        document: length of a comment.
        diagram: length of one diagram.
        at_once: length of all diagrams that are drawn before anybody asks for them. A diagram
            that comes after stands behind a title.
        nodes, edges: of one diagram.
    """

    document: int
    diagram: int
    at_once: int
    nodes: int = 60  # as many as a person takes in
    edges: int = 200


LIMITS: Mapping[Flavour, Limits] = {
    # A comment may have 65,536 characters, and a diagram 50,000 and 500 edges, by Mermaid's own
    # defaults. Each diagram is a page of its own inside the page.
    "github": Limits(document=60_000, diagram=20_000, at_once=40_000),
    # A comment may have a megabyte, which nobody reads. But a diagram of more than 2,000 characters
    # waits for a click on a warning, and so does each one after as many.
    "gitlab": Limits(document=60_000, diagram=2_000, at_once=2_000),
}


def length(text: str) -> int:
    """Return the length of a text in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
