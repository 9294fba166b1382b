"""Text for a terminal: rich lays it out, and decides about colour and width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from kvcs.commands.show import Row, Summary
    from kvcs.repo.signatures import Signature
    from kvcs.tree.digests import Digests
    from kvcs.tree.verify import Report

UNBOUNDED = 1_000_000  # columns: no line is as long

UNITS = ("B", "kB", "MB", "GB", "TB")


def plain(text: str) -> str:
    """Return text with everything escaped that could move the cursor or hide a character."""
    if text.isprintable():  # as nearly all is: character by character would take long
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def size(count: int) -> str:
    """Return a number of bytes for a person, in powers of 1000."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f} {UNITS[unit]}" if unit else f"{count} B"


def shape(axes: tuple[int | None, ...] | None) -> str:
    """Return a shape as Keras prints it."""
    if axes is None:
        return "?"
    return f"({', '.join('None' if axis is None else str(axis) for axis in axes)})"


def summary(found: Summary) -> RenderableType:
    """Lay out `kvcs show`."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("Layer (class)", "Output shape", "Params", "Connected to"):
        table.add_column(title, justify="right" if title == "Params" else "left", overflow="fold")
    for row in found.rows:
        table.add_row(*_cells(row, found.has_weights))
    lines: list[RenderableType] = [
        Text(
            f"{plain(found.name)}: {plain(found.class_name)} ({found.build}), "
            f"Keras {plain(found.keras_version) or 'of a version that is not said'}"
        ),
        table,
        *_parameters(found),
        Text(f"Compiled: {'yes' if found.compiled else 'no'}{_optimizer(found)}"),
        Text(f"Digest: {found.digests.whole}"),
    ]
    return Group(*lines)


def _cells(row: Row, has_weights: bool) -> tuple[Text, ...]:
    shapes = ", ".join(shape(axes) for axes in row.shapes) or "?"
    what = f"= {plain(row.shared)}" if row.shared else plain(row.class_name)
    return (
        Text(f"{'  ' * row.depth}{plain(row.name)} ({what})"),
        Text(shapes),
        Text(f"{row.parameters:,}" if has_weights else "?"),
        Text(", ".join(plain(source) for source in row.inputs)),
    )


def _parameters(found: Summary) -> list[RenderableType]:
    if not found.has_weights:
        return [Text("Parameters: not known, for JSON describes a model without its weights")]
    frozen = found.parameters - found.trainable
    return [
        Text(f"Parameters: {found.parameters:,} ({size(found.size)})"),
        Text(f"  trainable {found.trainable:,}, non-trainable {frozen:,}"),
    ]


def _optimizer(found: Summary) -> str:
    if not found.optimizer:
        return ""
    values = "value" if found.optimizer == 1 else "values"
    return f", with {found.optimizer:,} {values} of optimizer state"


def report(found: Report) -> RenderableType:
    """Lay out the report of one model for `kvcs verify`."""
    return Group(*_whole(found), *_signed(getattr(found, "signature", None)))


def _whole(found: Report) -> list[Text]:
    name = plain(found.name)
    if not found.problems:
        said = f"{found.files} files, every checksum holds{_pointers(found)}"
        return [Text(f"ok       {name}: {said}")]
    count = len(found.problems)
    head = Text(f"DAMAGED  {name}: {count} problem{'s' * (count != 1)}", style="bold red")
    return [head, *[Text(f"  {plain(str(problem))}") for problem in found.problems]]


def _signed(found: Signature | None) -> list[Text]:
    if found is None:
        return []
    if found:
        return [Text(f"signed   {plain(found.message)}")]
    word = "UNSIGNED" if found.verdict == "unsigned" else "REFUSED"
    return [Text(f"{word:<8} {plain(found.message)}", style="bold red")]


def _pointers(found: Report) -> str:
    if not found.pointers:
        return ""
    return f" ({found.pointers} by Git LFS pointer, not fetched)"


def digests(found: Digests) -> RenderableType:
    """Lay out the four digests."""
    return Group(
        Text(f"architecture  {found.architecture}"),
        Text(f"weights       {found.weights}"),
        Text(f"state         {found.state}"),
        Text(f"whole         {found.whole}"),
    )


class Rows:
    """A table that has one line for each row; but on a terminal that is too narrow for that.

    Args:
        table: the table.
        narrow: what a narrow terminal shows instead; without, the table is folded there.
    """

    def __init__(self, table: Table, narrow: Table | None = None) -> None:
        self._table = table
        self._narrow = narrow or table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the table out."""
        wide = options.update(width=UNBOUNDED)
        fits = Measurement.get(console, wide, self._table).maximum <= options.max_width
        if fits or not console.is_terminal:
            return console.render(self._table, wide)
        return console.render(self._narrow, options)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise  # rich's own would exit with 1, which says that damage was found


def console(*, stderr: bool = False, color: str = "auto") -> Console:
    """Return the console: coloured only on a terminal, `NO_COLOR` honoured, nothing guessed.

    Args:
        stderr: print there.
        color: `always` or `never` whatever the terminal is.
    """
    options: dict[str, Any] = {}
    if color == "always":
        options = {"force_terminal": True, "no_color": False, "color_system": "standard"}
    elif color == "never":
        options = {"force_terminal": False, "no_color": True, "color_system": None}
    return _Console(stderr=stderr, highlight=False, markup=False, emoji=False, **options)
