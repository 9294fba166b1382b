"""Which connections differ, once layers that were put in, taken out or moved are accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TypeAlias

from kvcs.comparison.contraction import OUTPUT, Contraction, Feed, Root, Seen, contracted
from kvcs.comparison.evidence import COMMUTATIVE
from kvcs.comparison.graph import Graph, Node

LEAST_EXPLAINED = 4  # connections; one that merely moves its end explains two

Feeds: TypeAlias = Set[Feed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection that only one model has; paths are of that model.

    Attributes:
        source: where it begins; the path of a layer.
        consumer: where it ends; empty for the output of the model.
        through: layers without a partner on its way.
    """

    source: str
    consumer: str
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """What is different about the connections of two models.

    Attributes:
        added, removed: connections of the new, and of the old model.
        moved: layers that stand in another place, by new path.
        reordered: layers whose inputs are the same in another order, by new path.
    """

    added: tuple[Connection, ...]
    removed: tuple[Connection, ...]
    moved: tuple[str, ...]
    reordered: tuple[str, ...]


def compare_edges(
    old: Graph, new: Graph, there: Mapping[str, str], back: Mapping[str, str]
) -> Edges:
    """Compare the connections of two models, given their pairs."""
    ours, theirs = contracted(old, new, there, back)
    before, after = ours.feeds(), theirs.feeds()
    grown = len(new.outputs) - len(old.outputs)
    _explain_outputs(before, grown < 0)
    _explain_outputs(after, grown > 0)
    moved, before_left, after_left = _explain_moves(new, set(before), set(after))
    names = {new_path: old_path for old_path, new_path in there.items()}
    removed = [_connection(feed, before[feed], names) for feed in sorted(before_left - after_left)]
    added = [_connection(feed, after[feed], {}) for feed in sorted(after_left - before_left)]
    removed += [_extra(root, path, names) for root, path in ours.extra_inputs()]
    added += [_extra(root, path, {}) for root, path in theirs.extra_inputs()]
    touched = {path for feed in before_left ^ after_left for path in (feed.source, feed.consumer)}
    more, fewer = _repeated(ours, theirs, there, touched | set(moved))
    return Edges(
        added=(*added, *more),
        removed=(*removed, *fewer),
        moved=tuple(moved),
        reordered=tuple(_reordered(ours, theirs, there)),
    )


def _explain_outputs(feeds: dict[Feed, tuple[str, ...]], explained: bool) -> None:
    """Leave out what layers of one side alone give out, where the model has more outputs."""
    if explained:
        for feed in [feed for feed, through in feeds.items() if through]:
            if feed.consumer == OUTPUT:
                del feeds[feed]


def _explain_moves(
    new: Graph, before: set[Feed], after: set[Feed]
) -> tuple[list[str], Feeds, Feeds]:
    """Find layers of which all connections differ, and which leave none behind if taken out."""
    moved: list[str] = []
    while before != after:
        found = None
        for path in sorted(_candidates(before, after), key=lambda path: _rank(new.nodes[path])):
            rest = _without(path, before), _without(path, after)
            explained = len(before ^ after) - len(rest[0] ^ rest[1])
            if explained >= LEAST_EXPLAINED and (found is None or explained > found[0]):
                found = (explained, path, rest)
        if found is None:
            break
        _, path, (before, after) = found
        moved.append(path)
    return sorted(moved), before, after


def _candidates(before: Feeds, after: Feeds) -> set[str]:
    touched = {path for feed in before ^ after for path in (feed.source, feed.consumer)}
    touched -= {OUTPUT}
    ends = [{feed.source for feed in feeds} for feeds in (before, after)]
    starts = [{feed.consumer for feed in feeds} for feeds in (before, after)]
    return touched & ends[0] & ends[1] & starts[0] & starts[1]


def _rank(node: Node) -> tuple[int, str]:
    """Sort what a person would say has moved before what has stayed: a layer that normalises
    moves around an activation, and that around a kernel."""
    if any(len(tensor.shape) > 1 for tensor in node.spec.tensors.values()):
        return 2, node.path
    return int("activation" in node.config or node.spec.cls.name in ACTIVATIONS), node.path


ACTIVATIONS = frozenset({"ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"})


def _without(path: str, feeds: Feeds) -> set[Feed]:
    """Take a layer out, and connect what it consumes to what consumes it."""
    into = [feed for feed in feeds if feed.consumer == path]
    out = [feed for feed in feeds if feed.source == path]
    bridged = {Feed(one.source, one.output, other.consumer) for one in into for other in out}
    return (set(feeds) - set(into) - set(out)) | bridged


def _connection(feed: Feed, through: tuple[str, ...], names: Mapping[str, str]) -> Connection:
    return Connection(
        source=_own(feed.source, names),
        consumer=names.get(feed.consumer, feed.consumer),
        through=through,
    )


def _extra(root: Root, path: str, names: Mapping[str, str]) -> Connection:
    return Connection(source=_own(root.path, names), consumer=path, through=root.through)


def _own(path: str, names: Mapping[str, str]) -> str:
    return path[1:] if path.startswith("\0") else names.get(path, path)


def _repeated(
    ours: Contraction, theirs: Contraction, there: Mapping[str, str], touched: set[str]
) -> tuple[list[Connection], list[Connection]]:
    """Find layers that are called more often, or less, on what they were called on before."""
    added: list[Connection] = []
    removed: list[Connection] = []
    for path, name in there.items():
        one, other = ours.graph.nodes[path].calls, theirs.graph.nodes[name].calls
        if len(one) == len(other) or name in touched or _follows(path, ours, theirs, there):
            continue
        calls = Counter(theirs.consumed(name)), Counter(ours.consumed(path))
        added += _calls(calls[0] - calls[1], name, {})
        back = {new: old for old, new in there.items()}
        removed += _calls(calls[1] - calls[0], path, back)
    return added, removed


def _follows(path: str, ours: Contraction, theirs: Contraction, there: Mapping[str, str]) -> bool:
    """Tell whether something that the layer consumes is called more or less often itself."""
    for source in ours.graph.before[path]:
        partner = there.get(source)
        if partner is None:
            return True
        counts = len(ours.graph.nodes[source].calls), len(theirs.graph.nodes[partner].calls)
        if counts[0] != counts[1]:
            return True
    return False


def _calls(
    calls: Counter[tuple[Seen, ...]], path: str, names: Mapping[str, str]
) -> list[Connection]:
    return [
        Connection(source=_own(seen.path, names), consumer=path, through=())
        for call in sorted(calls.elements())
        for seen in call
    ]


def _reordered(ours: Contraction, theirs: Contraction, there: Mapping[str, str]) -> list[str]:
    found = [
        name
        for path, name in there.items()
        if theirs.graph.nodes[name].spec.cls.name not in COMMUTATIVE
        and _turned(ours.consumed(path), theirs.consumed(name))
    ]
    if _turned([ours.given_out()], [theirs.given_out()]):
        found.append(OUTPUT)
    return sorted(found)


def _turned(one: list[tuple[Seen, ...]], other: list[tuple[Seen, ...]]) -> bool:
    """Tell whether calls consume the same, but not in the same order."""
    if Counter(one) == Counter(other):
        return False
    return Counter(map(_sorted, one)) == Counter(map(_sorted, other))


def _sorted(call: tuple[Seen, ...]) -> tuple[Seen, ...]:
    return tuple(sorted(call))
