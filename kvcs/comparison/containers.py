"""Models inside models, compared as a second, cheaper tree: by the layers they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kvcs.comparison.graph import Container, Graph
from kvcs.comparison.matcher import Match
from kvcs.comparison.pairing import How

LEAST_COMMON = 0.5  # share of the layers in two models that must be pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """Which model inside the old model is which of the new one, and their inputs.

    Attributes:
        there, how: as of a `Match`.
        back: as of a `Match`.
        ports: pairs of their inputs, which the dataflow does not show.
        aliases: pairs of places where a shared layer stands once more.
    """

    there: Mapping[str, str]
    back: Mapping[str, str]
    how: Mapping[str, How]
    ports: Mapping[str, str]
    aliases: Mapping[str, str]


def match_containers(old: Graph, new: Graph, found: Match) -> Containers:
    """Pair the models that hold the same layers; the outermost ones are a pair."""
    there, how = {"": ""}, {"": How("root", 1.0)}
    for score, one, other in _candidates(old, new, found):
        if one not in there and other not in there.values():
            there[one] = other
            how[one] = How("contents", round(score, 3))
    back = {other: one for one, other in there.items()}
    ports: dict[str, str] = {}
    for one, other in there.items():
        ports |= _ports(old.containers[one], new.containers[other])
    aliases = _aliases(old, new, {**found.there, **there})
    return Containers(there=there, back=back, how=how, ports=ports, aliases=aliases)


def _candidates(old: Graph, new: Graph, found: Match) -> list[tuple[float, str, str]]:
    """List what could be a pair, the best first; of equal ones, those with the same name."""
    ours, theirs = contents(old), contents(new)
    candidates = []
    for one, layers in ours.items():
        partners = {found.there[path] for path in layers if path in found.there}
        for other, others in theirs.items():
            share = _share(partners, layers, others)
            if one and other and share >= LEAST_COMMON:
                alike = _alike(old.containers[one], new.containers[other])
                candidates.append((-share, -alike, one, other))
    return [(-share, one, other) for share, _, one, other in sorted(candidates)]


def _share(partners: set[str], layers: set[str], others: set[str]) -> float:
    if not layers and not others:
        return LEAST_COMMON
    # The smaller counts: a model to which many layers were added is still the same.
    return len(partners & others) / max(min(len(layers), len(others)), 1)


def _alike(one: Container, other: Container) -> int:
    same_depth = one.path.count("/") == other.path.count("/")
    return 2 * (one.name == other.name) + (one.spec.cls == other.spec.cls) + same_depth


def contents(graph: Graph) -> dict[str, set[str]]:
    """Return the layers in each model, at any depth."""
    found: dict[str, set[str]] = {path: set() for path in graph.containers}
    for path, node in graph.nodes.items():
        scope = node.scope
        while scope:
            found[scope].add(path)
            scope = graph.containers[scope].scope
    found[""] = set(graph.nodes)
    return found


def _ports(one: Container, other: Container) -> dict[str, str]:
    return dict(zip(one.ports, other.ports, strict=False))


def _aliases(old: Graph, new: Graph, there: Mapping[str, str]) -> dict[str, str]:
    """Pair what stands for the same layer in the same model, in order."""
    free: dict[tuple[str, str], list[str]] = {}
    for path, target in new.aliases.items():
        free.setdefault((_scope(path), target), []).append(path)
    found = {}
    for path, target in old.aliases.items():
        scope = there.get(_scope(path))
        others = free.get((scope, there.get(target, "\0"))) if scope is not None else None
        if others:
            found[path] = others.pop(0)
    return found


def _scope(path: str) -> str:
    return path.rpartition("/")[0]
