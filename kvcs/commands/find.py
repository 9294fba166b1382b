"""`kvcs.find`: which revisions hold a model."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from kvcs import npy
from kvcs.commands.operand import Model, described
from kvcs.commands.past import Past, Snapshot, bits, start_of, weights
from kvcs.comparison.evidence import is_informative
from kvcs.errors import OperandError
from kvcs.tree.digests import digests
from kvcs.tree.writer import MANIFEST

if TYPE_CHECKING:
    from kvcs.repo import Edit, Repository
    from kvcs.spec import StoredModel, TensorSpec

FORMAT = "kvcs.find/1"
NEAREST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit, as far as it has to be recognised."""

    commit: str
    abbrev: str
    date: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A model in one directory, from the commits that brought it to those that replaced it.

    Attributes:
        path: the directory, from the repository root.
        exact: whether it is the model that was looked for.
        share: how much of the weights of that model it holds to the bit, by bytes, from 0 to 1.
        since: the commits that brought it there.
        until: the commits that replaced or removed it; none where it still stands.
        refs: the branches, tags and other refs that hold it now, such as `refs/tags/v1`.
    """

    path: str
    exact: bool
    share: float
    since: tuple[Commit, ...]
    until: tuple[Commit, ...]
    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What `find` found; true when a revision holds exactly this model.

    Attributes:
        name: the operand.
        places: where the model is, newest first; or, where it is nowhere, the nearest ones, the
            most alike first.
        searched: how many models were looked at.
    """

    name: str
    places: tuple[Place, ...]
    searched: int

    def __bool__(self) -> bool:
        return any(place.exact for place in self.places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self.places)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        places = [asdict(place) for place in self.places]
        about = {"name": self.name, "exact": bool(self), "searched": self.searched}
        return {"format": FORMAT, **about, "places": places}


def find(
    model: Model,
    directory: str | os.PathLike[str] | None = None,
    *,
    nearest: int = NEAREST,
    custom_objects: Mapping[str, Any] | None = None,
) -> Found:
    """Find the revisions that hold a model: any of its weights and its architecture the same.

    Looks at every model in every commit that a ref leads to; no tensor is read from git. State
    is not compared, for a `.keras` file has none: random seeds, the optimizer, and what
    `compile()` was given.

    Args:
        model: any MODEL, such as the file that was deployed.
        directory: look only below this directory of the repository.
        nearest: how many of the nearest to return where none is the same.
        custom_objects: needed for a Keras file with custom classes.

    Raises:
        KvcsError: there is no such model, or no repository.
    """
    from kvcs.repo import Repository

    if nearest < 0:
        raise OperandError(f"expected a number of models, got {nearest}")
    with described(model, custom_objects) as stored:
        name, wanted = stored.name, stored.model()
    start = start_of(os.fspath(directory)) if directory is not None else None
    with Repository.discover(start) as repository:
        below = "" if directory is None else _below(repository, os.fspath(directory))
        edits = repository.edits(MANIFEST, below)
        places = list(_places(repository, edits, _Wanted(wanted)))
        exact = [place for place in places if place.exact]
        near = sorted((place for place in places if place.share), key=_distance)
        chosen = exact or near[:nearest]
        return Found(name=name, places=_finished(repository, chosen), searched=len(places))


def _below(repository: Repository, directory: str) -> str:
    from kvcs.commands.past import directory_of

    return directory_of(repository, directory)[1]


def _distance(place: _Candidate) -> tuple[float, int]:
    return -place.share, place.rank


