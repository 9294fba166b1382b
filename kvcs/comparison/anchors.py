"""The first phases of the matcher: pairs that stand by themselves, each for one reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from kvcs.comparison.evidence import Side, Traits
from kvcs.comparison.pairing import ALIKE, CLEARLY, Pairing
from kvcs.errors import KvcsError

# Layers of one class and shape that are compared by weights, each with each.
MAX_ALIKE = 300


def by_hint(pairing: Pairing, hints: Mapping[str, str]) -> None:
    """Pair what the user says is the same.

    Raises:
        KvcsError: there is no such layer, or it is named twice.
    """
    for old, new in hints.items():
        for path, side, which in ((old, pairing.old, "old"), (new, pairing.new, "new")):
            if path not in side.traits:
                raise KvcsError(f"the {which} model has no layer {path!r}{_close(path, side)}")
        if not pairing.put(old, new, "hint", 1.0):
            raise KvcsError(f"--map {old}={new}: one of the two is already mapped")


def _close(path: str, side: Side) -> str:
    from difflib import get_close_matches

    found = get_close_matches(path, side.traits, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def by_digest(pairing: Pairing) -> None:
    """Pair layers whose informative weights are the same, and nobody else's."""
    old, new = pairing.old.traits, pairing.new.traits
    pairing.unique(
        lambda path: old[path].digest and (old[path].digest, old[path].config),
        lambda path: new[path].digest and (new[path].digest, new[path].config),
        "digest",
        1.0,
    )
    _discredit(pairing)
    for name in _weight_names(pairing):
        ours, theirs = (partial(_weight, pairing, side, name) for side in (old, new))
        pairing.unique(ours, theirs, "digest", 0.95)


def _weight(
    pairing: Pairing, traits: Mapping[str, Traits], name: str, path: str
) -> tuple[str, str] | None:
    found = traits[path]
    if name not in found.weights or found.digest in pairing.discredited:
        return None
    return (found.cls, found.weights[name])


def _weight_names(pairing: Pairing) -> list[str]:
    names = {name for path in pairing.old_left() for name in pairing.old.traits[path].weights}
    return sorted(names)


def _discredit(pairing: Pairing) -> None:
    """Set aside digests that settings speak against.

    After a rebuild with the same seed, an inserted layer has the weights that stood in its place
    before. The layer that stood there is another one, with the same settings as before.
    """
    old_configs = _configs(pairing.old, pairing.old_left())
    new_configs = _configs(pairing.new, pairing.new_left())
    for path in pairing.old_left():
        mine = pairing.old.traits[path]
        for other in pairing.new.by_digest.get(mine.digest or "", ()):
            yours = pairing.new.traits[other]
            if other in pairing.back or mine.config == yours.config:
                continue
            if (mine.config, mine.shapes) in new_configs or (
                yours.config,
                yours.shapes,
            ) in old_configs:
                pairing.discredited.add(mine.digest or "")


def _configs(side: Side, paths: Iterable[str]) -> set[tuple[str, str]]:
    return {(side.traits[path].config, side.traits[path].shapes) for path in paths}


def by_name(pairing: Pairing) -> None:
    """Pair layers of one class with the name that a person gave them, in the same model first."""
    old, new = pairing.old, pairing.new
    pairing.unique(
        lambda path: (path, old.traits[path].cls) if old.traits[path].chosen else None,
        lambda path: (path, new.traits[path].cls) if new.traits[path].chosen else None,
        "name",
        0.95,
    )
    pairing.unique(lambda path: _name(old, path), lambda path: _name(new, path), "name", 0.9)


def _name(side: Side, path: str) -> tuple[str, str] | None:
    traits = side.traits[path]
    return (side.graph.nodes[path].name, traits.cls) if traits.chosen else None


def by_context(pairing: Pairing) -> None:
    """Pair layers with the same settings, above and below which all is the same."""
    old, new = pairing.old, pairing.new
    pairing.unique(
        lambda path: (old.upward[path], old.downward[path]),
        lambda path: (new.upward[path], new.downward[path]),
        "structure",
        0.95,
        pairing.fits,
    )


