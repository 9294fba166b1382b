"""Metrics over versions as a picture: the one place that knows matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kvcs.errors import KvcsError
from kvcs.render.text import plain

if TYPE_CHECKING:
    from kvcs.commands.log import Entry

WIDTH, HEIGHT = 8.0, 2.6  # inches: of the picture, and of the panel of each metric
TICKS = 12  # versions that are named below


def picture(entries: Sequence[Entry], names: Sequence[str]) -> bytes:
    """Draw metrics over versions, a panel each; the same versions give the same PNG.

    Args:
        entries: the versions, oldest first.
        names: the metrics.

    Raises:
        KvcsError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise KvcsError(
            "a plot needs matplotlib, which is not installed: pip install 'kvcs[plot]'"
        ) from None
    output = io.BytesIO()
    # Neither the user's settings nor a letter that the font lacks makes it another picture.
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        figure = Figure(figsize=(WIDTH, HEIGHT * len(names) + 0.5), layout="constrained")
        canvas: Any = FigureCanvasAgg(figure)
        panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
        for panel, name in zip(panels, names, strict=True):
            _draw(panel, entries, name)
        _name_versions(panels[-1], entries)
        canvas.print_png(output, metadata={"Software": None})
    return output.getvalue()


def _draw(panel: Any, entries: Sequence[Entry], name: str) -> None:
    points = [(at, one.metrics[name]) for at, one in enumerate(entries) if name in one.metrics]
    panel.plot(*zip(*points, strict=True), marker="o", markersize=4, linewidth=1.2)
    panel.set_ylabel(plain(name), parse_math=False)
    panel.grid(alpha=0.3)


def _name_versions(panel: Any, entries: Sequence[Entry]) -> None:
    every = -(-len(entries) // TICKS)
    ticks = range(0, len(entries), every)
    panel.set_xticks(list(ticks), [entries[at].abbrev for at in ticks], rotation=45, ha="right")
