"""What a command is about to read of a model, brought to this machine in one go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kvcs.tree.partial import Partial
from kvcs.tree.writer import OPTIMIZER


def fetch(files: Mapping[str, bytes], *, optimizer: bool = True, pointed: bool = True) -> None:
    """Fetch what is missing of a model.

    Args:
        files: the stored model.
        optimizer: also the variables of its optimizer.
        pointed: also what Git LFS pointers stand for.

    Raises:
        RepositoryError: something cannot be fetched.
    """
    above = OPTIMIZER.rpartition("/")[0]
    left = () if optimizer else (f"{above}/",)
    wanted = [path for path in files if path.endswith(".json") or not path.startswith(left)]
    _fetch(files, wanted, pointed=pointed)


def fetch_description(files: Mapping[str, bytes]) -> None:
    """Fetch what describes a model, and no tensor.

    Raises:
        RepositoryError: something cannot be fetched.
    """
    if isinstance(files, Partial):
        _fetch(files, (path for path in files if path.endswith(".json")), pointed=False)


def _fetch(files: Mapping[str, bytes], paths: Iterable[str], *, pointed: bool) -> None:
    if not isinstance(files, Partial):
        return
    from kvcs.render.progress import Bar

    with Bar("Fetching") as bar:
        files.fetch(paths, bar, pointed=pointed)
