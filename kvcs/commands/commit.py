"""`kvcs.commit`: a model into git."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kvcs.commands.operand import models_below
from kvcs.commands.verify import verify
from kvcs.errors import DamageError, OperandError, RepositoryError

METRIC = "Kvcs-Metric"


def commit(
    model: Any,
    path: str | os.PathLike[str],
    message: str,
    *,
    metrics: Mapping[str, float] | None = None,
    optimizer: bool = True,
) -> str | None:
    """Save a live model and commit its directory, and nothing else.

    Args:
        model: a built `keras.Model`.
        path: the model directory, inside a git repository.
        message: the commit message.
        metrics: numbers to keep with the commit, as trailers `Kvcs-Metric: name=value`.
        optimizer: also save the optimizer's variables.

    Returns:
        The hash of the new commit; None when the model did not change.

    Raises:
        SaveError: the model cannot be saved.
        RepositoryError: git cannot commit. The directory is saved all the same.
    """
    from kvcs.commands.save import save
    from kvcs.repo import Repository

    trailers = _trailers(metrics or {})
    with Repository.discover(_nearest(Path(path))) as repository:
        save(model, path, optimizer=optimizer)
        return repository.commit([Path(path).absolute()], message, trailers)


def commit_directories(
    directories: Sequence[Path], message: str, metrics: Mapping[str, float]
) -> str | None:
    """Commit model directories as they are; none named: every model of the repository.

    Raises:
        DamageError: one of them is not whole.
        RepositoryError: git cannot commit.
    """
    from kvcs.repo import Repository

    trailers = _trailers(metrics)
    with Repository.discover() as repository:
        if repository.top is None:
            raise RepositoryError("a bare repository has no working tree to commit from")
        chosen = list(directories) or models_below(repository.top)
        if not chosen:
            raise OperandError(
                f"no model directory below {repository.top}: `kvcs export SOURCE DIR` makes one"
            )
        for directory in chosen:
            if not directory.exists():
                continue  # its removal is what is committed; git says if it never was
            report = verify(directory)
            if not report:
                raise DamageError(
                    f"{directory} is damaged and was not committed: {report.problems[0]}"
                )
        return repository.commit(chosen, message, trailers)


def _trailers(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    for name in metrics:
        if not name or "=" in name or not name.isprintable() or name != name.strip():
            raise OperandError(f"{name!r} cannot be the name of a metric")
    return [(METRIC, f"{name}={float(value)!r}") for name, value in sorted(metrics.items())]


def _nearest(path: Path) -> Path:
    """Return the nearest directory above a path that may not exist yet."""
    here = path.absolute()
    while not here.is_dir():
        here = here.parent
    return here
