"""Text of others inside of Markdown: it can be read there, and does nothing.

In a comment on GitHub or GitLab, a name could mention a team (`@team`), link an issue (`#1`), start
HTML, a table or a code block. Inside of code, neither looks for any of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kvcs.render.text import plain

_LETTER = re.compile(r"[A-Za-z0-9 ]")


def code(text: str) -> str:
    """Return one line of anybody's text as code."""
    text = plain(text)
    if not text.strip():
        return "–"
    if "|" in text:
        # Would end the cell of a table, even in code, and parsers differ about a backslash there.
        # A numeric entity, no parser takes for structure.
        safe = (char if _LETTER.fullmatch(char) else f"&#{ord(char)};" for char in text)
        return f"<code>{''.join(safe)}</code>"
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{space}{text}{space}{fence}"


def block(lines: Iterable[str], language: str) -> list[str]:
    """Return lines as a code block, between fences longer than any that stands in them."""
    body = [plain(line) for line in lines]
    runs = [len(run) for line in body for run in re.findall("`+", line)]
    fence = "`" * max(3, 1 + max(runs, default=0))
    return [f"{fence}{language}", *body, fence]


def row(cells: Sequence[str]) -> str:
    """Return one row of a table; the cells are Markdown, without a pipe."""
    return f"| {' | '.join(cells)} |"


def table(head: Sequence[str], right: Iterable[int] = ()) -> list[str]:
    """Return the head of a table; `right` are the columns of numbers."""
    right = set(right)
    rule = ["---:" if index in right else "---" for index in range(len(head))]
    return [row(head), row(rule)]
