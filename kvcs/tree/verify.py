"""Is a stored model whole? Every file is read and compared with its recorded checksum.

A Git LFS pointer whose object is not on this machine is compared instead of the object: it holds
the checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kvcs.errors import NewerFormatError, NotAModelError
from kvcs.pointer import Pointer
from kvcs.spec import StoredModel, TensorSpec
from kvcs.tree.partial import Partial
from kvcs.tree.reader import Files, Problem, Walk, assets, file_size, tensors
from kvcs.tree.writer import LAYER, MANIFEST, OPTIMIZER, STATE


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What the JSON files of a stored model say of the others, none of which was read.

    Attributes:
        problems: what is wrong with the JSON files, and which files are missing or extra.
        tensors: the description of each tensor, by path.
        recorded: for each tensor and asset its SHA-256, and the JSON file where that stands.
    """

    problems: tuple[Problem, ...]
    tensors: Mapping[str, TensorSpec]
    recorded: Mapping[str, tuple[str, str]]


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
    size: int | None = None


def _nothing(recorded: Recorded) -> bool:
    return False


def verify(files: Files, name: str, known: Callable[[Recorded], bool] = _nothing) -> Report:
    """Check every file of a stored model; objects of Git LFS are not fetched.

    Args:
        files: the stored model.
        name: what to call it.
        known: tells of which tensors and assets it is known otherwise that they are whole, so that
            they need not be read.

    Raises:
        NotAModelError: there is no manifest.
        NewerFormatError: written in a later format.
    """
    problems: list[Problem] = []
    reading, stored = _read(files, name, problems)
    pointers = _pointers(files)
    if stored is not None:
        for path, (layer, tensor) in tensors(stored):
            if known(Recorded(path, tensor.sha256, file_size(tensor))):
                continue
            if path in pointers:
                reading.check_pointer(path, layer, pointers[path], tensor.sha256, file_size(tensor))
            else:
                reading.check_tensor(path, layer, tensor)
        for path, (layer, digest) in assets(stored):
            if known(Recorded(path, digest)):
                continue
            if path in pointers:
                reading.check_pointer(path, layer, pointers[path], digest)
            else:
                reading.check_asset(path, layer, digest)
    found = _ordered(problems)
    return Report(name=name, files=len(files), pointers=len(pointers), problems=found)


def _pointers(files: Files) -> dict[str, Pointer]:
    """Return the pointers of what is not on this machine."""
    absent = files.absent(files) if isinstance(files, Partial) else {}
    return {path: pointer for path, pointer in absent.items() if pointer is not None}


def outline(files: Files, name: str) -> Outline:
    """Check the JSON files of a stored model, and that the others are there.

    Raises:
        NotAModelError: there is no manifest.
        NewerFormatError: written in a later format.
    """
    problems: list[Problem] = []
    _, stored = _read(files, name, problems)
    if stored is None:
        return Outline(problems=_ordered(problems), tensors={}, recorded={})
    tensors_found = dict(tensors(stored))
    recorded = {
        path: (tensor.sha256, _recorder(path, layer, files))
        for path, (layer, tensor) in tensors_found.items()
    }
    for path, (layer, digest) in assets(stored):
        recorded[path] = (digest, _recorder(path, layer, files))
    problems += [
        Problem(kind="missing", path=path, layer="", message="missing")
        for path in recorded
        if path not in files
    ]
    described = {path: tensor for path, (_, tensor) in tensors_found.items()}
    return Outline(problems=_ordered(problems), tensors=described, recorded=recorded)


def _read(files: Files, name: str, problems: list[Problem]) -> tuple[Walk, StoredModel | None]:
    """Read the JSON files, and find the files that none of them lists."""
    if MANIFEST not in files:
        raise NotAModelError(f"{name} holds no model: it has no {MANIFEST}")
    reading = Walk(files, problems.append)
    try:
        stored = reading.model()
    except NewerFormatError as error:
        raise error.within(name) from None
    if stored is not None:
        problems += _extra(reading)
    return reading, stored


def _recorder(path: str, layer: str, files: Files) -> str:
    """Return the JSON file that describes a tensor or an asset."""
    if not layer and path.startswith("optimizer/"):
        return OPTIMIZER
    if not layer and path.startswith("state/"):
        return STATE
    own = f"{layer}/{LAYER}"
    return own if own in files else f"{layer}/{MANIFEST}" if layer else MANIFEST


def _ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.path, problem.kind)))


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
