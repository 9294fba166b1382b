"""`layer.json`, and what it shares with the manifest: parts, and descriptions of tensors.

Every reader of the format checks what it takes (`FormatError` with the place), and every key it
does not know is an error, so that what a reviewer sees is what kvcs uses. `docs/format.md` says the
same in words.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

from kvcs import canon, npy
from kvcs.errors import FormatError
from kvcs.spec import MISSING, ClassRef, LayerSpec, PartSpec, TensorSpec
from kvcs.tree.fields import (
    Json,
    Object,
    arguments_from_json,
    at,
    check_written,
    dict_of,
    digest,
    list_of,
    natural,
    path_from_json,
    string,
)


def layer_to_json(layer: LayerSpec) -> Json:
    """Return what `layer.json` holds."""
    found = _part_to_json(layer)
    found["tensors"] = tensors_to_json(layer.tensors)
    if layer.tied:
        found["tied"] = dict(layer.tied)
    if layer.extra:
        found["extra"] = {path: dict(keys) for path, keys in layer.extra.items()}
    if layer.frozen:
        found["frozen"] = list(layer.frozen)
    if layer.parts:
        found["parts"] = {key: _part_to_json(part) for key, part in layer.parts.items()}
    if layer.assets:
        found["assets"] = dict(layer.assets)
    return found


def _part_to_json(part: PartSpec | LayerSpec) -> Json:
    found: Json = {
        "module": part.cls.module,
        "class_name": part.cls.name,
        "registered_name": part.cls.registered_name,
        "config": canon.encode_schema(dict(part.config)),
    }
    if part.build_config is not MISSING:
        found["build_config"] = canon.encode(part.build_config)
    return found


def tensors_to_json(tensors: Mapping[str, TensorSpec]) -> Json:
    """Return the descriptions of tensors by name."""
    return {
        name: {
            "file": tensor.file,
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "trainable": tensor.trainable,
            "sha256": tensor.sha256,
        }
        for name, tensor in tensors.items()
    }


def layer_from_json(value: Any) -> LayerSpec:
    """Read `layer.json`.

    Raises:
        FormatError: with the place.
    """
    found = Object(value)
    layer = LayerSpec(**layer_fields(found))
    found.done()
    check_written(value, layer_to_json(layer))
    return layer


def layer_fields(found: Object) -> Json:
    """Read what every layer has, a model included."""
    tensors = found.parse("tensors", tensors_from_json)
    return {
        **_part_fields(found),
        "tensors": tensors,
        "tied": found.parse("tied", dict_of(path_from_json), {}),
        "extra": found.parse("extra", dict_of(dict_of(_one_of(tensors))), {}),
        "frozen": found.parse("frozen", list_of(string), ()),
        "parts": found.parse("parts", dict_of(_part), {}),
        "assets": found.parse("assets", digests_by_path, {}),
    }


def _part_fields(found: Object) -> Json:
    cls = ClassRef(
        module=found.take("module", (str, type(None))),
        name=found.take("class_name", str),
        registered_name=found.take("registered_name", (str, type(None))),
    )
    return {
        "cls": cls,
        "config": found.parse("config", arguments_from_json),
        "build_config": found.parse("build_config", canon.decode, MISSING)
        if "build_config" in found.left
        else MISSING,
    }


def _part(value: Any) -> PartSpec:
    found = Object(value)
    part = PartSpec(**_part_fields(found))
    found.done()
    return part


def _one_of(tensors: Container[str]) -> Callable[[Any], str]:
    def read_name(value: Any) -> str:
        if string(value) not in tensors:
            raise FormatError(f"no tensor of the layer is called {value!r}")
        return str(value)

    return read_name


def digests_by_path(value: Any) -> dict[str, str]:
    """Read the digests of files by their paths."""
    found = dict_of(digest)(value)
    for path in found:
        path_from_json(path)
    return found


def tensors_from_json(value: Any, below: str = "") -> dict[str, TensorSpec]:
    """Read the descriptions of tensors by name, whose files stand in the directory `below`."""
    found = dict_of(_tensor)(value)
    for name, tensor in found.items():
        file = f"{below}{name}.npy"
        if tensor.file != file:
            address = f"[{name!r}].file"
            raise FormatError(f"expected {file!r}, got {tensor.file!r}", address=address)
    return found


def _tensor(value: Any) -> TensorSpec:
    found = Object(value)
    tensor = TensorSpec(
        file=found.parse("file", path_from_json),
        dtype=found.take("dtype", str),
        shape=found.parse("shape", list_of(natural)),
        trainable=found.take("trainable", bool),
        sha256=found.parse("sha256", digest),
    )
    found.done()
    if tensor.dtype not in npy.STORED:
        raise FormatError(f"unknown dtype {tensor.dtype!r}", address="dtype")
    with at("shape"):
        npy.check_shape(npy.STORED[tensor.dtype], tensor.shape)
    return tensor
