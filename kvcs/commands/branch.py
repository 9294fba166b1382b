"""A live model into a branch of its own, while something else is checked out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kvcs.commands.commit import metric_trailers
from kvcs.commands.past import seen_from, start_of
from kvcs.errors import RepositoryError


def commit_to_branch(
    model: Any,
    path: str | os.PathLike[str],
    branch: str,
    message: str,
    *,
    metrics: Mapping[str, float] | None = None,
    optimizer: bool = True,
) -> str | None:
    """Commit a live model to a branch; HEAD, index and working tree stay as they are.

    Args:
        model: a built `keras.Model`.
        path: the directory of the model, inside a git repository. It is not written to.
        branch: the branch, which must not be checked out; it begins at HEAD.
        message, metrics, optimizer: as for `kvcs.commit`.

    Returns:
        The hash of the new commit; None when the model did not change.

    Raises:
        SaveError: the model cannot be saved.
        RepositoryError: git cannot commit.
    """
    from kvcs.commands.save import save
    from kvcs.repo import Repository

    def write(directory: Path) -> None:
        directory.parent.mkdir(parents=True)
        save(model, directory, optimizer=optimizer)

    trailers = metric_trailers(metrics or {})
    with Repository.discover(start_of(os.fspath(path))) as repository:
        directory = seen_from(repository, path)
        return repository.commit_to_branch(branch, directory, write, message, trailers)


def check_repository(path: str | os.PathLike[str], branch: str | None) -> None:
    """Refuse what no commit could be made to, before hours of training.

    Raises:
        RepositoryError: there is no repository, git does not know who commits, or the branch
            cannot be committed to.
    """
    from kvcs.repo import Repository

    with Repository.discover(start_of(os.fspath(path))) as repository:
        if branch is not None:
            repository.check_branch(branch)
        elif repository.top is None:
            raise RepositoryError("a bare repository has no working tree: name a `branch`")
        repository.relative(seen_from(repository, path))
        if not repository.has_identity():
            raise RepositoryError(
                "git does not know who commits; run `git config --global user.name 'Your Name'` "
                "and `git config --global user.email 'you@example.org'`"
            )
