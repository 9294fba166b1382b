"""The last phases of the matcher: what moved far, what stands in another's place, and runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kvcs.comparison.alignment import common_settings, score
from kvcs.comparison.evidence import Side
from kvcs.comparison.pairing import ALIKE, Pairing

LEAST_MOVED = 0.45


def moves(pairing: Pairing) -> None:
    """Pair what is left with its like anywhere in the model, the best first."""
    alone = _alone(pairing)
    alike: dict[str, list[str]] = {}
    for new in pairing.new_left():
        alike.setdefault(pairing.new.traits[new].config, []).append(new)
    found = [
        (-fit, old, new)
        for old in pairing.old_left()
        for new in alike.get(pairing.old.traits[old].config, ())
        if (fit := _moved(pairing, old, new, alone)) is not None
    ]
    for fit, old, new in sorted(found):
        pairing.put(old, new, "moved", min(0.8, -fit))


def _moved(pairing: Pairing, old: str, new: str, alone: set[str]) -> float | None:
    mine, yours = pairing.old.traits[old], pairing.new.traits[new]
    if mine.shapes != yours.shapes:
        return None
    alike = pairing.alike(old, new)
    near = _near(pairing, old, new)
    if alike is not None and alike < ALIKE and not near:
        return None
    # What consumes an input may have changed altogether.
    sure = alike is not None or near or mine.config in alone or mine.cls == "InputLayer"
    found = score(pairing, old, new)
    return found if sure and found is not None and found >= LEAST_MOVED else None


def _near(pairing: Pairing, old: str, new: str) -> bool:
    """Tell whether the two have neighbours, above or below, that are a pair."""
    ours, theirs = pairing.old.graph, pairing.new.graph
    around = {pairing.there.get(path) for path in (*ours.before[old], *ours.after[old])}
    return bool(around & {*theirs.before[new], *theirs.after[new]})


def _alone(pairing: Pairing) -> set[str]:
    """Return the settings that only one layer of either model has."""
    found: set[str] = set()
    for number, side in enumerate((pairing.old, pairing.new)):
        counts: dict[str, int] = {}
        for traits in side.traits.values():
            counts[traits.config] = counts.get(traits.config, 0) + 1
        single = {config for config, count in counts.items() if count == 1}
        found = found & single if number else single
    return found


def replacements(pairing: Pairing) -> None:
    """Pair what stands alone in one place of both models, whatever it is."""
    old, new = (_slots(pairing, forward=forward) for forward in (True, False))
    for slot, path in old.items():
        if slot not in new or path is None or new[slot] is None:
            continue
        other = new[slot]
        assert other is not None
        fit = 0.5 if _same_class(pairing, path, other) else 0.4
        pairing.put(path, other, "place", fit)


def _same_class(pairing: Pairing, old: str, new: str) -> bool:
    mine, yours = pairing.old.traits[old], pairing.new.traits[new]
    return mine.cls == yours.cls and common_settings(pairing, old, new) > 0


def _slots(pairing: Pairing, *, forward: bool) -> dict[tuple[object, object], str | None]:
    """Return what is left by the pairs around it; None where there is more than one."""
    side = pairing.old if forward else pairing.new
    partners = pairing.there if forward else {new: new for new in pairing.back}
    left = pairing.old_left() if forward else pairing.new_left()
    found: dict[tuple[object, object], str | None] = {}
    for path in left:
        above = _reached(path, side.graph.before, partners)
        below = _reached(path, side.graph.after, partners)
        ends = path in side.graph.ends if not below else False
        slot = (frozenset(above), (frozenset(below), ends))
        found[slot] = None if slot in found else path
    return found


def _reached(
    path: str, edges: Mapping[str, tuple[str, ...]], partners: Mapping[str, str]
) -> Iterator[str]:
    """Yield the nearest pairs in one direction, by their names in the new model."""
    seen, waiting = {path}, list(edges[path])
    while waiting:
        other = waiting.pop()
        if other in seen:
            continue
        seen.add(other)
        if other in partners:
            yield partners[other]
        else:
            waiting += edges[other]


def settle_runs(pairing: Pairing) -> tuple[frozenset[str], frozenset[str]]:
    """In a run of equal layers of which one has no partner, let that be the last of them.

    Any of them could be it; the same choice is made wherever the model was changed before.

    Returns:
        The layers without a partner, of the old and of the new model, that stand in such a run.
    """
    removed = _slide(pairing, pairing.old, pairing.there, forward=True)
    added = _slide(pairing, pairing.new, pairing.back, forward=False)
    return frozenset(removed), frozenset(added)


def _slide(pairing: Pairing, side: Side, partners: Mapping[str, str], *, forward: bool) -> set[str]:
    found = set()
    for start in [path for path in side.traits if path not in partners]:
        path = start
        while (following := _next_in_run(side, path)) is not None:
            if following not in partners or not _loose(pairing, partners, following, forward):
                break
            partner, how = partners[following], None
            old = following if forward else partner
            how = pairing.how[old]
            pairing.part(old)
            pairing.put(*((path, partner) if forward else (partner, path)), *how)
            path = following
        if path != start or _ends_run(pairing, side, partners, path, forward):
            found.add(path)
    return found


def _ends_run(
    pairing: Pairing, side: Side, partners: Mapping[str, str], path: str, forward: bool
) -> bool:
    """Tell whether the layer above is equal, and could as well be the one without a partner."""
    above = side.graph.before[path]
    if len(above) != 1 or _next_in_run(side, above[0]) != path or above[0] not in partners:
        return False
    return _loose(pairing, partners, above[0], forward)


def _next_in_run(side: Side, path: str) -> str | None:
    """Return the layer below, if it is the only one and equal."""
    below = side.graph.after[path]
    if len(below) != 1 or len(side.graph.before[below[0]]) != 1:
        return None
    mine, yours = side.traits[path], side.traits[below[0]]
    scopes = [side.graph.nodes[one].scope for one in (path, below[0])]
    same = mine.config == yours.config and mine.shapes == yours.shapes and scopes[0] == scopes[1]
    return below[0] if same and not yours.chosen else None


def _loose(pairing: Pairing, partners: Mapping[str, str], path: str, forward: bool) -> bool:
    """Tell whether only structure speaks for a pair, and not its weights or a person."""
    old = path if forward else partners[path]
    if pairing.how[old].strategy in ("hint", "name", "digest", "weights"):
        return False
    new = partners[path] if forward else path
    mine, yours = pairing.old.traits[old].digest, pairing.new.traits[new].digest
    return mine is None or mine != yours or len(pairing.old.by_digest[mine]) > 1
