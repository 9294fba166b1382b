"""Files become a model as data, every checksum on the way checked.

One walk serves two purposes: `read` stops at the first thing that is wrong, `kvcs.tree.verify`
collects them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar

from kvcs import npy
from kvcs.checksum import sha256
from kvcs.errors import DamageError, FormatError, NewerFormatError, NotAModelError
from kvcs.names import folded
from kvcs.pointer import Pointer
from kvcs.spec import (
    MISSING,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StateSpec,
    StoredModel,
    TensorSpec,
    walk,
)
from kvcs.tree.layers import layer_from_json
from kvcs.tree.manifest import EntryLine, Manifest, manifest_from_json, nested_from_json
from kvcs.tree.skeletons import Parser
from kvcs.tree.training import slots_from_json, state_from_json, training_from_json
from kvcs.tree.writer import LAYER, MANIFEST, OPTIMIZER, STATE, TRAINING

Files: TypeAlias = Mapping[str, bytes]

# A file can claim any size, and take no room on the disk. What is larger than this is not read: a
# tensor that is larger than its description, a JSON file or an asset.
SLACK = 1 << 20
MAX_FILE = 1 << 32
T = TypeVar("T")

Kind: TypeAlias = Literal["missing", "extra", "altered", "truncated", "invalid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a stored model.

    Attributes:
        kind: `missing`, `extra`, `altered` (the bytes are not those of the checksum),
            `truncated` (shorter than its header promises) or `invalid` (not canonical JSON, or
            not what the format allows).
        path: the file, from the model's root.
        layer: path of the layer it belongs to; empty for the model itself.
        message: one sentence.
    """

    kind: Kind
    path: str
    layer: str
    message: str

    def __str__(self) -> str:
        where = f" (layer {self.layer})" if self.layer else ""
        return f"{self.path}{where}: {self.message}"


