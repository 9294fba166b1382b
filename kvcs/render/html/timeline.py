"""The versions of a model as a page: its metrics drawn over them, and what changed in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kvcs.render import words
from kvcs.render.history import phrase
from kvcs.render.html import assets
from kvcs.render.html.pictures import Plot, plot
from kvcs.render.text import plain

if TYPE_CHECKING:
    from kvcs.commands.log import Entry, Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A version: texts, the values of all metrics, and where its report is, if anywhere."""

    number: int
    abbrev: str
    date: str
    author: str
    subject: str
    change: str
    parameters: str
    metrics: tuple[str, ...]
    report: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A point of a plot, and the version it stands for."""

    x: float
    y: float
    version: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A plot: a path, points, and the numbers of its lower and its upper end."""

    line: str
    points: tuple[Dot, ...]
    low: str
    high: str


def timeline_page(
    found: Log, reports: Mapping[str, str] | None = None, *, reverse: bool = False
) -> str:
    """Return the versions of a model as a page.

    Args:
        found: the versions.
        reports: for each commit that has one, where its report is, from the page; None where
            there are to be none.
        reverse: the oldest version first.
    """
    names = _names(found)
    rows = [_row(number, entry, names, reports or {}) for number, entry in enumerate(found)]
    return assets.page(
        "timeline.html",
        interactive=False,
        title=words.path(found.path),
        versions=words.count(len(found), "version"),
        plots=[(words.cut(name), _plot(found, name)) for name in names],
        metrics=[words.cut(name) for name in names],
        rows=rows[::-1] if reverse else rows,
        reports=reports is not None,
        notes=[_cut(entry) for entry in found if entry.cut],
    )


def timeline_fragment(found: Log) -> str:
    """Return the versions of a model for a notebook."""
    names = _names(found)
    return assets.fragment(
        "log_fragment.html",
        title=words.path(found.path),
        versions=words.count(len(found), "version"),
        metrics=[words.cut(name) for name in names],
        rows=[_row(number, entry, names, {}) for number, entry in enumerate(found)],
    )


def _names(found: Log) -> list[str]:
    return sorted({name for entry in found for name in entry.metrics})


def _row(number: int, entry: Entry, names: Sequence[str], reports: Mapping[str, str]) -> Row:
    values = (entry.metrics.get(name) for name in names)
    return Row(
        number=number,
        abbrev=entry.abbrev,
        date=entry.date[:10],
        author=words.shortened(entry.author),
        subject=words.shortened(entry.subject, 240),
        change=phrase(entry),
        parameters="" if entry.parameters is None else f"{entry.parameters:,}",
        metrics=tuple("" if value is None else f"{value:.4g}" for value in values),
        report=reports.get(entry.commit, ""),
    )


def _plot(found: Log, name: str) -> Drawn:
    entries = found.entries[::-1]
    drawn: Plot = plot([entry.metrics.get(name) for entry in entries])
    dots = []
    for point in drawn.points:
        entry = entries[point.at]
        title = f"{entry.abbrev} {plain(entry.subject[:80])}: {point.value:.4g}"
        version = len(entries) - 1 - point.at
        dots.append(Dot(x=point.x, y=point.y, version=version, title=title))
    return Drawn(
        line=drawn.line, points=tuple(dots), low=f"{drawn.low:.4g}", high=f"{drawn.high:.4g}"
    )


def _cut(entry: Entry) -> str:
    return (
        f"A shallow clone holds nothing before {entry.abbrev}; "
        "`git fetch --unshallow` brings the rest."
    )
