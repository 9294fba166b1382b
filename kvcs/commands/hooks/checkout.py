"""The hooks `post-checkout` and `post-merge`: say which models are not whole in the working tree.

Nothing is stopped. Of the models that the checkout or merge touched, each JSON file and asset is
read and checked; of tensors only the sizes are looked at. `kvcs verify` reads them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kvcs.commands.hooks.hook import Outcome
from kvcs.commands.hooks.touched import touched

if TYPE_CHECKING:
    from kvcs.repo import Repository
    from kvcs.tree.verify import Recorded


def post_checkout(arguments: Sequence[str]) -> Outcome:
    """Look at the models that a checkout touched.

    Args:
        arguments: HEAD before and after, and `1` for a change of branches, `0` for files. What
            files those were git does not say: then it is what differs from HEAD.

    Raises:
        RepositoryError: git cannot say what was touched.
    """
    old, new, branch = (*arguments, "", "", "")[:3]
    if not arguments:  # the pre-commit framework says it by other means
        names = ("PRE_COMMIT_FROM_REF", "PRE_COMMIT_TO_REF", "PRE_COMMIT_CHECKOUT_TYPE")
        old, new, branch = (os.environ.get(name, "") for name in names)
    return _outcome(old, new if branch == "1" else "")


def post_merge(arguments: Sequence[str]) -> Outcome:
    """Look at the models that a merge touched; one that is only staged (`--squash`) too.

    Raises:
        RepositoryError: git cannot say what was touched.
    """
    squash = (arguments or [os.environ.get("PRE_COMMIT_IS_SQUASH_MERGE", "0")])[0]
    return _outcome("ORIG_HEAD", "" if squash == "1" else "HEAD")


def _outcome(old: str, new: str) -> Outcome:
    from kvcs.repo import Repository, changes

    with Repository.discover() as repository:
        git = repository.git
        found = changes.between(git, old, new) if new and old else changes.staged(git)
        places = touched(repository, (change.path for change in found)).models
        return Outcome(tuple(said_of(repository, places)))


@dataclass
class _Sizes:
    """Tells by its size whether a tensor is whole, and counts pointers of Git LFS on the way."""

    folder: Path
    pointers: list[str] = field(default_factory=list)

    def known(self, recorded: Recorded) -> bool:
        from kvcs.pointer import LIMIT, parse

        path = self.folder / recorded.path
        try:
            size = path.lstat().st_size
            if size < LIMIT:
                pointer = parse(path.read_bytes())
                if pointer is not None and pointer.oid == recorded.sha256:
                    self.pointers.append(recorded.path)
                    return True
        except OSError:
            return False
        return size == recorded.size


def said_of(repository: Repository, places: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with models in the working tree, and what to do about it."""
    from kvcs.repo import changes
    from kvcs.repo.setup import settings

    sparse = settings.get(repository.git, "core.sparseCheckout") == "true"
    for place in places:
        away, files = changes.skipped(repository.git, place) if sparse else (0, 1)
        name = place or "."
        if 0 < away < files:
            yield (
                f"{name} is not complete: {away} of {files} files are outside of the sparse "
                f"checkout; `git sparse-checkout add {name}`"
            )
        elif away == 0:  # one that is left out as a whole is wanted so
            yield from _said_of(repository, place, name)


def _said_of(repository: Repository, place: str, name: str) -> Iterator[str]:
    assert repository.top is not None, "hooks of a checkout run in a work tree"
    sizes = _Sizes(repository.top / place)
    problems = _problems(sizes.folder, name, sizes.known)
    if sizes.pointers:
        yield (
            f"{name} is not complete: {len(sizes.pointers)} tensors are pointers of Git LFS; "
            f"`git lfs pull --include '{name}/**'`"
        )
    if problems:
        yield (
            f"{name} is not whole: {problems[0]}"
            f"{f', and {len(problems) - 1} more' if problems[1:] else ''}; "
            f"`kvcs verify {name}` lists all, `kvcs doctor` looks for a cause"
        )


def _problems(folder: Path, name: str, known: Callable[[Recorded], bool]) -> list[str]:
    from kvcs.errors import DamageError, NotAModelError, OperandError
    from kvcs.tree.verify import verify
    from kvcs.workdir import Directory

    try:
        report = verify(Directory(folder), name, known)
    except (DamageError, NotAModelError, OperandError) as error:
        return [str(error)]
    return [str(problem) for problem in report.problems if problem.kind != "extra"]
