"""`kvcs init`: attributes, hooks and drivers for the models of a repository, and back.

First all that would be done is found out, then it is done: what speaks against one step does so
before any. Every step says what it did, and what it left to the user and why.
"""

from __future__ import annotations

from collections.abc import Sequence

from kvcs.commands.setup import attributes as init_attributes
from kvcs.commands.setup import drivers as init_drivers
from kvcs.commands.setup import hooks as init_hooks
from kvcs.commands.setup.steps import Step, top_of
from kvcs.errors import RepositoryError
from kvcs.repo import Repository
from kvcs.repo.setup import versions


def init(*, lfs: bool | None = None, local: bool = False, dry_run: bool = False) -> list[Step]:
    """Set up the repository around the current directory for models; twice is as once.

    Args:
        lfs: whether Git LFS keeps the tensors; None for what it was.
        local: write drivers to the settings of this repository, not to those of the user.
        dry_run: only say what would be done.

    Raises:
        RepositoryError: no repository, a bare one, or one that cannot be written to.
    """
    with Repository.discover() as repository:
        top_of(repository)
        with_lfs = init_attributes.has_lfs(repository) if lfs is None else lfs
        if with_lfs and versions.git_lfs(repository.git) is None:
            raise RepositoryError(
                "Git LFS is not installed, which is to keep the tensors: install git-lfs "
                "(https://git-lfs.com), then run this again."
            )
        steps = [
            *init_attributes.steps(repository, lfs),
            *init_drivers.steps(repository, lfs=with_lfs, scope="local" if local else "global"),
            *init_hooks.steps(repository, lfs=with_lfs),
        ]
        return _done(steps, dry_run)


def undo(*, dry_run: bool = False) -> list[Step]:
    """Take back what `init` did, and nothing else.

    Raises:
        RepositoryError: no repository, a bare one, or one that cannot be written to.
    """
    with Repository.discover() as repository:
        top_of(repository)
        steps = [
            *init_attributes.steps_back(repository),
            *init_drivers.steps_back(repository),
            *init_hooks.steps_back(repository),
        ]
        return _done(steps, dry_run)


def _done(steps: Sequence[Step], dry_run: bool) -> list[Step]:
    for step in steps:
        if not dry_run:
            step.do()
    return list(steps)