def by_likeness(pairing: Pairing) -> None:
    """Pair layers whose weights are each other's most alike, by far: trained on."""
    if pairing.likeness is None:
        return
    best = _best(pairing, forward=True)
    back = _best(pairing, forward=False)
    for old, (new, score) in best.items():
        if back.get(new, ("", 0.0))[0] == old:
            pairing.put(old, new, "weights", min(0.95, score))


def _best(pairing: Pairing, *, forward: bool) -> dict[str, tuple[str, float]]:
    """Return the best partner of each layer that has one better than all others."""
    mine, yours = pairing.old_left(), pairing.new_left()
    sides = (pairing.old, pairing.new) if forward else (pairing.new, pairing.old)
    ours, theirs = (list(mine), list(yours)) if forward else (list(yours), list(mine))
    groups: dict[tuple[str, str], list[str]] = {}
    for path in theirs:
        traits = sides[1].traits[path]
        groups.setdefault((traits.cls, traits.shapes), []).append(path)
    found = {}
    for path in ours:
        traits = sides[0].traits[path]
        others = groups.get((traits.cls, traits.shapes), [])
        if len(others) > MAX_ALIKE:
            continue
        ranked = sorted(
            (
                (pairing.alike(*((path, other) if forward else (other, path))) or 0.0, other)
                for other in others
            ),
            key=lambda pair: -pair[0],
        )
        if ranked and ranked[0][0] >= ALIKE:
            second = ranked[1][0] if len(ranked) > 1 else 0.0
            if ranked[0][0] - second >= CLEARLY:
                found[path] = (ranked[0][1], ranked[0][0])
    return found


def from_one_end(pairing: Pairing) -> None:
    """Pair layers with the same settings above which, or else below which, all is the same.

    From above first: so in a run of equal layers, one that was inserted is taken to be the last.
    """
    old, new = pairing.old, pairing.new
    pairing.unique(old.upward.__getitem__, new.upward.__getitem__, "structure", 0.85, pairing.fits)
    pairing.unique(
        old.downward.__getitem__, new.downward.__getitem__, "structure", 0.85, pairing.fits
    )


def propagate(pairing: Pairing) -> None:
    """Pair what pairs lead to: the one layer with these settings that consumes, or feeds, them."""
    waiting = list(pairing.old_left())
    while waiting:
        found = [path for path in waiting if _by_neighbours(pairing, path)]
        if not found:
            return
        waiting = [path for path in waiting if path not in pairing.there]


def _by_neighbours(pairing: Pairing, path: str) -> bool:
    old, new = pairing.old.graph, pairing.new.graph
    config = pairing.old.traits[path].config
    for ours, our_back, theirs, their_back in (
        (old.before, old.after, new.before, new.after),
        (old.after, old.before, new.after, new.before),
    ):
        partners = {pairing.there.get(neighbour, "") for neighbour in ours[path]} - {""}
        if not partners or len(partners) < len(ours[path]):
            continue
        rivals = _with(config, set(ours[path]), ours, our_back, pairing.old)
        candidates = _with(config, partners, theirs, their_back, pairing.new)
        rivals = [other for other in rivals if other not in pairing.there]
        candidates = [
            other
            for other in candidates
            if other not in pairing.back and pairing.same_slots(path, other)
        ]
        if len(candidates) == len(rivals) == 1 and pairing.plausible(path, candidates[0]):
            return pairing.put(path, candidates[0], "neighbours", 0.85)
    return False


def _with(
    config: str,
    neighbours: set[str],
    edges: Mapping[str, tuple[str, ...]],
    back: Mapping[str, tuple[str, ...]],
    side: Side,
) -> list[str]:
    """Return the layers that have these settings and exactly these neighbours."""
    return [
        path
        for path in back[min(neighbours)]
        if set(edges[path]) == neighbours and side.traits[path].config == config
    ]
