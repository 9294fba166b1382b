"""What lies between two pairs is aligned as two sequences (Needleman and Wunsch, 1970)."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from kvcs.comparison.evidence import COMMUTATIVE, Side
from kvcs.comparison.pairing import ALIKE, Pairing

LEAST_SETTINGS = 0.5  # share of settings that two layers with other settings have in common
MAX_CELLS = 4_000_000  # beyond it an alignment takes seconds; the rest is left to later phases
ALL_CELLS = 40_000  # up to it each layer of a gap is compared with each other one, beyond it
NEAR = 40  # only with as many before and behind its place


def align(pairing: Pairing) -> None:
    """Pair layers of one class within each gap, in order, so that the sum of scores is highest."""
    old_order = order(pairing.old, {})
    rank = {path: index for index, path in enumerate(old_order)}
    new_order = order(pairing.new, {new: rank[old] for new, old in pairing.back.items()})
    for ours, theirs in list(_gaps(pairing, old_order, new_order)):
        if len(ours) * len(theirs) <= MAX_CELLS:
            _align_gap(pairing, ours, theirs)


def order(side: Side, known: Mapping[str, int]) -> list[str]:
    """Return the layers in an order that no name decides: what is consumed comes first.

    Branches follow one after the other: first the one that leads to the lowest `known` rank,
    then by structure.
    """
    graph = side.graph
    reach: dict[str, tuple[float, int]] = {}
    for path in reversed(list(graph.nodes)):
        ahead = [(reach[user][0], _slot(side, path, user, reach)) for user in graph.after[path]]
        reach[path] = (known[path], 0) if path in known else min(ahead, default=(math.inf, 0))

    def place(path: str) -> tuple[tuple[float, int], str, str, int]:
        return reach[path], side.downward[path], side.upward[path], graph.position[path]

    waiting = {path: len(sources) for path, sources in graph.before.items()}
    stack = sorted((path for path, count in waiting.items() if not count), key=place, reverse=True)
    found = []
    while stack:
        path = stack.pop()
        found.append(path)
        ready = []
        for user in graph.after[path]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
        stack += sorted(ready, key=place, reverse=True)
    return found


def _slot(side: Side, path: str, user: str, reach: Mapping[str, tuple[float, int]]) -> int:
    """Return as which of its inputs the next layer that joins branches takes this one."""
    sources = side.graph.before[user]
    if len(sources) == 1 or side.traits[user].cls in COMMUTATIVE:
        return reach[user][1]
    return sources.index(path)


def _gaps(
    pairing: Pairing, old_order: Sequence[str], new_order: Sequence[str]
) -> Iterator[tuple[list[str], list[str]]]:
    """Yield what is not paired between pairs that follow each other on both sides."""
    position = {path: index for index, path in enumerate(new_order)}
    anchors = [
        (index, position[pairing.there[path]])
        for index, path in enumerate(old_order)
        if path in pairing.there
    ]
    chain = [(-1, -1), *increasing(anchors), (len(old_order), len(new_order))]
    for (old_start, new_start), (old_end, new_end) in pairwise(chain):
        ours = [p for p in old_order[old_start + 1 : old_end] if p not in pairing.there]
        theirs = [p for p in new_order[new_start + 1 : new_end] if p not in pairing.back]
        if ours and theirs:
            yield ours, theirs


def increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return a longest part of the pairs, sorted by their first, that also rises in its second."""
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, (_, value) in enumerate(pairs):
        length = bisect_left(ends, value)
        before.append(at[length - 1] if length else -1)
        ends[length:] = [*([value]), *ends[length + 1 :]]
        at[length:] = [*([index]), *at[length + 1 :]]
    found = []
    index = at[-1] if at else -1
    while index >= 0:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]


def _align_gap(pairing: Pairing, ours: Sequence[str], theirs: Sequence[str]) -> None:
    cells = [
        (i, j)
        for i, j in _cells(len(ours), len(theirs))
        if pairing.old.traits[ours[i]].cls == pairing.new.traits[theirs[j]].cls
    ]
    trained = any((pairing.alike(ours[i], theirs[j]) or 0.0) >= ALIKE for i, j in cells)
    scores = {
        (i, j): found
        for i, j in cells
        if (found := score(pairing, ours[i], theirs[j], by_weights=trained)) is not None
    }
    for i, j in _best_path(scores, len(ours), len(theirs)):
        pairing.put(ours[i], theirs[j], "aligned", scores[i, j])


