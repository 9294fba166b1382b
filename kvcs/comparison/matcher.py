"""Which layer of the old model is which of the new one, whatever they are called.

Each phase looks only at what the phases before it have left. They go from what is certain to what
is likely, and each pair remembers by which it was found:

0. `hint`: the user says so.
1. `digest`: the same weights, which no other layer has.
2. `name`: a name that a person chose, and the same class.
3. `structure`: the same settings, and the same above and below; then `weights` that are alike;
   then the same above, or below, alone.
4. `neighbours`: the only one with these settings next to a pair.
5. `aligned`: in order, between pairs.
6. `moved`: its like elsewhere.
7. `place`: whatever stands alone in the same place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kvcs.comparison import anchors
from kvcs.comparison.alignment import align
from kvcs.comparison.evidence import Likeness, sides
from kvcs.comparison.graph import Graph
from kvcs.comparison.leftovers import moves, replacements, settle_runs
from kvcs.comparison.pairing import How, Pairing
from kvcs.comparison.spelling import spelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What the matcher found.

    Attributes:
        there: for each paired layer of the old model, by path, its partner's path.
        back: the same the other way.
        how: for each paired layer of the old model, strategy and score.
        old_runs: layers of the old model without a partner, in a run of equal ones: any of the
            run could be the one.
        new_runs: the same of the new model.
    """

    there: Mapping[str, str]
    back: Mapping[str, str]
    how: Mapping[str, How]
    old_runs: frozenset[str]
    new_runs: frozenset[str]


def match(
    old: Graph,
    new: Graph,
    hints: Mapping[str, str] | None = None,
    likeness: Likeness | None = None,
) -> Match:
    """Pair the layers of two models.

    Args:
        old: the one model.
        new: the other.
        hints: layers of the old model, by path, and which of the new one they are.
        likeness: compares the weights of two layers; None leaves weights unread.

    Raises:
        KvcsError: a hint names a layer that is not there, or one twice.
    """
    written = spelling(old, new)
    pairing = Pairing(*sides((old, new), written), likeness)
    anchors.by_hint(pairing, hints or {})
    anchors.by_digest(pairing)
    anchors.by_name(pairing)
    anchors.by_context(pairing)
    anchors.by_likeness(pairing)
    anchors.from_one_end(pairing)
    anchors.propagate(pairing)
    align(pairing)
    anchors.propagate(pairing)
    moves(pairing)
    replacements(pairing)
    old_runs, new_runs = settle_runs(pairing)
    return Match(
        there=dict(pairing.there),
        back=dict(pairing.back),
        how=dict(pairing.how),
        old_runs=old_runs,
        new_runs=new_runs,
    )
