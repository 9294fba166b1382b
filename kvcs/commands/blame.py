"""`kvcs.blame`: for each layer, the versions that last changed it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from kvcs import comparison
from kvcs.commands.past import Past, Snapshot, bits, directory_of, nothing_there, start_of, weights
from kvcs.comparison.flatten import flatten
from kvcs.comparison.values import Kind
from kvcs.errors import DamageError, OperandError
from kvcs.tree.writer import MANIFEST

if TYPE_CHECKING:
    from kvcs.repo import Repository, Version
    from kvcs.spec import StoredModel

FORMAT = "kvcs.blame/1"

Aspect: TypeAlias = Literal["place", "config", "weights"]
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)

# What each kind of change says about the layer that it is a change of.
_CHANGES: Mapping[Aspect, tuple[Kind, ...]] = {
    "place": (
        "replaced", "moved", "rescoped", "renamed", "inputs_reordered", "connection_added",
        "connection_removed",
    ),
    "config": ("replaced", "config", "trainable"),
    "weights": ("replaced", "weights", "shape", "state"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A version that something is from.

    Attributes:
        commit, abbrev, date, author, subject: of the commit.
        path: the directory of the model in it.
        boundary: whether a shallow clone holds nothing before it, so that it can be older.
    """

    commit: str
    abbrev: str
    date: str
    author: str
    subject: str
    path: str
    boundary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One layer, and the versions that last changed it.

    Attributes:
        layer: its path, such as `encoder/dense`.
        class_name: its class.
        place: when it was put where it is: added, moved, renamed, connected.
        config: when its settings changed.
        weights: when its weights changed; None for a layer without.
    """

    layer: str
    class_name: str
    place: Origin
    config: Origin
    weights: Origin | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """The layers of a model in its order.

    Attributes:
        path: the directory, from the repository root.
        lines: the layers.
        skipped: hashes of the versions that could not be read, and were passed over.
    """

    path: str
    lines: tuple[Line, ...]
    skipped: tuple[str, ...]

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"format": FORMAT, **asdict(self)}


def blame(model: str | os.PathLike[str], revision: str | None = None) -> Blame:
    """Return for each layer of a model the versions that last changed it.

    A layer is followed through other names and numbers, and its directory through renames, as
    `kvcs diff` pairs layers. No tensor is read.

    Args:
        model: a directory, or REV:DIR.
        revision: the revision whose layers are meant, instead of HEAD.

    Raises:
        OperandError: there is no model in that revision.
        RepositoryError: there is no repository, or no such revision.
    """
    from kvcs.repo import Repository, Selection

    operand = os.fspath(model)
    with Repository.discover(start_of(operand)) as repository:
        start, path = directory_of(repository, operand)
        if start and revision:
            raise OperandError(f"'{operand}' names a revision already: name DIR alone")
        tip = repository.resolve(start or revision or "HEAD")
        versions = repository.versions(path, MANIFEST, Selection(revisions=(tip,)))
        if not versions:
            raise nothing_there(repository, operand, (start or revision or "HEAD",))
        return _Search(repository, versions).blame(operand)


class _Search:
    """The way back through the versions of a model, as `git blame` goes it."""

    def __init__(self, repository: Repository, versions: Sequence[Version]) -> None:
        self._versions = {version.hash: version for version in versions}
        places = [(version.hash, version.path) for version in versions]
        found = Past(repository).snapshots(places)
        self._snapshots = {commit: snapshot for (commit, _), snapshot in found}
        self._tip = versions[0]
        # By commit: the layer it is called there, for each layer and aspect of the tip.
        self._open: dict[str, dict[tuple[str, Aspect], str]] = {}
        self._found: dict[tuple[str, Aspect], Version] = {}
        self._known: dict[tuple[str, ...], _Layers] = {}

    def blame(self, operand: str) -> Blame:
        """Return the versions that last changed each layer of the newest one."""
        model = self._whole(operand)
        nodes = flatten(model).nodes
        self._open[self._tip.hash] = {(path, aspect): path for path in nodes for aspect in ASPECTS}
        for version in self._versions.values():
            self._pass_on(version)
        lines = tuple(
            Line(
                layer=path,
                class_name=node.spec.cls.name,
                place=_origin(self._found[path, "place"]),
                config=_origin(self._found[path, "config"]),
                weights=_origin(self._found[path, "weights"]) if node.spec.tensors else None,
            )
            for path, node in nodes.items()
        )
        skipped = [commit for commit in self._versions if self._unreadable(commit)]
        return Blame(path=self._tip.path, lines=lines, skipped=tuple(skipped))

    def _whole(self, operand: str) -> StoredModel:
        snapshot = self._snapshots[self._tip.hash]
        if snapshot.model is not None:
            return snapshot.model
        if snapshot.state == "nothing":
            raise OperandError(
                f"{operand} was removed in {self._tip.abbrev}: name the version before, "
                f"{self._tip.abbrev}^:{self._tip.path}"
            )
        raise DamageError(f"{operand} cannot be read in {self._tip.abbrev}: {snapshot.problem}")

    def _pass_on(self, version: Version) -> None:
        """Find the version guilty of what none of those before it has."""
        left = self._open.pop(version.hash, {})
        for parent in self._before(version):
            if not left:
                return
            same = self._same(version.hash, parent)
            there = {key: same[key[1]][path] for key, path in left.items() if path in same[key[1]]}
            self._open.setdefault(parent, {}).update(there)
            left = {key: path for key, path in left.items() if key not in there}
        self._found |= dict.fromkeys(left, version)

    def _before(self, version: Version) -> list[str]:
        """Return the versions before one; those that cannot be read are passed over."""
        found: list[str] = []
        waiting, met = list(version.parents), set()
        while waiting:
            commit = waiting.pop(0)
            if commit in met or commit not in self._versions:
                continue
            met.add(commit)
            if self._unreadable(commit):
                waiting[:0] = self._versions[commit].parents
            elif self._snapshots[commit].model is not None:
                found.append(commit)
        return found

    def _unreadable(self, commit: str) -> bool:
        return self._snapshots[commit].state in ("damaged", "newer")

    def _same(self, new: str, old: str) -> dict[Aspect, dict[str, str]]:
        """Return for each aspect the layers that have not changed, and what they were called."""
        snapshots = self._snapshots[new], self._snapshots[old]
        models = snapshots[0].model, snapshots[1].model
        assert models[0] is not None, "only what can be read is compared"
        assert models[1] is not None, "only what can be read is compared"
        if snapshots[0].skeletons == snapshots[1].skeletons:
            return self._same_architecture(snapshots[0], models[0], models[1])
        return _same_by_diff(comparison.diff(models[1], models[0]))

    def _same_architecture(
        self, snapshot: Snapshot, new: StoredModel, old: StoredModel
    ) -> dict[Aspect, dict[str, str]]:
        key = tuple(f"{path} {name}" for path, name in sorted(snapshot.skeletons.items()))
        if key not in self._known:
            self._known[key] = _Layers.of(new)
        layers = self._known[key]
        before = weights(old)
        changed = {
            place
            for (place, name), tensor in weights(new).items()
            if bits(before[place, name]) != bits(tensor)
        }
        kept = {path: path for path, place in layers.places.items() if place not in changed}
        return {"place": layers.same, "config": layers.same, "weights": kept}


@dataclass(frozen=True, slots=True)
class _Layers:
    """The layers of all versions of one architecture."""

    places: Mapping[str, str]
    same: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, model: StoredModel) -> _Layers:
        places = {path: node.place for path, node in flatten(model).nodes.items()}
        return cls(places, {path: path for path in places})


def _same_by_diff(found: comparison.Diff) -> dict[Aspect, dict[str, str]]:
    there = {pair.old: pair.new for pair in found.pairs}
    same: dict[Aspect, dict[str, str]] = {}
    for aspect in ASPECTS:
        changed = set()
        for change in found.of(*_CHANGES[aspect]):
            old = there.get(change.old_path or "", "")
            changed.add(old if change.new_path is None else change.new_path)
        same[aspect] = {new: old for old, new in there.items() if new not in changed}
    return same


def _origin(version: Version) -> Origin:
    return Origin(
        commit=version.hash,
        abbrev=version.abbrev,
        date=version.date,
        author=version.author,
        subject=version.subject,
        path=version.path,
        boundary=version.cut,
    )