def _cells(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Yield which layers of a gap are compared: in a long one, those in about the same place."""
    width = columns if rows * columns <= ALL_CELLS else NEAR + abs(rows - columns)
    for i in range(rows):
        middle = i * columns // rows
        for j in range(max(0, middle - width), min(columns, middle + width + 1)):
            yield i, j


def _best_path(
    scores: Mapping[tuple[int, int], float], rows: int, columns: int
) -> list[tuple[int, int]]:
    """Return the pairs of the best alignment; of equally good ones, those that come first."""
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            best[i][j] = max(best[i - 1][j], best[i][j - 1])
            if (i - 1, j - 1) in scores:
                best[i][j] = max(best[i][j], best[i - 1][j - 1] + scores[i - 1, j - 1])
    found, i, j = [], rows, columns
    while i and j:
        if math.isclose(best[i][j], best[i][j - 1], abs_tol=1e-9):
            j -= 1
        elif math.isclose(best[i][j], best[i - 1][j], abs_tol=1e-9):
            i -= 1
        else:
            i, j = i - 1, j - 1
            found.append((i, j))
    return found[::-1]


def score(pairing: Pairing, old: str, new: str, *, by_weights: bool = True) -> float | None:
    """Tell how well two layers fit, from 0 to 1; None when they cannot be a pair.

    Args:
        pairing: what is known so far.
        old: a layer of the old model.
        new: a layer of the new one.
        by_weights: whether weights that are not alike speak against the pair. They do not where
            no weights are alike, for then all were made anew.
    """
    mine, yours = pairing.old.traits[old], pairing.new.traits[new]
    if mine.cls != yours.cls or not pairing.plausible(old, new):
        return None
    settings = common_settings(pairing, old, new)
    above, below = context(pairing, old, new)
    if mine.config != yours.config:
        if settings < LEAST_SETTINGS and not (above and below):
            return None
        if mine.shapes != yours.shapes and not (above and below):
            return None
    weights = 1.0 if mine.shapes == yours.shapes else 0.0
    alike = pairing.alike(old, new) if by_weights else None
    if alike is not None and weights:
        weights = max(0.0, alike)
    names = pairing.old.graph.nodes[old], pairing.new.graph.nodes[new]
    found = 0.3 * settings + 0.4 * weights + 0.12 * (above + below)
    return (
        found + 0.03 * (names[0].name == names[1].name) + 0.03 * (names[0].scope == names[1].scope)
    )


def common_settings(pairing: Pairing, old: str, new: str) -> float:
    """Return the share of settings that two layers have in common."""
    mine, yours = pairing.old.traits[old].settings, pairing.new.traits[new].settings
    keys = mine.keys() | yours.keys()
    return sum(mine.get(key) == yours.get(key) for key in keys) / len(keys) if keys else 1.0


def context(pairing: Pairing, old: str, new: str) -> tuple[float, float]:
    """Tell how well what stands above two layers fits, and what stands below, from 0 to 1."""
    ours, theirs = pairing.old.graph, pairing.new.graph
    above = _neighbours_fit(pairing, ours.before[old], theirs.before[new])
    if not ours.after[old] and not theirs.after[new]:
        return above, float((old in ours.ends) == (new in theirs.ends))
    below = _neighbours_fit(pairing, ours.after[old], theirs.after[new])
    return above, below if pairing.same_slots(old, new) else 0.7 * below


def _neighbours_fit(pairing: Pairing, ours: Sequence[str], theirs: Sequence[str]) -> float:
    if not ours and not theirs:
        return 1.0
    if any(pairing.there.get(path) in theirs for path in ours if path in pairing.there):
        return 1.0
    left = {pairing.new.traits[path].cls for path in theirs if path not in pairing.back}
    unpaired = {pairing.old.traits[path].cls for path in ours if path not in pairing.there}
    return 0.5 if left & unpaired else 0.0
