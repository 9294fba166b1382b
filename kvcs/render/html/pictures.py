"""Pictures as paths of SVG: histograms, and a metric over versions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

HIGH = 24  # units: of the largest bar of a histogram, whose bars are one unit wide
WIDE, TALL, EDGE = 640, 120, 8  # units: of a plot, and around the line in it


def histogram(counts: Sequence[int]) -> str:
    """Return the outline of bars whose area is the square root of the counts.

    So a bar of one value beside one of thousands can still be seen.
    """
    most = math.sqrt(max(counts))
    heights = [max(round(HIGH * math.sqrt(many) / most), many > 0) for many in counts]
    path, at = f"M0 {HIGH}", 0
    for height, alike in groupby(heights):
        at += len(list(alike))
        path += f"V{HIGH - height}H{at}"
    return f"{path}V{HIGH}Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value of a plot: where it is drawn, and which it is."""

    at: int
    x: float
    y: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Numbers over versions.

    Attributes:
        line: the path through all points.
        points: the points.
        low, high: the smallest and the largest number.
    """

    line: str
    points: tuple[Point, ...]
    low: float
    high: float


def plot(values: Sequence[float | None]) -> Plot:
    """Lay out numbers, of which one at least is known, from left to right."""
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    low, high = min(value for _, value in known), max(value for _, value in known)
    points = tuple(
        Point(at=at, x=_across(at, len(values)), y=_up(value, low, high), value=value)
        for at, value in known
    )
    line = "L".join(f"{point.x:g} {point.y:g}" for point in points)
    return Plot(line=f"M{line}", points=points, low=low, high=high)


def _across(at: int, many: int) -> float:
    return round(EDGE + (WIDE - 2 * EDGE) * (at / (many - 1) if many > 1 else 0.5), 1)


def _up(value: float, low: float, high: float) -> float:
    half = high / 2 - low / 2  # the difference itself may be too large for a number
    share = (value / 2 - low / 2) / half if half else 0.5
    return round(TALL - EDGE - (TALL - 2 * EDGE) * share, 1)
