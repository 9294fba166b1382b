"""Is a stored model whole? Every file is read and compared with its recorded checksum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kvcs.errors import NewerFormatError, NotAModelError
from kvcs.tree.reader import Files, Problem, Walk, assets, file_size, tensors
from kvcs.tree.writer import MANIFEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `verify` found. True when the model is whole.

    Attributes:
        name: the model's operand.
        files: number of files looked at.
        problems: what is wrong, sorted by path.
    """

    name: str
    files: int
    problems: tuple[Problem, ...]

    def __bool__(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a model says of the file of a tensor or an asset.

    Attributes:
        path: from the model's root.
        sha256: its checksum.
        size: in bytes; None for an asset, of which it is not recorded.
    """

    path: str
    sha256: str
    size: int | None


def _nothing(recorded: Recorded) -> bool:
    return False


def verify(files: Files, name: str, known: Callable[[Recorded], bool] = _nothing) -> Report:
    """Check every file of a stored model.

    Args:
        files: the stored model.
        name: what to call it.
        known: tells of which tensors and assets it is known otherwise that they are whole, so that
            they need not be read.

    Raises:
        NotAModelError: there is no manifest.
        NewerFormatError: written in a later format.
    """
    if MANIFEST not in files:
        raise NotAModelError(f"{name} holds no model: it has no {MANIFEST}")
    problems: list[Problem] = []
    reading = Walk(files, problems.append)
    try:
        stored = reading.model()
    except NewerFormatError as error:
        raise error.within(name) from None
    if stored is not None:
        for path, (layer, tensor) in tensors(stored):
            if not known(Recorded(path, tensor.sha256, file_size(tensor))):
                reading.check_tensor(path, layer, tensor)
        for path, (layer, digest) in assets(stored):
            if not known(Recorded(path, digest, None)):
                reading.check_asset(path, layer, digest)
        problems += _extra(reading)
    ordered = sorted(problems, key=lambda problem: (problem.path, problem.kind))
    return Report(name=name, files=len(files), problems=tuple(ordered))


def _extra(reading: Walk) -> list[Problem]:
    homes = {path.rpartition("/")[0] for path in reading.known if path.endswith(".json")}
    unread = tuple(reading.unread)
    return [
        Problem(
            kind="extra",
            path=path,
            layer=_home(path, homes),
            message="extra: the model does not list it",
        )
        for path in reading.files
        if path not in reading.known and not path.startswith(unread)
    ]


def _home(path: str, homes: set[str]) -> str:
    place = path.rpartition("/")[0]
    while place and place not in homes:
        place = place.rpartition("/")[0]
    return place
