"""`kvcs.log`: the versions of a model, and what changed in each."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kvcs.commands.commit import METRIC
from kvcs.commands.past import (
    Past,
    Snapshot,
    State,
    bits,
    directory_of,
    layers,
    nothing_there,
    start_of,
    weights,
)
from kvcs.errors import OperandError
from kvcs.tree.writer import MANIFEST, OPTIMIZER, STATE, TRAINING

if TYPE_CHECKING:
    from kvcs.repo import Repository, Version
    from kvcs.spec import StoredModel

FORMAT = "kvcs.log/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What changed from the version before; of a merge, from its first parent.

    Attributes:
        kind: `new`, `changed`, `same`, `removed`; or `unknown`, where one of the two cannot be
            read.
        summary: how many changes of each kind, as `kvcs diff` counts them; empty where
            architecture and settings are the same.
        tensors: how many weights are not those of the version before, to the bit.
        training: whether what `compile()` was given changed.
        state: whether random seeds or the optimizer's variables changed.
        renamed_from: the directory in the version before, if that was another one.
        merge: whether lines of versions met here.
    """

    kind: Literal["new", "changed", "same", "removed", "unknown"]
    summary: Mapping[str, int] = field(default_factory=dict)
    tensors: int = 0
    training: bool = False
    state: bool = False
    renamed_from: str = ""
    merge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One version of a model.

    Attributes:
        commit, abbrev: its hash, full and as short as is unique here.
        date, author, subject: of the commit.
        path: the directory, from the repository root.
        parents: the versions before it.
        state: what stands there: `model`, `damaged`, `newer` (than this kvcs), `foreign` (no
            model of kvcs) or `nothing`.
        problem: why it cannot be read.
        step: what changed.
        layers, tensors, parameters: how many there are; None where no model can be read.
        metrics: the numbers that were committed with it.
        cut: whether a shallow clone holds nothing before it.
    """

    commit: str
    abbrev: str
    date: str
    author: str
    subject: str
    path: str
    parents: tuple[str, ...]
    state: State
    problem: str
    step: Step
    layers: int | None
    tensors: int | None
    parameters: int | None
    metrics: Mapping[str, float]
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The versions of a model, newest first.

    Attributes:
        path: the directory, from the repository root.
        entries: the versions.
    """

    path: str
    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        found = [asdict(entry) for entry in self.entries]
        return {"format": FORMAT, "path": self.path, "versions": found}

    def to_html(self) -> str:
        """Return it as one page for a browser, with plots of the metrics."""
        from kvcs.render.html import timeline_page

        return timeline_page(self)

    def _repr_html_(self) -> str:
        """Return it for a notebook."""
        from kvcs.render.html import timeline_fragment

        return timeline_fragment(self)

    def _repr_markdown_(self) -> str:
        """Return it for a notebook that shows no HTML."""
        from kvcs.render.history import markdown

        return markdown(self)


def log(
    model: str | os.PathLike[str],
    revision: str | Sequence[str] | None = None,
    *,
    limit: int | None = None,
    since: str = "",
    until: str = "",
) -> Log:
    """Return the versions of a model that git knows, newest first. No tensor is read.

    Where a commit renamed the directory, its versions under the old name follow.

    Args:
        model: a directory, which need not be there any more, or REV:DIR.
        revision: where to begin instead of at HEAD: a revision, a range `A..B`, or several.
        limit: how many versions at most, the newest ones.
        since, until: dates, as `git log` takes them.

    Raises:
        OperandError: no commit touched such a directory.
        RepositoryError: there is no repository, or no such revision.
    """
    from kvcs.repo import Repository, Selection

    operand = os.fspath(model)
    if limit is not None and limit < 0:
        raise OperandError(f"expected a number of versions, got {limit}")
    with Repository.discover(start_of(operand)) as repository:
        start, path = directory_of(repository, operand)
        revisions = _revisions(start, revision)
        selection = Selection(revisions=revisions, limit=limit, since=since, until=until)
        versions = repository.versions(path, MANIFEST, selection)
        if not versions and not (since or until or limit == 0):
            raise nothing_there(repository, operand, revisions)
        return Log(path=path, entries=tuple(_entries(repository, versions)))