class _Wanted:
    """The model that is looked for."""

    def __init__(self, model: StoredModel) -> None:
        self._digests = digests(model)
        self._weights = _bits(model)
        self._tensors = weights(model)
        self._size = sum(_size(tensor) for tensor in self._tensors.values())

    def is_exactly(self, model: StoredModel) -> bool:
        """Tell whether a model has the same architecture and weights."""
        if _bits(model) != self._weights:  # which is quickly told
            return False
        found = digests(model)
        mine = self._digests.architecture, self._digests.weights
        return mine == (found.architecture, found.weights)

    def share(self, model: StoredModel) -> float:
        """Return how much of the weights, by bytes, a model holds.

        Weights that are all zeros, or all ones, say nothing and do not count.
        """
        left = Counter(bits(tensor) for tensor in weights(model).values())
        common = 0
        for tensor in self._tensors.values():
            if left[bits(tensor)] and is_informative(tensor):
                left[bits(tensor)] -= 1
                common += _size(tensor)
        return common / self._size if self._size else 0.0


def _bits(model: StoredModel) -> dict[tuple[str, str], tuple[str, str]]:
    return {place: bits(tensor) for place, tensor in weights(model).items()}


def _size(tensor: TensorSpec) -> int:
    return tensor.size * npy.true_dtype(tensor.dtype).itemsize


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A place whose refs are not known yet; `rank` is 0 for the newest."""

    place: Place
    manifest: str
    rank: int

    @property
    def exact(self) -> bool:
        return self.place.exact

    @property
    def share(self) -> float:
        return self.place.share


def _places(repository: Repository, edits: Sequence[Edit], wanted: _Wanted) -> Iterator[_Candidate]:
    since = _since(edits)
    until: dict[tuple[str, str], list[Edit]] = {}
    for edit in edits:
        until.setdefault((edit.path, edit.old), []).append(edit)
    first = {(found[0].commit, _directory(key[0])): key for key, found in since.items()}
    ranks = {key: rank for rank, key in enumerate(since)}
    for place, snapshot in Past(repository).snapshots(first):
        if not _is_whole_model(snapshot) or snapshot.model is None:
            continue
        key = first[place]
        exact = wanted.is_exactly(snapshot.model)
        found = Place(
            path=place[1],
            exact=exact,
            share=1.0 if exact else wanted.share(snapshot.model),
            since=_commits(since[key]),
            until=_commits(until.get(key, [])),
            refs=(),
        )
        yield _Candidate(place=found, manifest=key[1], rank=ranks[key])


def _since(edits: Sequence[Edit]) -> dict[tuple[str, str], list[Edit]]:
    """Return the commits that brought a manifest, by its path and id, the newest first.

    A merge brings only what none of its parents has.
    """
    sides = Counter((edit.commit, edit.path, edit.new) for edit in edits)
    found: dict[tuple[str, str], list[Edit]] = {}
    for edit in edits:
        if edit.new and sides[edit.commit, edit.path, edit.new] >= edit.parents:
            found.setdefault((edit.path, edit.new), []).append(edit)
    return found


def _is_whole_model(snapshot: Snapshot) -> bool:
    """Tell a model from one inside another one, which has no name of its own."""
    return snapshot.model is not None and bool(snapshot.model.name)


def _directory(path: str) -> str:
    return path.rpartition("/")[0]


def _commits(edits: Iterable[Edit]) -> tuple[Commit, ...]:
    found = {
        edit.commit: Commit(commit=edit.commit, abbrev="", date=edit.date, subject=edit.subject)
        for edit in edits
    }
    return tuple(found.values())


def _finished(repository: Repository, chosen: Sequence[_Candidate]) -> tuple[Place, ...]:
    """Return places with what only those that are shown need: refs, and short hashes."""

    def manifest_of(one: _Candidate) -> str:
        return f"{one.place.path}/{MANIFEST}" if one.place.path else MANIFEST

    def named(commits: tuple[Commit, ...]) -> tuple[Commit, ...]:
        return tuple(replace(commit, abbrev=short[commit.commit]) for commit in commits)

    held = repository.refs_with(sorted({manifest_of(one) for one in chosen}))
    short = repository.abbreviations(
        commit.commit for one in chosen for commit in (*one.place.since, *one.place.until)
    )
    return tuple(
        replace(
            one.place,
            since=named(one.place.since),
            until=named(one.place.until),
            refs=tuple(held.get((manifest_of(one), one.manifest), ())),
        )
        for one in chosen
    )
