"""What a command is about to read of a model, brought to this machine in one go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from kvcs.errors import AbsentError
from kvcs.spec import StoredModel
from kvcs.tree.partial import Partial
from kvcs.tree.reader import tensors
from kvcs.tree.writer import OPTIMIZER


def fetch(files: Mapping[str, bytes], *, optimizer: bool = True, pointed: bool = True) -> None:
    """Fetch what is missing of a model.

    Args:
        files: the stored model.
        optimizer: also the variables of its optimizer.
        pointed: also what Git LFS pointers stand for.

    Raises:
        AbsentError: something cannot be fetched.
    """
    above = OPTIMIZER.rpartition("/")[0]
    left = () if optimizer else (f"{above}/",)
    wanted = [path for path in files if path.endswith(".json") or not path.startswith(left)]
    _fetch(files, wanted, pointed=pointed)


def fetch_description(files: Mapping[str, bytes]) -> None:
    """Fetch what describes a model, and no tensor.

    Raises:
        AbsentError: something cannot be fetched.
    """
    if isinstance(files, Partial):
        _fetch(files, (path for path in files if path.endswith(".json")), pointed=False)


def fetch_changed(
    old: Mapping[str, bytes],
    new: Mapping[str, bytes],
    models: tuple[StoredModel, StoredModel],
) -> None:
    """Fetch the tensors that one model has and the other has not, to compare their values.

    What cannot be fetched is said when it is read.
    """
    found = [dict(tensors(model)) for model in models]
    digests = [{tensor.sha256 for _, tensor in each.values()} for each in found]
    for files, mine, yours in zip((old, new), found, reversed(digests), strict=True):
        changed = [path for path, (_, tensor) in mine.items() if tensor.sha256 not in yours]
        with suppress(AbsentError):
            _fetch(files, changed, pointed=True)


def fetch_some(files: Mapping[str, bytes], paths: Iterable[str], *, pointed: bool = True) -> None:
    """Fetch some files; what cannot be fetched is said when it is read."""
    with suppress(AbsentError):
        _fetch(files, paths, pointed=pointed)


def _fetch(files: Mapping[str, bytes], paths: Iterable[str], *, pointed: bool) -> None:
    if not isinstance(files, Partial):
        return
    from kvcs.render.fetching import Bar

    with Bar("Fetching") as bar:
        files.fetch(paths, bar, pointed=pointed)
