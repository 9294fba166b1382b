"""Which layers of a graph are drawn as one: the many that say nothing, or little.

Layers that are folded into one never stand on both sides of one that is not, so that no arrow
goes back: what is drawn of a graph without cycles has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kvcs.render import words
from kvcs.render.html.graph import SAME, Union, Vertex
from kvcs.render.marks import MARKS

FEWEST = 3  # layers that are worth folding
MOST = 60  # layers that are drawn one by one, where more have nothing but weights to say
PLACES = ("added", "removed", "replaced", "moved")  # looks whose neighbours are shown as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Layers that are drawn as one.

    Attributes:
        members: the numbers of their vertices.
        title: how many they are.
        told: what is to be said of them.
        look: `same`, or `weights` where it is not all the same.
    """

    members: tuple[int, ...]
    title: str
    told: str
    look: str


def folded(graph: Union) -> list[Run]:
    """Return the runs of a comparison: unchanged layers, and where many changed, those that
    differ in weights alone. What stands beside an inserted, removed or moved layer is shown.

    Where all of a large model was trained and nothing else done to it, its chains are the runs.
    """
    drawn = [at for at, vertex in enumerate(graph.vertices) if vertex.drawn]
    beside = _beside(graph)
    quiet = {at for at in drawn if graph.vertices[at].look == SAME} - beside
    if len(drawn) - len(quiet) > MOST:
        quiet = {at for at in drawn if _says_little(graph.vertices[at])} - beside
        if len(quiet) == len(drawn):
            return [_run(graph, members) for members in _chains(graph)]
    return [_run(graph, members) for members in _regions(graph, quiet)]


def chained(graph: Union) -> list[Run]:
    """Return the runs of a model that is shown alone: if it is large, its chains."""
    if len(graph.vertices) <= MOST:
        return []
    return [_chain(graph, members) for members in _chains(graph)]


def _chains(graph: Union) -> list[tuple[int, ...]]:
    after = Counter(edge.source for edge in graph.edges)
    before = Counter(edge.target for edge in graph.edges)
    links = [
        (edge.source, edge.target)
        for edge in graph.edges
        if after[edge.source] == 1 and before[edge.target] == 1
    ]
    drawn = [at for at, vertex in enumerate(graph.vertices) if vertex.drawn]
    return _joined(drawn, links)


def _beside(graph: Union) -> set[int]:
    neighbours = graph.neighbours()
    return {
        other
        for at, vertex in enumerate(graph.vertices)
        if vertex.look in PLACES
        for other in neighbours[at]
    }


def _says_little(vertex: Vertex) -> bool:
    """Tell whether nothing but the weights changed, or what changed alike in many layers."""
    return vertex.look not in PLACES and all(
        change.kind == "weights" or change.group for change in vertex.changes
    )


def _regions(graph: Union, quiet: set[int]) -> list[tuple[int, ...]]:
    """Return connected sets of quiet vertices, none of which any path leaves and enters again.

    The depth of a vertex is the largest number of loud ones on a path to it. It never falls along
    a path, and rises wherever one leads through a loud vertex: what is connected at one depth has
    nothing loud between.
    """
    depths = _depths(graph, quiet)
    links = [
        (edge.source, edge.target)
        for edge in graph.edges
        if {edge.source, edge.target} <= quiet and depths[edge.source] == depths[edge.target]
    ]
    return _joined(sorted(quiet), links)


def _depths(graph: Union, quiet: set[int]) -> list[int]:
    """Return the depths; of two models whose orders contradict each other, some that will do."""
    sources: list[list[int]] = [[] for _ in graph.vertices]
    for edge in graph.edges:
        sources[edge.target].append(edge.source)
    found = [0] * len(graph.vertices)
    for at in _in_order(sources):
        above = max((found[source] for source in sources[at]), default=0)
        found[at] = above + (at not in quiet)
    return found


def _in_order(sources: Sequence[Sequence[int]]) -> list[int]:
    """Return all numbers so that what is consumed comes first, where there is no cycle."""
    waiting = [len(each) for each in sources]
    consumers: list[list[int]] = [[] for _ in sources]
    for at, each in enumerate(sources):
        for source in each:
            consumers[source].append(at)
    found = [at for at, many in enumerate(waiting) if not many]
    for at in found:  # grows while it is read
        for consumer in consumers[at]:
            waiting[consumer] -= 1
            if not waiting[consumer]:
                found.append(consumer)
    return found


def _joined(numbers: Iterable[int], links: Iterable[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Return the sets that links join, if they are large enough."""
    leader = {at: at for at in numbers}

    def find(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    for one, other in links:
        leader[find(one)] = find(other)
    found: dict[int, list[int]] = {}
    for at in leader:
        found.setdefault(find(at), []).append(at)
    return sorted(tuple(members) for members in found.values() if len(members) >= FEWEST)


def _chain(graph: Union, members: tuple[int, ...]) -> Run:
    ends = (graph.vertices[at].there for at in (members[0], members[-1]))
    first, last = (words.cut(end.spec.cls.name) for end in ends)
    return Run(
        members=members,
        title=words.count(len(members), "layer"),
        told=f"{first} … {last}",
        look=SAME,
    )


def _run(graph: Union, members: tuple[int, ...]) -> Run:
    kinds = Counter(
        kind for at in members for kind in {each.kind for each in graph.vertices[at].changes}
    )
    told = [f"{MARKS[kind].symbol} {MARKS[kind].word} of {many:,}" for kind, many in kinds.items()]
    return Run(
        members=members,
        title=words.count(len(members), "layer"),
        told=", ".join(sorted(told)) or "unchanged",
        look="weights" if kinds else SAME,
    )
