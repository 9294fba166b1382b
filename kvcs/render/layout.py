"""Lines that fit a width: what is too long goes on in lines that cannot be taken for new ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.text import Text

from kvcs.render.marks import in_ascii

WIDTH = 100  # columns, where there is no terminal
NARROWEST = 40
MORE = "      ┆ "  # begins what goes on; no symbol and no path ever stands in its place


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a diff is laid out.

    Attributes:
        ascii: nothing but ASCII.
        width: columns of a line; None breaks none.
        everything: also what is folded otherwise.
    """

    ascii: bool = False
    width: int | None = None
    everything: bool = False

    def fitted(self, line: Text) -> list[Text]:
        """Return a line as one or more that fit."""
        plain = in_ascii(line.plain) if self.ascii else line.plain
        parts = [plain] if self.width is None else list(broken(plain, self.width))
        first, *others = parts
        more = in_ascii(MORE) if self.ascii else MORE
        return [Text(first, line.style), *(Text(more + part, line.style) for part in others)]


def padded(text: str, width: int) -> str:
    """Fill text up to a number of columns; some characters take two."""
    return text + " " * (width - cell_len(text))


def broken(text: str, width: int) -> Iterator[str]:
    """Yield text in pieces, the first of a width and the others narrower by that of `MORE`."""
    narrower = width - len(MORE)
    while cell_len(text) > width:
        head, text = _split(text, width)
        yield head
        width = narrower
    yield text


def _split(text: str, width: int) -> tuple[str, str]:
    """Split text where a line ends: at a space in its second half, or else within a word."""
    fits = chop_cells(text, width)[0]
    at = fits.rfind(" ") if text[len(fits)] != " " else len(fits)
    if at <= len(fits) // 2:
        at = len(fits)
    return text[:at].rstrip(" ") or text[:at], text[at:].lstrip(" ")
