"""Many versions of a model read one after another, for what their JSON files say of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kvcs.checksum import sha256
from kvcs.errors import FormatError, NewerFormatError
from kvcs.spec import StoredModel
from kvcs.tree.manifest import Manifest
from kvcs.tree.reader import Problem, Walk, tensors
from kvcs.tree.skeletons import Parser
from kvcs.tree.writer import LAYER, MANIFEST, OPTIMIZER, STATE, TRAINING

T = TypeVar("T")

# How many parsed files are kept at most: those of a long history take hundreds of megabytes.
MOST_KEPT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What can be said of a version without its tensors, its state and its `training.json`.

    Attributes:
        model: the model, its state, optimizer and training left out.
        files: SHA-256 of the JSON files beside the manifest, by path.
        skeletons: for each file that describes the model, a name for all in it but digests and
            the names of the live model.
        problem: the first thing that is wrong with it; empty if nothing is.
    """

    model: StoredModel | None
    files: Mapping[str, str] = field(default_factory=dict)
    skeletons: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


class Outliner:
    """Reads outlines; keeps what it parsed."""

    def __init__(self) -> None:
        self._contents: Mapping[str, bytes] = {}
        self._by_id: dict[tuple[str, str], tuple[Any, str, str]] = {}
        self._parser = Parser()
        self._names: dict[bytes, str] = {}

    def outline(self, files: Mapping[str, str], contents: Mapping[str, bytes]) -> Outline:
        """Read one version.

        Args:
            files: the id of each file by path; the same bytes have the same id.
            contents: the bytes of the JSON files by id.

        Raises:
            NewerFormatError: it is written in a later format.
        """
        self._contents = contents
        if len(self._by_id) > MOST_KEPT:
            self._by_id.clear()
        problems: list[Problem] = []
        walk = _Walk(files, problems.append, self)
        model = walk.model()
        missing = [] if model is None else _missing(model, files)
        problem = str(problems[0]) if problems else next(iter(missing), "")
        return Outline(
            model=model if not problem else None,
            files=walk.beside,
            skeletons=walk.skeletons,
            problem=problem,
        )

    def parsed(self, object_id: str, read: Callable[[Any], T]) -> tuple[T, str, str]:
        """Return what a file holds, the SHA-256 of its bytes, and the name of its skeleton."""
        key = object_id, read.__name__
        if key not in self._by_id:
            data = self._contents[object_id]
            value, skeleton = self._parser.parse(data, read)
            self._by_id[key] = value, sha256([data]), self._name(skeleton)
        return self._by_id[key]

    def digest(self, object_id: str) -> str:
        """Return the SHA-256 of a file's bytes."""
        return sha256([self._contents[object_id]])

    def _name(self, skeleton: bytes) -> str:
        if skeleton not in self._names:
            self._names[skeleton] = sha256([_nameless(skeleton)])
        return self._names[skeleton]


class _Walk(Walk):
    """A walk over a version that reads only what describes the model."""

    def __init__(
        self, files: Mapping[str, str], report: Callable[[Problem], None], outliner: Outliner
    ) -> None:
        super().__init__(files, report)  # type: ignore[arg-type]  # only asked for what there is
        self.skeletons: dict[str, str] = {}
        self.beside: Mapping[str, str] = {}
        self._outliner = outliner

    def _json(
        self, path: str, layer: str, digest: str | None, read: Callable[[Any], T]
    ) -> T | None:
        if path in (TRAINING, STATE, OPTIMIZER):
            return None
        self._meet(path, layer)
        if path not in self.files:
            self._problem("missing", path, layer, "missing")
            return None
        try:
            value, actual, name = self._outliner.parsed(str(self.files[path]), read)
        except NewerFormatError:
            raise
        except FormatError as error:
            self._problem("invalid", path, layer, str(error))
            return None
        if digest is not None and digest != actual:
            self._problem("altered", path, layer, "altered: its SHA-256 is not the recorded one")
        self.skeletons[path] = name
        if path == MANIFEST and isinstance(value, Manifest):
            self.beside = value.files
        return value

    def _is_model(self, place: str, digest: str) -> bool:
        model, layer = f"{place}/{MANIFEST}", f"{place}/{LAYER}"
        if model in self.files and layer in self.files:  # one of them is extra
            return self._outliner.digest(str(self.files[model])) == digest
        return super()._is_model(place, digest)


def _missing(model: StoredModel, files: Mapping[str, str]) -> Iterator[str]:
    for path, (place, _) in tensors(model):
        if path not in files:
            yield f"{path} (layer {place}): missing"


def _nameless(skeleton: bytes) -> bytes:
    """Leave out the names of the live model, and which Keras described it."""
    start, mark, rest = skeleton.partition(b'\n  "live_names": {\n')
    end = rest.partition(b"\n  },")[2]
    kept = start + end if mark else skeleton
    return re.sub(rb'(?m)^  "(keras_version|checksum)": .*\n', b"", kept)
