"""Files become a model as data, every checksum on the way checked.

One walk serves two purposes: `read` stops at the first thing that is wrong, `kvcs.tree.verify`
collects them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar

from kvcs import canon, npy
from kvcs.checksum import sha256
from kvcs.errors import DamageError, FormatError, NewerFormatError, NotAModelError
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
from kvcs.tree import schema
from kvcs.tree.writer import LAYER, MANIFEST, OPTIMIZER, STATE, TRAINING

Files: TypeAlias = Mapping[str, bytes]
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

    Attributes:
        known: the paths met so far.
    """

    def __init__(self, files: Files, report: Callable[[Problem], None]) -> None:
        self.files = files
        self.report = report
        self.known: set[str] = set()

    def model(self) -> StoredModel | None:
        """Read the whole model; None when its manifest cannot be read."""
        manifest = self._json(MANIFEST, "", None, schema.manifest_from_json)
        if manifest is None:
            return None
        parts = {
            path: self._json(path, "", digest, _PARTS[path])
            for path, digest in manifest.files.items()
            if path in _PARTS
        }
        for path in sorted(set(manifest.files) - set(_PARTS)):
            self._problem("invalid", MANIFEST, "", f"lists {path}, which the format does not know")
        return StoredModel(
            model=self._layers(manifest, ""),
            name=manifest.name,
            keras_version=manifest.keras_version,
            training=_or(parts.get(TRAINING), MISSING),
            state=_or(parts.get(STATE), StateSpec()),
            optimizer=_or(parts.get(OPTIMIZER), MISSING),
            live_names=manifest.live_names,
        )

    def _layers(self, manifest: schema.Manifest, prefix: str) -> ModelSpec:
        entries = []
        for line in manifest.entries:
            layer = self._layer(line, prefix)
            if layer is not None:
                entries.append(
                    LayerEntry(name=line.name, path=line.path, calls=line.calls, layer=layer)
                )
        return replace(manifest.model, layers=tuple(entries))

    def _layer(
        self, line: schema.EntryLine, prefix: str
    ) -> LayerSpec | ModelSpec | SharedLayer | None:
        if line.shared:
            return SharedLayer(path=line.shared)
        place = prefix + line.path
        if f"{place}/{MANIFEST}" in self.files:
            manifest = self._json(
                f"{place}/{MANIFEST}", place, line.sha256, schema.manifest_from_json
            )
            return None if manifest is None else self._layers(manifest, f"{place}/")
        return self._json(f"{place}/{LAYER}", place, line.sha256, schema.layer_from_json)

    def _json(
        self, path: str, layer: str, digest: str | None, read: Callable[[Any], T]
    ) -> T | None:
        self.known.add(path)
        data = self._bytes(path, layer)
        if data is None:
            return None
        if digest is not None and sha256([data]) != digest:
            self._problem("altered", path, layer, "altered: its SHA-256 is not the recorded one")
        try:
            return read(canon.loads(data))
        except NewerFormatError:
            raise
        except FormatError as error:
            self._problem("invalid", path, layer, str(error))
            return None

    def _bytes(self, path: str, layer: str) -> bytes | None:
        try:
            return self.files[path]
        except KeyError:
            self._problem("missing", path, layer, "missing")
            return None

    def check_tensor(self, path: str, layer: str, tensor: TensorSpec) -> bytes | None:
        """Read one tensor's file and check it; None when it cannot be used."""
        self.known.add(path)
        data = self._bytes(path, layer)
        if data is None:
            return None
        if sha256([data]) == tensor.sha256:
            header = _header(data)
            if header is not None and header.shape == tensor.shape:
                return data
            self._problem("invalid", path, layer, "not the array that its layer describes")
        elif _is_short(data, tensor):
            self._problem(
                "truncated", path, layer, f"truncated: {len(data)} bytes are not all of it"
            )
        else:
            self._problem("altered", path, layer, "altered: its SHA-256 is not the recorded one")
        return None

    def check_asset(self, path: str, layer: str, digest: str) -> bytes | None:
        """Read one asset and check it; None when it cannot be used."""
        self.known.add(path)
        data = self._bytes(path, layer)
        if data is not None and sha256([data]) != digest:
            self._problem("altered", path, layer, "altered: its SHA-256 is not the recorded one")
            return None
        return data

    def _problem(self, kind: Kind, path: str, layer: str, message: str) -> None:
        self.report(Problem(kind=kind, path=path, layer=layer, message=message))


_PARTS: dict[str, Callable[[Any], Any]] = {
    TRAINING: schema.training_from_json,
    STATE: schema.state_from_json,
    OPTIMIZER: schema.tensors_from_json,
}


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _header(data: bytes) -> npy.Header | None:
    try:
        return npy.parse_header(data, len(data))
    except FormatError:
        return None


def _is_short(data: bytes, tensor: TensorSpec) -> bool:
    whole = npy.header(npy.STORED[tensor.dtype], tensor.shape)
    size = len(whole) + tensor.size * npy.true_dtype(tensor.dtype).itemsize
    return len(data) < size and data[: len(whole)] == whole[: len(data)]


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


def read(files: Files, name: str) -> StoredModel:
    """Read a stored model; tensors are left where they are.

    Args:
        files: the stored model.
        name: what to call it in errors.

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
        stored = Walk(files, _stopper(name)).model()
    except NewerFormatError as error:
        raise error.within(f"{name}: ") from None
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
        self._assets = {
            f"{place}/assets/{path}" if place else f"assets/{path}": (place, digest)
            for place, layer in walk(stored.model)
            for path, digest in layer.assets.items()
        }

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
