"""A model as a flat description: for each layer, by path, its class, settings and calls.

It holds what a diff says in full, so that `patch` can apply one. Weights, shapes and state, which
follow from something else or are said by their digests, are no part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from kvcs.canon import encode
from kvcs.comparison.encoded import Json, as_lists, encoded, encoded_call
from kvcs.comparison.graph import below, name_of
from kvcs.comparison.layers import class_json
from kvcs.spec import MISSING, LayerEntry, LayerSpec, ModelSpec, SharedLayer, StoredModel, TensorRef

Record: TypeAlias = dict[str, Json]
Description: TypeAlias = dict[str, Record]

TRAINING = "~training"  # no layer has this path

# What makes a record that of a model.
STRUCTURE = ("build", "members", "inputs", "outputs")


def describe(
    stored: StoredModel, configs: Mapping[str, Mapping[str, Json]] | None = None
) -> Description:
    """Return the description of a model; the model itself has an empty path.

    Args:
        stored: the model.
        configs: settings by path, as far as they are encoded already.
    """
    writer = _Writer(configs or {})
    writer.model(stored.model, "", "", [])
    if stored.training is not MISSING:
        writer.found[TRAINING] = {"config": encoded(stored.training)}
    return writer.found


@dataclass
class _Writer:
    """What is written so far: the records, and for each place in the directory, its path."""

    configs: Mapping[str, Mapping[str, Json]]
    found: Description = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)

    def model(self, model: ModelSpec, path: str, place: str, calls: list[Json]) -> None:
        self.found[path] = {
            **self._layer(model, path, calls),
            "build": model.build,
            "members": [entry.name for entry in model.layers],
            "inputs": as_lists(encode(model.inputs)),
            "outputs": as_lists(encode(model.outputs)),
        }
        for entry in model.layers:
            at = f"{place}/{entry.path}" if place else entry.path
            self._member(entry, below(path, entry.name), at)

    def _member(self, entry: LayerEntry, path: str, place: str) -> None:
        calls = [encoded_call(call) for call in entry.calls]
        if isinstance(entry.layer, SharedLayer):
            at = entry.layer.path
            self.found[path] = {"shared": self.paths.get(at, at), "calls": calls}
            return
        self.paths[place] = path
        if isinstance(entry.layer, ModelSpec) and entry.layer.layers:
            self.model(entry.layer, path, place, calls)
        else:
            self.found[path] = self._layer(entry.layer, path, calls)

    def _layer(self, layer: LayerSpec, path: str, calls: list[Json]) -> Record:
        config = self.configs.get(path)
        return {
            "class": class_json(layer.cls),
            "config": encoded(layer.config) if config is None else config,
            "calls": calls,
        }


def renamed(record: Record, name: Callable[[str], str]) -> Record:
    """Return a record with the layers that its calls and ends refer to under other names."""
    found = dict(record)
    for key in ("calls", "inputs", "outputs"):
        if key in found:
            found[key] = _renamed(found[key], name)
    if "members" in found:
        found["members"] = [name(member) for member in found["members"]]
    return found


def _renamed(value: Json, name: Callable[[str], str]) -> Json:
    if isinstance(value, list):
        return [_renamed(item, name) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$tensor"}:
        ref = TensorRef.parse(value["$tensor"])
        return {"$tensor": str(TensorRef(name(ref.layer), ref.call, ref.output))}
    return {key: _renamed(item, name) for key, item in value.items()}


def followed(description: Mapping[str, Record], there: Mapping[str, str]) -> Description:
    """Return what pairs alone make of a description: paired layers, under their new names.

    Args:
        description: of the old model.
        there: for each paired layer and model, its path in the new model.
    """
    found = {}
    for path, record in description.items():
        if path not in there:
            continue
        scope = path if "members" in record else path.rpartition("/")[0]
        outside = path.rpartition("/")[0]
        new = renamed(record, partial(_name, scope=scope, there=there))
        calls = {"calls": record["calls"]}
        new |= renamed(calls, partial(_name, scope=outside, there=there))
        if "shared" in record:
            new["shared"] = there.get(record["shared"], record["shared"])
        found[there[path]] = new
    if TRAINING in description:
        found[TRAINING] = description[TRAINING]
    return found


def _name(name: str, scope: str, there: Mapping[str, str]) -> str:
    """Return the new name of a layer in a model, if it still stands in that model."""
    path = there.get(below(scope, name))
    if path is None or path.rpartition("/")[0] != there.get(scope):
        return name
    return name_of(path)
