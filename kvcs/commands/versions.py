"""Which versions of which models are compared: the operands of `git diff`, for models."""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kvcs.commands.commit import models_of
from kvcs.commands.operand import has_layers, is_manifest, what_stands_at
from kvcs.errors import OperandError, RepositoryError
from kvcs.tree.writer import LAYER, MANIFEST

if TYPE_CHECKING:
    from kvcs.repo import Repository

WORK_TREE = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """Two versions of one model, each a MODEL; None where it is not there."""

    name: str
    old: str | None
    new: str | None


def versions(operands: Sequence[str], directories: Sequence[str] | None = None) -> list[Versions]:
    """Return what is compared.

    Two MODELs are compared with each other. One MODEL is compared with what it is now (`REV:DIR`)
    or was in HEAD (a directory). Revisions take each model of the repository: none at all is HEAD
    and the working tree, `A` is A and the working tree, `A B` and `A..B` are A and B, and
    `A...B` is their merge base and B.

    Args:
        operands: MODELs or revisions.
        directories: only models at or below one of these; then all operands are revisions.

    Raises:
        OperandError: more than two operands, or a model and a revision, or a directory that holds
            no model on either side.
        RepositoryError: there is no repository, or no such revision.
    """
    if directories is not None:
        if len(operands) > 2:
            raise OperandError(f"expected at most two revisions before --, got {len(operands)}")
        return _of_repository(operands, directories)
    models = [is_model(operand) for operand in operands]
    if len(operands) > 2:
        raise OperandError(f"expected at most two operands, got {len(operands)}")
    if len(operands) == 2 and any(models):
        return [Versions(name=operands[1], old=operands[0], new=operands[1])]
    if len(operands) == 1 and models[0]:
        return [_of_one(operands[0])]
    return _of_repository(operands)


def is_model(operand: str) -> bool:
    """Tell a MODEL from a revision: it has a path behind a colon, or stands on disk.

    In a bare repository there are files with the names of revisions, such as `HEAD`.
    """
    stands = what_stands_at(operand)
    return ":" in operand or stands == "directory" or (stands == "file" and "." in operand)


def _of_one(operand: str) -> Versions:
    from kvcs.repo import Repository

    with Repository.discover() as repository:
        top = repository.top
        if top is None:
            raise OperandError("a bare repository has no working tree: name two models")
        if what_stands_at(operand) != "nothing":
            path = _below(Path(operand), top)
            return Versions(name=operand, old=_in_head(repository, path), new=operand)
        tree = repository.revision(operand)
        gone = MANIFEST in tree and what_stands_at(top / tree.path) == "nothing"
        return Versions(name=tree.path, old=operand, new=None if gone else _shown(top / tree.path))


def _in_head(repository: Repository, path: str) -> str | None:
    """Return the same in HEAD; None of a model that only the working tree has."""
    there = _at("HEAD", path)
    if not Path(repository.top or "", path, MANIFEST).exists():
        return there  # the comparison tells what it is instead
    repository.resolve("HEAD")
    try:
        repository.revision(there)
    except RepositoryError:
        return None
    return there


def _below(path: Path, top: Path) -> str:
    try:
        return path.resolve().relative_to(top.resolve()).as_posix()
    except ValueError:
        raise OperandError(f"{path} is outside of the repository in {top}") from None


def _shown(path: Path) -> str:
    """Return a path as a user in the current directory writes it."""
    return Path(os.path.relpath(path)).as_posix()


def _of_repository(operands: Sequence[str], directories: Sequence[str] = ()) -> list[Versions]:
    from kvcs.repo import Repository

    with Repository.discover() as repository:
        for operand in operands:
            if directories and ":" in operand:
                raise OperandError(
                    f"{operand} is a MODEL: what stands before -- is a revision, and what stands "
                    "behind it says which models of it"
                )
        _, old, new = revisions(repository, operands)
        before, after = (_places(repository, revision) for revision in (old, new))
        before |= _damaged(repository, old, after.keys() - before.keys())
        after |= _damaged(repository, new, before.keys() - after.keys())
        places = before.keys() | after.keys()
        outermost = sorted(place for place in places if not _is_inside(place, places))
        return [
            Versions(name=place, old=before.get(place), new=after.get(place))
            for place in _limited(outermost, directories, repository)
        ]


def _limited(
    places: Sequence[str], directories: Sequence[str], repository: Repository
) -> Sequence[str]:
    """Return the places at or below some directories; all, if there are none."""
    if not directories:
        return places
    if repository.top is None:
        raise OperandError("a bare repository has no directories: name two models, as REV:DIR")
    wanted: set[str] = set()
    for directory in directories:
        top = _below(Path(directory), repository.top)
        found = [one for one in places if top in (".", one) or one.startswith(f"{top}/")]
        if not found:
            raise OperandError(f"{directory} holds no model on either side")
        wanted.update(found)
    return [place for place in places if place in wanted]


def revisions(repository: Repository, operands: Sequence[str]) -> tuple[str, str, str]:
    """Return the revisions that operands name: the one named first, the old and the new one.

    The first two differ for `A...B` alone, where the old one is the merge base. The working tree is
    `WORK_TREE`.

    Raises:
        RepositoryError: there is no such revision.
    """
    if not operands:
        return "HEAD", "HEAD", WORK_TREE
    if len(operands) == 2:
        return operands[0], operands[0], operands[1]
    for dots in ("...", ".."):
        old, mark, new = operands[0].partition(dots)
        if mark:
            old, new = old or "HEAD", new or "HEAD"
            return old, (repository.merge_base(old, new) if dots == "..." else old), new
    return operands[0], operands[0], WORK_TREE


def _places(repository: Repository, revision: str) -> dict[str, str]:
    """Return the models of a revision, or of the working tree, by their place in it."""
    top = repository.top
    if revision == WORK_TREE:
        if top is None:
            raise OperandError("a bare repository has no working tree: name two revisions")
        there = [path for path in models_of(repository) if (path / MANIFEST).exists()]
        return {_below(path, top): _shown(path) for path in there}
    tree = repository.root(revision)
    manifests = [path for path in tree if path.rpartition("/")[2] == MANIFEST]
    tree.fetch(manifests)
    found: dict[str, str] = {}
    # Sorted, so that a model comes before those inside of it.
    for place in sorted(path.rpartition("/")[0] or "." for path in manifests):
        path = MANIFEST if place == "." else f"{place}/{MANIFEST}"
        if not _is_inside(place, found) and is_manifest(tree[path]):
            found[place] = _at(revision, place)
    return found


def _at(revision: str, place: str) -> str:
    return f"{revision}:{'' if place == '.' else place}"


def _damaged(repository: Repository, revision: str, places: Collection[str]) -> dict[str, str]:
    """Return where the layers of a model still stand: it lost its manifest, and is not gone."""
    if not places:
        return {}
    if revision == WORK_TREE:
        top = repository.top or Path()
        return {place: _shown(top / place) for place in places if has_layers(top / place)}
    files = (f"/{path}" for path in repository.root(revision))
    there = {path.rpartition("/layers/")[0] for path in files if path.endswith(f"/{LAYER}")}
    layered = {place[1:] or "." for place in there}
    return {place: _at(revision, place) for place in places if place in layered}


def _is_inside(place: str, others: Container[str]) -> bool:
    """Tell whether a place is that of a model inside of another: `<its place>/layers/<name>`."""
    around, mark, _ = f"/{place}".rpartition("/layers/")
    outer = around[1:] or "."
    return bool(mark) and (outer in others or _is_inside(outer, others))