class Walk:
    """One walk over the files of a stored model, from the manifest down.

    Args:
        files: the stored model.
        report: called with every problem. The walk goes on where that makes sense.
        parser: shared by models that have much in common.

    Attributes:
        known: the paths met so far.
        unread: directories of which nothing is known, for what describes them cannot be read.
    """

    def __init__(
        self, files: Files, report: Callable[[Problem], None], parser: Parser | None = None
    ) -> None:
        self.files = files
        self.report = report
        self._parser = parser or Parser()
        self.known: set[str] = set()
        self._places: set[str] = set()
        self.unread: set[str] = set()

    def model(self) -> StoredModel | None:
        """Read the whole model; None when its manifest cannot be read."""
        manifest = self._json(MANIFEST, "", None, manifest_from_json)
        if manifest is None:
            return None
        parts = {}
        for path, digest in manifest.files.items():
            if path not in _PARTS:
                message = f"lists {path}, which the format does not know"
                self._problem("invalid", MANIFEST, "", message)
                continue
            read, below = _PARTS[path]
            parts[path] = self._json(path, "", digest, read)
            if parts[path] is None and below:
                self.unread.add(below)
        stored = StoredModel(
            model=self._layers(manifest, ""),
            name=manifest.name,
            keras_version=manifest.keras_version,
            training=_or(parts.get(TRAINING), MISSING),
            state=_or(parts.get(STATE), StateSpec()),
            optimizer=_or(parts.get(OPTIMIZER), MISSING),
            live_names=manifest.live_names,
        )
        for path, (layer, _) in [*tensors(stored), *assets(stored)]:
            self._meet(path, layer)
        return stored

    def _layers(self, manifest: Manifest, prefix: str) -> ModelSpec:
        entries = []
        for line in manifest.entries:
            layer = self._layer(line, prefix)
            if layer is not None:
                entries.append(
                    LayerEntry(name=line.name, path=line.path, calls=line.calls, layer=layer)
                )
        return replace(manifest.model, layers=tuple(entries))

    def _layer(self, line: EntryLine, prefix: str) -> LayerSpec | ModelSpec | SharedLayer | None:
        if line.shared:
            return SharedLayer(path=line.shared)
        place = prefix + line.path
        if self._is_model(place, line.sha256):
            path = f"{place}/{MANIFEST}"
            manifest = self._json(path, place, line.sha256, nested_from_json)
            if manifest is not None:
                return self._layers(manifest, f"{place}/")
        else:
            layer = self._json(f"{place}/{LAYER}", place, line.sha256, layer_from_json)
            if layer is not None:
                return layer
        self.unread.add(f"{place}/")
        return None

    def _is_model(self, place: str, digest: str) -> bool:
        """Tell a nested model from a layer, by which file is there, even after an accident."""
        model, layer = f"{place}/{MANIFEST}", f"{place}/{LAYER}"
        if model in self.files and layer in self.files:  # one of them is extra
            return sha256([self.files[model]]) == digest
        if model in self.files or layer in self.files:
            return model in self.files
        return any(path.startswith(f"{place}/layers/") for path in self.files)

    def _json(
        self, path: str, layer: str, digest: str | None, read: Callable[[Any], T]
    ) -> T | None:
        self._meet(path, layer)
        data = self._bytes(path, layer)
        if data is None:
            return None
        altered = digest is not None and sha256([data]) != digest
        if altered:
            self._problem("altered", path, layer, "altered: its SHA-256 is not the recorded one")
        try:
            return self._parser.parse(data, read)[0]
        except FormatError as error:
            if isinstance(error, NewerFormatError) and not altered:
                raise
            self._problem("invalid", path, layer, str(error))
            return None

    def _meet(self, path: str, layer: str) -> None:
        if path in self.known:
            self._problem("invalid", path, layer, "two parts of the model stand here")
        elif folded(path) in self._places:
            self._problem("invalid", path, layer, "differs from another path only by case")
        self._places.add(folded(path))
        self.known.add(path)

    def _bytes(self, path: str, layer: str, most: int = MAX_FILE) -> bytes | None:
        try:
            size = getattr(self.files, "size", None)  # a directory tells it without reading
            if size is not None and size(path) > most:
                message = f"altered: {size(path):,} bytes are far more than it should have"
                self._problem("altered", path, layer, message)
                return None
            return self.files[path]
        except KeyError:
            self._problem("missing", path, layer, "missing")
            return None

    def check_tensor(self, path: str, layer: str, tensor: TensorSpec) -> bytes | None:
        """Read one tensor's file and check it; None when it cannot be used."""
        data = self._bytes(path, layer, file_size(tensor) + SLACK)
        if data is None:
            return None
        if sha256([data]) == tensor.sha256:
            if is_described(data, len(data), tensor):
                return data
            self._problem("invalid", path, layer, "not the array that its layer describes")
        elif _is_short(data, tensor):
            self._problem(
                "truncated", path, layer, f"truncated: {len(data)} bytes are not all of it"
            )
        else:
            self._problem("altered", path, layer, "altered: its SHA-256 is not the recorded one")
        return None

    def check_pointer(
        self, path: str, layer: str, pointer: Pointer, digest: str, size: int | None = None
    ) -> None:
        """Check the pointer of a file whose content is not here, by digest and, if known, size."""
        if pointer.oid != digest:
            message = "altered: its Git LFS pointer is that of another file"
            self._problem("altered", path, layer, message)
        elif size is not None and pointer.size != size:
            message = f"invalid: its Git LFS pointer says {pointer.size} bytes, it has {size}"
            self._problem("invalid", path, layer, message)

    def check_asset(self, path: str, layer: str, digest: str) -> bytes | None:
        """Read one asset and check it; None when it cannot be used."""
        data = self._bytes(path, layer)
        if data is not None and sha256([data]) != digest:
            self._problem("altered", path, layer, "altered: its SHA-256 is not the recorded one")
            return None
        return data

    def _problem(self, kind: Kind, path: str, layer: str, message: str) -> None:
        self.report(Problem(kind=kind, path=path, layer=layer, message=message))


# What reads a file beside the manifest, and the directory whose files it describes.
_PARTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    TRAINING: (training_from_json, ""),
    STATE: (state_from_json, "state/"),
    OPTIMIZER: (slots_from_json, "optimizer/"),
}


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def is_described(head: bytes, size: int, tensor: TensorSpec) -> bool:
    """Tell whether a `.npy` file is the array that a layer describes, as far as its head says.

    Args:
        head: the beginning of the file, header included.
        size: of the whole file in bytes.
        tensor: the description.
    """
    try:
        header = npy.parse_header(head, size)
    except FormatError:
        return False
    return (header.descr, header.shape) == (npy.STORED[tensor.dtype], tensor.shape)


