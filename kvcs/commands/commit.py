"""`kvcs.commit`: a model into git."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kvcs.commands.operand import is_manifest, is_manifest_file, opened, what_stands_at
from kvcs.commands.verify import verify
from kvcs.errors import DamageError, NotAModelError, OperandError, RepositoryError
from kvcs.spec import TensorSpec
from kvcs.tree.reader import is_described
from kvcs.tree.verify import outline
from kvcs.tree.writer import MANIFEST

if TYPE_CHECKING:
    from kvcs.repo import Repository
    from kvcs.repo.commits.blobs import Kept
    from kvcs.repo.commits.committing import Recorded

METRIC = "Kvcs-Metric"

_HEADER = 4096  # no header of a tensor is longer


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
        DamageError: another program damaged it before it was committed.
    """
    from kvcs.commands.save import save
    from kvcs.repo import Repository

    trailers = metric_trailers(metrics or {})
    with Repository.discover(_nearest(Path(path))) as repository:
        directory = Path(path).absolute()
        kept = repository.unchanged(directory)
        save(model, path, optimizer=optimizer)
        return _commit(repository, [directory], message, trailers, kept)


def commit_directories(
    directories: Sequence[Path], message: str, metrics: Mapping[str, float]
) -> str | None:
    """Commit model directories as they are; none named: every model of the repository.

    Raises:
        DamageError: one of them is not whole.
        RepositoryError: git cannot commit.
    """
    from kvcs.repo import Repository

    trailers = metric_trailers(metrics)
    with Repository.discover() as repository:
        if repository.top is None:
            raise RepositoryError("a bare repository has no working tree to commit from")
        repository.refuse_unfinished()  # whose conflicts would be taken for damage
        chosen = list(directories) or models_of(repository)
        if not chosen:
            raise OperandError(
                f"no model directory below {repository.top}: `kvcs export SOURCE DIR` makes one"
            )
        return _commit(repository, chosen, message, trailers)


def _commit(
    repository: Repository,
    directories: Sequence[Path],
    message: str,
    trailers: Sequence[tuple[str, str]],
    kept: Kept = MappingProxyType({}),
) -> str | None:
    """Commit directories; what is in them is checked while it is read, and told to hooks."""
    recorded = {directory: _recorded(directory) for directory in directories}
    try:
        return repository.commit(directories, message, trailers, recorded=recorded, kept=kept)
    except DamageError as error:
        for directory in directories:
            _refuse_damaged(directory)
        # Whole now, so it was another model that its checksums were read of.
        raise RepositoryError(
            "A model was replaced while it was committed; commit again when that is done."
        ) from error


def _recorded(directory: Path) -> dict[str, Recorded]:
    """Return the checksums in a model, once all is seen to be right that takes no time to see.

    The files themselves are looked at while they are committed, so that each is read once.
    """
    from kvcs.repo.commits.committing import Recorded

    if what_stands_at(directory) == "nothing":
        return {}  # its removal is what is committed; git says if it never was
    try:
        with opened(directory) as stored:
            found = outline(stored.files, stored.name)
    except (NotAModelError, DamageError):
        _refuse_damaged(directory)
        raise
    if found.problems or not all(
        _is_described(directory / path, tensor) for path, tensor in found.tensors.items()
    ):
        _refuse_damaged(directory)
    return {path: Recorded(sha256, by) for path, (sha256, by) in found.recorded.items()}


def _is_described(place: Path, tensor: TensorSpec) -> bool:
    try:
        with place.open("rb") as file:
            return is_described(file.read(_HEADER), place.stat().st_size, tensor)
    except OSError:
        return False


def _refuse_damaged(directory: Path) -> None:
    if what_stands_at(directory) == "nothing":
        return
    report = verify(directory)
    if not report:
        raise DamageError(
            f"{directory} is damaged and was not committed: {report.problems[0]}. "
            f"`kvcs verify {directory}` lists all that is wrong"
        )


def models_of(repository: Repository) -> list[Path]:
    """Return every model directory that git sees, also one that was removed."""
    found: dict[Path, None] = {}
    for directory in repository.directories_with(MANIFEST):
        if not found.keys().isdisjoint(directory.parents):
            continue  # a nested model belongs to the one around it
        if what_stands_at(directory / MANIFEST) == "nothing":
            held = repository.revision(f":{directory.relative_to(repository.top or '').as_posix()}")
            is_model = is_manifest(held[MANIFEST])
        else:
            is_model = is_manifest_file(directory / MANIFEST)
        if is_model:
            found[directory] = None
    return list(found)


def metric_trailers(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    """Return the trailers that keep metrics with a commit.

    Raises:
        OperandError: a name would not read back, or a value is no finite number.
    """
    for name, value in metrics.items():
        if not name or "=" in name or not name.isprintable() or name != name.strip():
            raise OperandError(f"{name!r} cannot be the name of a metric")
        if not isinstance(value, numbers.Real):  # NumPy's scalars are
            raise OperandError(f"metric {name} is {value!r}: give a number")
        if not math.isfinite(value):
            raise OperandError(
                f"metric {name} is {float(value)}: give a finite number, or leave it out"
            )
    return [(METRIC, f"{name}={float(value)!r}") for name, value in sorted(metrics.items())]


def _nearest(path: Path) -> Path:
    """Return the nearest directory above a path that may not exist yet."""
    here = path.absolute()
    while not here.is_dir():
        here = here.parent
    return here
