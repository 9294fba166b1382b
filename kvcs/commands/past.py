"""The models in many revisions, read together, without a tensor."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from kvcs.commands.operand import is_manifest, what_stands_at
from kvcs.errors import KvcsError, NewerFormatError, OperandError
from kvcs.spec import LayerSpec, ModelSpec, StoredModel, TensorSpec, walk
from kvcs.tree.outline import Outliner
from kvcs.tree.writer import LAYER, MANIFEST

if TYPE_CHECKING:
    from kvcs.repo import Repository

# A commit in any spelling, and a directory from the repository root.
Place: TypeAlias = tuple[str, str]

# What stands there: a model; one that is not whole, or of a later format; somebody else's
# model.json; or nothing.
State: TypeAlias = Literal["model", "damaged", "newer", "foreign", "nothing"]

LAYERS = "layers"  # where the layers of a model stand

# How many revisions are in memory at once.
CHUNK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What stands in a directory of a revision.

    Attributes:
        state: what that is.
        model: the model, without its state and what it was compiled with; None where there is
            none that can be read.
        files: SHA-256 of the JSON files beside the manifest.
        skeletons: see `kvcs.tree.outline.Outline`.
        manifest: id of its manifest in git.
        problem: why it cannot be read.
    """

    state: State
    model: StoredModel | None = None
    files: Mapping[str, str]
    skeletons: Mapping[str, str]
    manifest: str = ""
    problem: str = ""


NOTHING = Snapshot(state="nothing", files={}, skeletons={})


class Past:
    """What is known of the revisions of a repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._outliner = Outliner()

    def snapshots(self, places: Iterable[Place]) -> Iterator[tuple[Place, Snapshot]]:
        """Yield what stands in some places, each once."""
        wanted = list(dict.fromkeys(places))
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            listed = self._repository.listings(chunk, LAYERS)
            ids = {
                object_id
                for files in listed.values()
                if MANIFEST in files
                for path, object_id in files.items()
                if path.rpartition("/")[2] in (MANIFEST, LAYER)
            }
            contents = self._repository.contents(sorted(ids))
            # Many commits hold one and the same directory, which is one and the same listing.
            each = {id(files): files for files in listed.values()}
            made = {one: self._snapshot(files, contents) for one, files in each.items()}
            for place in chunk:
                yield place, made[id(listed[place])] if place in listed else NOTHING

    def _snapshot(self, files: Mapping[str, str], contents: Mapping[str, bytes]) -> Snapshot:
        if MANIFEST not in files:
            return NOTHING
        manifest = files[MANIFEST]
        readable = {path: one for path, one in files.items() if one in contents or _raw(path)}
        if manifest in contents and not is_manifest(contents[manifest]):
            return _without_model("foreign", manifest, f"its {MANIFEST} is none of kvcs")
        try:
            found = self._outliner.outline(readable, contents)
        except NewerFormatError as error:
            return _without_model("newer", manifest, str(error))
        return Snapshot(
            state="damaged" if found.problem else "model",
            model=found.model,
            files=found.files,
            skeletons=found.skeletons,
            manifest=manifest,
            problem=found.problem,
        )


def _raw(path: str) -> bool:
    return path.rpartition("/")[2] not in (MANIFEST, LAYER)


def _without_model(state: State, manifest: str, problem: str) -> Snapshot:
    return Snapshot(state=state, files={}, skeletons={}, manifest=manifest, problem=problem)


def weights(model: StoredModel) -> dict[tuple[str, str], TensorSpec]:
    """Return the weights of a model by the place of their layer, and name."""
    return {
        (place, name): tensor
        for place, layer in walk(model.model)
        for name, tensor in layer.tensors.items()
    }


def layers(model: StoredModel) -> list[LayerSpec]:
    """Return the layers of a model; the models in it are none, for their layers are."""
    return [layer for _, layer in walk(model.model) if not isinstance(layer, ModelSpec)]


def bits(tensor: TensorSpec) -> tuple[str, str]:
    """Return what is the same for weights that are the same: type and digest."""
    return tensor.dtype, tensor.sha256


def directory_of(repository: Repository, operand: str) -> tuple[str, str]:
    """Return the revision, empty for none, and the directory that an operand names.

    Args:
        repository: where it stands.
        operand: a directory, which need not be there any more, or REV:DIR.

    Raises:
        OperandError: it names the index, which has no past.
    """
    if ":" not in operand or what_stands_at(operand) != "nothing":
        return "", repository.relative(seen_from(repository, operand))
    revision, path = repository.spec(operand)
    if not revision:
        raise OperandError(f"'{operand}' is in the index, which has no past: name DIR or REV:DIR")
    return revision, path


def seen_from(repository: Repository, path: str | os.PathLike[str]) -> Path:
    """Return a path as its repository takes it: in a bare one, from the root."""
    return Path(path) if repository.top is None else Path(path).absolute()


def start_of(operand: str) -> Path:
    """Return the directory in which to look for the repository of an operand."""
    if not operand or "\0" in operand:
        raise OperandError(f"expected a directory or REV:DIR, got {operand!r}")
    if ":" in operand and what_stands_at(operand) == "nothing":
        return Path()
    here = Path(operand).absolute()
    while what_stands_at(here) != "directory":
        here = here.parent
    return here


def nothing_there(repository: Repository, operand: str, revisions: tuple[str, ...]) -> KvcsError:
    """Say that no commit touched what was named."""
    where = "" if revisions == ("HEAD",) else f" in {' '.join(revisions)}"
    known = ""
    try:
        repository.resolve(operand)
        known = f"; {operand} is a revision: name the directory of a model as well"
    except KvcsError:
        if what_stands_at(operand) != "nothing":
            known = "; `kvcs commit` makes the first one"
    return OperandError(f"no commit{where} touched {operand!r}{known}")