def _is_short(data: bytes, tensor: TensorSpec) -> bool:
    whole = npy.header(npy.STORED[tensor.dtype], tensor.shape)
    return len(data) < file_size(tensor) and data[: len(whole)] == whole[: len(data)]


def file_size(tensor: TensorSpec) -> int:
    """Return the size in bytes that the file of a tensor has."""
    header = npy.header(npy.STORED[tensor.dtype], tensor.shape)
    return len(header) + tensor.size * npy.true_dtype(tensor.dtype).itemsize


def tensors(stored: StoredModel) -> list[tuple[str, tuple[str, TensorSpec]]]:
    """List every tensor of the model, its state and its optimizer: path, (layer, tensor)."""
    found = [
        (f"{place}/{tensor.file}" if place else tensor.file, (place, tensor))
        for place, layer in walk(stored.model)
        for tensor in layer.tensors.values()
    ]
    found += [(tensor.file, ("", tensor)) for tensor in stored.state.tensors.values()]
    if stored.optimizer is not MISSING:
        found += [
            (f"optimizer/{tensor.file}", ("", tensor)) for tensor in stored.optimizer.values()
        ]
    return found


def assets(stored: StoredModel) -> list[tuple[str, tuple[str, str]]]:
    """List every asset of the model: path, (layer, digest)."""
    return [
        (f"{place}/assets/{path}" if place else f"assets/{path}", (place, digest))
        for place, layer in walk(stored.model)
        for path, digest in layer.assets.items()
    ]


def read(files: Files, name: str, parser: Parser | None = None) -> StoredModel:
    """Read a stored model; tensors are left where they are.

    Args:
        files: the stored model.
        name: what to call it in errors.
        parser: shared by models that have much in common.

    Raises:
        NotAModelError: there is no manifest.
        NewerFormatError: written in a later format.
        DamageError: something is missing, altered or not in the format.
    """
    if MANIFEST not in files:
        raise NotAModelError(
            f"{name} holds no model: it has no {MANIFEST}. "
            "Name the directory that `kvcs.save` or `kvcs export` wrote"
        )
    try:
        stored = Walk(files, _stopper(name), parser).model()
    except NewerFormatError as error:
        raise error.within(name) from None
    assert stored is not None, "the walk reports what it cannot read"
    return stored


def _stopper(name: str) -> Callable[[Problem], None]:
    def stop(problem: Problem) -> None:
        raise DamageError(
            f"{name} is damaged: {problem}. `kvcs verify` lists all that is wrong; "
            "`git checkout` brings a committed version back"
        )

    return stop


class Contents(Mapping[str, Callable[[], npy.Array | bytes]]):
    """The tensors and assets of a stored model by path, checked as they are read."""

    def __init__(self, files: Files, stored: StoredModel, name: str) -> None:
        self._walk = Walk(files, _stopper(name))
        self._tensors = dict(tensors(stored))
        self._assets = dict(assets(stored))

    def expect(self, paths: Sequence[str]) -> None:
        """Say what will be read next, in order, to files that make use of it."""
        expect = getattr(self._walk.files, "expect", None)
        if expect is not None:
            expect(paths)

    def __getitem__(self, path: str) -> Callable[[], npy.Array | bytes]:
        if path in self._tensors:
            return lambda: self.array(path)
        if path in self._assets:
            return lambda: self.asset(path)
        raise KeyError(path)

    def __iter__(self) -> Any:
        yield from self._tensors
        yield from self._assets

    def __len__(self) -> int:
        return len(self._tensors) + len(self._assets)

    def array(self, path: str) -> npy.Array:
        """Return one tensor, read-only."""
        layer, tensor = self._tensors[path]
        data = self._walk.check_tensor(path, layer, tensor)
        assert data is not None, "the walk reports what it cannot read"
        return npy.decode(data, tensor.dtype)

    def asset(self, path: str) -> bytes:
        """Return the bytes of one asset."""
        layer, digest = self._assets[path]
        data = self._walk.check_asset(path, layer, digest)
        assert data is not None, "the walk reports what it cannot read"
        return data
