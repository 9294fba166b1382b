"""Is a stored model whole? Every file is read and compared with its recorded checksum.

A Git LFS pointer whose object is not on this machine is compared instead of the object: it holds
the checksum.
"""

from __future__ import annotations

from dataclasses import dataclass

from kvcs.errors import NewerFormatError, NotAModelError
from kvcs.pointer import Pointer
from kvcs.tree.partial import Partial
from kvcs.tree.reader import Files, Problem, Walk, assets, size_of, tensors
from kvcs.tree.writer import MANIFEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `verify` found. True when the model is whole.

    Attributes:
        name: the model's operand.
        files: number of files looked at.
        pointers: how many of them are known by a Git LFS pointer alone.
        problems: what is wrong, sorted by path.
    """

    name: str
    files: int
    pointers: int = 0
    problems: tuple[Problem, ...]

    def __bool__(self) -> bool:
        return not self.problems


def verify(files: Files, name: str) -> Report:
    """Check every file of a stored model; objects of Git LFS are not fetched.

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
    pointers = _pointers(files)
    if stored is not None:
        for path, (layer, tensor) in tensors(stored):
            if path in pointers:
                reading.check_pointer(path, layer, pointers[path], tensor.sha256, size_of(tensor))
            else:
                reading.check_tensor(path, layer, tensor)
        for path, (layer, digest) in assets(stored):
            if path in pointers:
                reading.check_pointer(path, layer, pointers[path], digest)
            else:
                reading.check_asset(path, layer, digest)
        problems += _extra(reading)
    ordered = sorted(problems, key=lambda problem: (problem.path, problem.kind))
    return Report(name=name, files=len(files), pointers=len(pointers), problems=tuple(ordered))


def _pointers(files: Files) -> dict[str, Pointer]:
    absent = files.absent(files) if isinstance(files, Partial) else {}
    return {path: pointer for path, pointer in absent.items() if pointer is not None}


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
