"""A model as data becomes files: each tensor is encoded, hashed and handed on exactly once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from kvcs import canon, npy
from kvcs.checksum import sha256
from kvcs.errors import FormatError, SaveError
from kvcs.spec import MISSING, LayerSpec, ModelSpec, StoredModel, TensorSpec
from kvcs.tree.layers import layer_from_json, layer_to_json, tensors_to_json
from kvcs.tree.manifest import (
    EntryLine,
    Manifest,
    manifest_from_json,
    manifest_to_json,
    nested_from_json,
)
from kvcs.tree.training import (
    slots_from_json,
    state_from_json,
    state_to_json,
    training_from_json,
    training_to_json,
)

# What stands at a path of the stored model: a tensor's array, or an asset's bytes. A function,
# so that one array at a time is in memory.
Contents: TypeAlias = Mapping[str, Callable[[], npy.Array | bytes]]
File: TypeAlias = tuple[str, Sequence[npy.Buffer]]
L = TypeVar("L", bound=LayerSpec)

MANIFEST = "model.json"
LAYER = "layer.json"
TRAINING = "training.json"
STATE = "state.json"
OPTIMIZER = "optimizer/index.json"


def files(stored: StoredModel, contents: Contents) -> Iterator[File]:
    """Yield every file of a stored model, as a path and the buffers of its bytes.

    Args:
        stored: the model; the digests in it are ignored and computed anew.
        contents: the array of every tensor, and the bytes of every asset, by the path of its
            file from the model's root.

    Raises:
        SaveError: an array has a dtype that cannot be stored, or a file would not be read back.
    """
    known: set[str] = set()
    for path, parts in _files(stored, contents):
        if path.casefold() in known:  # for some file systems ignore case
            raise SaveError(f"two parts of the model would stand in {path}")
        known.add(path.casefold())
        yield path, parts


def _files(stored: StoredModel, contents: Contents) -> Iterator[File]:
    digests: dict[str, str] = {}
    if stored.training is not MISSING:
        training = training_to_json(stored.training)
        yield _json(TRAINING, training, training_from_json, digests)
    if stored.state:
        tensors = yield from _tensors(stored.state.tensors, contents, "")
        state = state_to_json(replace(stored.state, tensors=tensors))
        yield _json(STATE, state, state_from_json, digests)
    if stored.optimizer is not MISSING:
        slots = yield from _tensors(stored.optimizer, contents, "optimizer/")
        index = tensors_to_json(slots)
        yield _json(OPTIMIZER, index, slots_from_json, digests)
    yield from _model(stored.model, contents, "", digests, stored)


def _json(path: str, value: Any, read: Callable[[Any], Any], digests: dict[str, str]) -> File:
    """Lay out a file, and read it back: nothing is written that could not be read."""
    try:
        data = canon.dumps(value)
        read(canon.parsed(data))
    except (FormatError, ValueError) as error:
        raise SaveError(f"{path} cannot be stored: {error}") from error
    digests[path] = sha256([data])
    return path, [data]


def _model(
    model: ModelSpec,
    contents: Contents,
    prefix: str,
    digests: dict[str, str],
    root: StoredModel | None = None,
) -> Iterator[File]:
    lines = []
    for entry in model.layers:
        line = EntryLine(name=entry.name, path=entry.path, calls=entry.calls)
        below = f"{prefix}{entry.path}/"
        if isinstance(entry.layer, ModelSpec):
            yield from _model(entry.layer, contents, below, digests)
            line = replace(line, sha256=digests[below + MANIFEST])
        elif isinstance(entry.layer, LayerSpec):
            layer = yield from _own(entry.layer, contents, below)
            described = layer_to_json(layer)
            yield _json(below + LAYER, described, layer_from_json, digests)
            line = replace(line, sha256=digests[below + LAYER])
        else:
            line = replace(line, shared=entry.layer.path)
        lines.append(line)
    own = yield from _own(replace(model, layers=()), contents, prefix)
    manifest = Manifest(
        model=own,
        entries=tuple(lines),
        name=root.name if root else "",
        keras_version=root.keras_version if root else "",
        files={path: digests[path] for path in (TRAINING, STATE, OPTIMIZER) if path in digests}
        if root
        else {},
        live_names=root.live_names if root else {},
    )
    read = manifest_from_json if root else nested_from_json
    yield _json(prefix + MANIFEST, manifest_to_json(manifest), read, digests)


def _own(layer: L, contents: Contents, prefix: str) -> Generator[File, None, L]:
    """Yield the tensors and assets of one layer; return the layer with their digests."""
    tensors = yield from _tensors(layer.tensors, contents, prefix)
    assets = {}
    for path in sorted(layer.assets):
        data = contents[f"{prefix}assets/{path}"]()
        assert isinstance(data, bytes)
        assets[path] = sha256([data])
        yield f"{prefix}assets/{path}", [data]
    return replace(layer, tensors=tensors, assets=assets)


def _tensors(
    tensors: Mapping[str, TensorSpec], contents: Contents, prefix: str
) -> Generator[File, None, dict[str, TensorSpec]]:
    """Yield the tensors' files; return their descriptions, digests included."""
    found = {}
    for name, tensor in sorted(tensors.items()):
        path = prefix + tensor.file
        array = contents[path]()
        assert not isinstance(array, bytes)
        try:
            parts = npy.encode(array)
        except TypeError as error:
            raise SaveError(f"{path}: {error}") from None
        found[name] = replace(tensor, sha256=sha256(parts))
        yield path, parts
        del array, parts  # before the next one is made
    return found
