"""The pairs found so far, and what may still be paired."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from kvcs.comparison.evidence import COMMUTATIVE, Likeness, Side

ALIKE = 0.6  # the least cosine at which weights are taken for the same ones, trained on
CLEARLY = 0.2  # by how much the best candidate has to be better than the next


class How(NamedTuple):
    """Why two layers are a pair, and how sure that is, from 0 to 1."""

    strategy: str
    score: float


@dataclass
class Pairing:
    """Which layer of the old model is which of the new one.

    Attributes:
        old, new: the two models.
        likeness: compares the weights of two layers; None where weights are not read.
        there: partner of each paired layer of the old model.
        back: the same the other way.
        how: strategy and score for each paired layer of the old model.
        discredited: digests that a common seed explains, and nothing else.
    """

    old: Side
    new: Side
    likeness: Likeness | None = None
    there: dict[str, str] = field(default_factory=dict)
    back: dict[str, str] = field(default_factory=dict)
    how: dict[str, How] = field(default_factory=dict)
    discredited: set[str] = field(default_factory=set)
    _likenesses: dict[tuple[str, str], float | None] = field(default_factory=dict)

    def put(self, old: str, new: str, strategy: str, score: float) -> bool:
        """Pair two layers, unless one of them has a partner."""
        if old in self.there or new in self.back:
            return False
        self.there[old], self.back[new] = new, old
        self.how[old] = How(strategy, round(score, 3))
        return True

    def part(self, old: str) -> None:
        """Take a pair apart again."""
        del self.back[self.there.pop(old)], self.how[old]

    def old_left(self) -> Iterator[str]:
        """Yield the layers of the old model without a partner."""
        return (path for path in self.old.traits if path not in self.there)

    def new_left(self) -> Iterator[str]:
        """Yield the layers of the new model without a partner."""
        return (path for path in self.new.traits if path not in self.back)

    def unique(
        self,
        old_key: Callable[[str], Hashable],
        new_key: Callable[[str], Hashable],
        strategy: str,
        score: float,
        accept: Callable[[str, str], bool] = lambda old, new: True,
    ) -> int:
        """Pair what has the same key and is alone with it on both sides; None is no key."""
        ours, theirs = _by_key(self.old_left(), old_key), _by_key(self.new_left(), new_key)
        count = 0
        for key, paths in ours.items():
            others = theirs.get(key, [])
            if len(paths) == len(others) == 1 and accept(paths[0], others[0]):
                count += self.put(paths[0], others[0], strategy, score)
        return count

    def alike(self, old: str, new: str) -> float | None:
        """Tell how alike the weights of two layers are, as far as is known."""
        mine, yours = self.old.traits[old], self.new.traits[new]
        if mine.digest is None or yours.digest is None or mine.shapes != yours.shapes:
            return None
        if mine.digest == yours.digest:
            return None if mine.digest in self.discredited else 1.0
        if self.likeness is None:
            return None
        if (old, new) not in self._likenesses:
            nodes = self.old.graph.nodes[old], self.new.graph.nodes[new]
            self._likenesses[old, new] = self.likeness(*nodes)
        return self._likenesses[old, new]

    def plausible(self, old: str, new: str) -> bool:
        """Tell whether the weights do not speak against a pair: another one has the same."""
        mine, yours = self.old.traits[old].digest, self.new.traits[new].digest
        if mine is None or yours is None or mine == yours:
            return True
        elsewhere = self._free(mine, self.new.by_digest, self.back)
        return not elsewhere and not self._free(yours, self.old.by_digest, self.there)

    def fits(self, old: str, new: str) -> bool:
        """Tell whether nothing speaks against a pair: neither weights nor pairs around it."""
        if not self.plausible(old, new):
            return False
        ours, theirs = self.old.graph, self.new.graph
        for mine, yours in (
            (ours.before[old], theirs.before[new]),
            (ours.after[old], theirs.after[new]),
        ):
            if any(self.there[path] not in yours for path in mine if path in self.there):
                return False
            if any(self.back[path] not in mine for path in yours if path in self.back):
                return False
        return True

    def same_slots(self, old: str, new: str) -> bool:
        """Tell whether the pairs that consume both take them as the same one of their inputs."""
        ours, theirs = self.old.graph, self.new.graph
        for user in ours.after[old]:
            other = self.there.get(user)
            if other is None or other not in theirs.after[new]:
                continue
            slots = ours.before[user].index(old), theirs.before[other].index(new)
            if slots[0] != slots[1] and self.old.traits[user].cls not in COMMUTATIVE:
                return False
        return True

    def _free(self, digest: str, index: Mapping[str, list[str]], taken: Mapping[str, str]) -> bool:
        if digest in self.discredited:
            return False
        return any(path not in taken for path in index.get(digest, ()))


def _by_key(paths: Iterator[str], key: Callable[[str], Hashable]) -> dict[Hashable, list[str]]:
    found: dict[Hashable, list[str]] = {}
    for path in paths:
        value = key(path)
        if value is not None:
            found.setdefault(value, []).append(path)
    return found
