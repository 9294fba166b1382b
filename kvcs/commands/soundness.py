"""What is wrong with the files of a model that a change brings, whatever its description says.

A diff compares what a model says of its tensors. Other bytes in the file of a tensor, or none at
all, are no difference to it: they are damage, which a review must not overlook. Git tells which
files a change touches; those alone are read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from kvcs.commands.fetching import fetch_some
from kvcs.commands.operand import Stored, what_stands_at
from kvcs.commands.versions import WORK_TREE, Versions
from kvcs.errors import RepositoryError
from kvcs.tree.reader import Problem
from kvcs.tree.verify import Recorded, verify
from kvcs.tree.writer import MANIFEST

if TYPE_CHECKING:
    from kvcs.repo import Repository

INDEX = ":"  # what stands for a revision; git is not asked about it

# Paths of files from the root of a model; None where any of them may be touched.
Touched: TypeAlias = "frozenset[str] | None"


def touched(asked: Sequence[Versions]) -> list[Touched]:
    """Return for each pair of versions the files of which git says that they are other ones."""
    from kvcs.repo import Repository

    try:
        repository = Repository.discover()
    except RepositoryError:
        return [None] * len(asked)
    with repository:

        @cache
        def altered(old: str, new: str) -> list[str]:
            return repository.altered(old, new)

        found: list[Touched] = []
        for one in asked:
            old, place = _standing(repository, one.old)
            new, other = _standing(repository, one.new)
            is_known = bool(old and one.new) and place == other and INDEX not in (old, new)
            found.append(_below(altered(old, new), place) if is_known else None)
        return found


def _standing(repository: Repository, operand: str | None) -> tuple[str, str]:
    """Return the revision that a MODEL stands in, and its directory there."""
    if operand is None:
        return WORK_TREE, ""
    try:
        if ":" in operand and what_stands_at(operand) == "nothing":
            revision, place = repository.spec(operand)
            return revision or INDEX, place
        return WORK_TREE, repository.relative(Path(operand))
    except RepositoryError:
        return WORK_TREE, operand


def _below(paths: Sequence[str], place: str) -> frozenset[str]:
    start = "" if place in ("", ".") else f"{place}/"
    first = bisect_left(paths, start)
    found = takewhile(lambda path: path.startswith(start), paths[first:])
    return frozenset(path[len(start) :] for path in found)


def problems(stored: Stored, paths: Touched) -> list[str]:
    """Return what is wrong with a model; files that nobody touched are not read, but must be there.

    Args:
        stored: the model.
        paths: its files that are touched.

    Raises:
        KvcsError: it cannot be read.
    """
    if stored.live is not None or not stored.has_weights:
        return []

    def known(one: Recorded) -> bool:
        return paths is not None and one.path not in paths and one.path in stored.files

    fetch_some(stored.files, stored.files if paths is None else paths, pointed=False)
    found = verify(stored.files, stored.name, known).problems
    return [str(problem) for problem in found if _matters(problem, paths)]


def _matters(problem: Problem, paths: Touched) -> bool:
    """Tell what is wrong from files that lie beside a model, such as a README.

    Among its layers, a manifest that it does not list is a model of its own, which nobody judges.
    """
    if problem.kind != "extra":
        return True
    is_new = paths is None or problem.path in paths
    return is_new and problem.path.endswith(f"/{MANIFEST}")