def _revisions(start: str, given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None or not given:
        return (start or "HEAD",)
    if start:
        raise OperandError(f"'{start}:DIR' names a revision already: name DIR alone")
    return (given,) if isinstance(given, str) else tuple(given)


def _entries(repository: Repository, versions: Sequence[Version]) -> Iterator[Entry]:
    places = [_place(version) for version in versions]
    before = [_place_before(version) for version in versions]
    found = dict(Past(repository).snapshots([*places, *before]))
    for version, new, old in zip(versions, places, before, strict=True):
        yield _entry(version, found[old], found[new])


def _place(version: Version) -> tuple[str, str]:
    return version.hash, version.path


def _place_before(version: Version) -> tuple[str, str]:
    return f"{version.hash}^1", version.renamed_from or version.path


def _entry(version: Version, old: Snapshot, new: Snapshot) -> Entry:
    model = new.model
    tensors = None if model is None else weights(model)
    return Entry(
        commit=version.hash,
        abbrev=version.abbrev,
        date=version.date,
        author=version.author,
        subject=version.subject,
        path=version.path,
        parents=version.parents,
        state=new.state,
        problem=new.problem,
        step=step(version, old, new),
        layers=None if model is None else len(layers(model)),
        tensors=None if tensors is None else len(tensors),
        parameters=None if tensors is None else sum(one.size for one in tensors.values()),
        metrics=metrics(version),
        cut=version.cut,
    )


def step(version: Version, old: Snapshot, new: Snapshot) -> Step:
    """Say what changed from one snapshot to another one."""
    about: dict[str, Any] = {
        "renamed_from": version.renamed_from,
        "merge": len(version.parents) > 1,
    }
    if new.state == "nothing":
        return Step(kind="removed" if old.state != "nothing" else "same", **about)
    if old.state == "nothing":
        return Step(kind="new", **about)
    if old.model is None or new.model is None:
        return Step(kind="unknown", **about)
    summary = {} if old.skeletons == new.skeletons else _summary(old.model, new.model)
    tensors = _renewed(old.model, new.model)
    training = old.files.get(TRAINING) != new.files.get(TRAINING)
    state = any(old.files.get(path) != new.files.get(path) for path in (STATE, OPTIMIZER))
    changed = any(summary.values()) or tensors or training or state
    return Step(
        kind="changed" if changed else "same",
        summary=summary,
        tensors=tensors,
        training=training,
        state=state,
        **about,
    )


def _summary(old: StoredModel, new: StoredModel) -> dict[str, int]:
    from kvcs import comparison

    return {kind: count for kind, count in comparison.diff(old, new).summary.items() if count}


def _renewed(old: StoredModel, new: StoredModel) -> int:
    """Count the weights that were not there before, wherever they stood."""
    before, after = weights(old), weights(new)
    left: dict[tuple[str, str], int] = {}
    for place, tensor in before.items():
        if place not in after or bits(after[place]) != bits(tensor):
            left[bits(tensor)] = left.get(bits(tensor), 0) + 1
    count = 0
    for place, tensor in after.items():
        if place in before and bits(before[place]) == bits(tensor):
            continue
        if left.get(bits(tensor), 0):
            left[bits(tensor)] -= 1
        else:
            count += 1
    return count


def metrics(version: Version) -> dict[str, float]:
    """Return the numbers in the trailers of a commit; what is no number is left out."""
    found = {}
    for key, text in version.trailers:
        name, mark, value = text.partition("=")
        if key.casefold() == METRIC.casefold() and mark and name:
            try:
                number = float(value)
            except ValueError:
                continue
            if math.isfinite(number):
                found[name] = number
    return dict(sorted(found.items()))
