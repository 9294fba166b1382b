"""Many versions of a model read one after another; what they have in common is parsed once.

Two versions between which a model was trained differ in nothing but digests. So a file is parsed
by its skeleton, which is the file without them: where a file with the same skeleton was parsed
before, its digests are put into what came out then. No check is lost by that. A digest is checked
by the file it is a digest of, and the checksum of a manifest leaves digests out for that reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from kvcs import canon
from kvcs.checksum import sha256
from kvcs.errors import FormatError, NewerFormatError
from kvcs.spec import LayerSpec, StoredModel, TensorSpec
from kvcs.tree import schema
from kvcs.tree.reader import Problem, Walk, tensors
from kvcs.tree.writer import LAYER, MANIFEST, OPTIMIZER, STATE, TRAINING

T = TypeVar("T")

# How many parsed files are kept at most: those of a long history take hundreds of megabytes.
MOST_KEPT = 20_000

# The lines of canonical JSON that hold the digest of a layer or a tensor, or of a file beside
# the manifest. A line of a config can look the same; that is found by counting.
_DIGEST = re.compile(
    rb'(?m)^((?:      "sha256"|    "(?:optimizer/index|state|training)\.json"): ")([0-9a-f]{64})"'
)


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


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What a file holds, and whether its digests stand where they are looked for."""

    value: Any
    regular: bool
    name: str


class Outliner:
    """Reads outlines; keeps what it parsed."""

    def __init__(self) -> None:
        self._contents: Mapping[str, bytes] = {}
        self._by_id: dict[tuple[str, str], tuple[Any, str, str]] = {}
        self._by_skeleton: dict[tuple[str, bytes], _Parsed] = {}

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
            self._by_id[key] = (*self._parsed(data, read), sha256([data]))
        value, name, digest = self._by_id[key]
        return value, digest, name

    def digest(self, object_id: str) -> str:
        """Return the SHA-256 of a file's bytes."""
        return sha256([self._contents[object_id]])

    def _parsed(self, data: bytes, read: Callable[[Any], Any]) -> tuple[Any, str]:
        found = [match[2].decode() for match in _DIGEST.finditer(data)]
        key = read.__name__, _DIGEST.sub(rb'\1"', data)
        known = self._by_skeleton.get(key)
        if known is not None and known.regular:
            return _with_digests(known.value, iter(found)), known.name
        value = read(canon.loads(data))
        name = known.name if known else sha256([_nameless(key[1])])
        parsed = _Parsed(value, found == _digests(value), name)
        self._by_skeleton[key] = parsed
        return value, parsed.name


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
        if path == MANIFEST and isinstance(value, schema.Manifest):
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


def _digests(value: Any) -> list[str]:
    """Return the digests in what was parsed, in the order in which they stand in the file."""
    if isinstance(value, schema.Manifest):
        found = [value.files[path] for path in sorted(value.files)]
        found += [entry.sha256 for entry in value.entries if entry.sha256]
        return found + _of_tensors(value.model.tensors)
    return _of_tensors(value.tensors)


def _of_tensors(found: Mapping[str, TensorSpec]) -> list[str]:
    return [found[name].sha256 for name in sorted(found)]


def _with_digests(value: Any, given: Iterator[str]) -> Any:
    """Return what was parsed with other digests, in the order in which they stand in the file."""
    if isinstance(value, LayerSpec):
        return replace(value, tensors=_renewed(value.tensors, given))
    files = {path: next(given) for path in sorted(value.files)}
    entries = tuple(
        replace(entry, sha256=next(given)) if entry.sha256 else entry for entry in value.entries
    )
    model = replace(value.model, tensors=_renewed(value.model.tensors, given))
    return replace(value, files=files, entries=entries, model=model)


def _renewed(found: Mapping[str, TensorSpec], given: Iterator[str]) -> dict[str, TensorSpec]:
    return {name: replace(found[name], sha256=next(given)) for name in sorted(found)}
