"""Four digests of a model, computed from its JSON alone: no tensor is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kvcs import canon
from kvcs.checksum import PREFIX, sha256
from kvcs.spec import (
    MISSING,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    PartSpec,
    StoredModel,
    TensorSpec,
    walk,
)
from kvcs.tree.training import state_to_json, training_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """Digests, each `sha256:` and 64 hexadecimal digits, all blind to automatic names.

    Attributes:
        architecture: classes, configs and connections.
        weights: every weight and asset, by its place.
        state: random seeds and other transient state, and the optimizer's variables.
        whole: all of these, what is trainable, and the arguments of `compile()`.
    """

    architecture: str
    weights: str
    state: str
    whole: str


def digests(stored: StoredModel) -> Digests:
    """Compute the digests of a stored model."""
    architecture = _digest(_architecture(stored.model))
    weights = _digest(
        {
            place: [_tensors(layer.tensors), dict(layer.tied), dict(layer.assets)]
            for place, layer in walk(stored.model)
            if layer.tensors or layer.tied or layer.assets
        }
    )
    state = _digest(
        [
            state_to_json(stored.state),
            None if stored.optimizer is MISSING else _tensors(stored.optimizer),
        ]
    )
    training = None if stored.training is MISSING else training_to_json(stored.training)
    flags = [[place, _flags(layer)] for place, layer in walk(stored.model)]
    whole = _digest([architecture, weights, state, training, flags])
    return Digests(architecture=architecture, weights=weights, state=state, whole=whole)


def _digest(value: Any) -> str:
    return PREFIX + sha256([canon.dumps(value)])


def _tensors(tensors: Mapping[str, TensorSpec]) -> dict[str, list[str]]:
    # The file tells bits; which of the 8-bit floats they are stands in its description.
    return {name: [tensor.dtype, tensor.sha256] for name, tensor in tensors.items()}


def _flags(layer: LayerSpec) -> Any:
    trainable = {name: tensor.trainable for name, tensor in layer.tensors.items()}
    return [trainable, list(layer.frozen), {key: dict(given) for key, given in layer.extra.items()}]


def _architecture(layer: LayerSpec) -> Any:
    found = _part(layer)
    if layer.parts:
        found["parts"] = {key: _part(part) for key, part in layer.parts.items()}
    if isinstance(layer, ModelSpec):
        found["build"] = layer.build
        found["layers"] = [_place(entry) for entry in layer.layers]
        found["inputs"] = _as_lists(canon.encode(layer.inputs))
        found["outputs"] = _as_lists(canon.encode(layer.outputs))
    return found


def _part(part: PartSpec | LayerSpec) -> dict[str, Any]:
    found: dict[str, Any] = {
        "class": [part.cls.module, part.cls.name, part.cls.registered_name],
        "config": _as_lists(canon.encode_schema(dict(part.config))),
    }
    if part.build_config is not MISSING:
        found["build_config"] = _as_lists(canon.encode(part.build_config))
    return found


def _place(entry: LayerEntry) -> Any:
    calls = [
        [_as_lists([canon.encode(argument) for argument in call.args]),
         _as_lists(canon.encode_schema(dict(call.kwargs)))]
        for call in entry.calls
    ]  # fmt: skip
    layer = entry.layer
    stands = _architecture(layer) if isinstance(layer, LayerSpec) else layer.path
    return [entry.name, calls, stands]


def _as_lists(encoded: Any) -> Any:
    """Write tuples as lists, for a `.keras` file no longer knows which it was."""
    if isinstance(encoded, list):
        return [_as_lists(item) for item in encoded]
    if not isinstance(encoded, dict):
        return encoded
    if encoded.keys() == {"$tuple"}:
        return _as_lists(encoded["$tuple"])
    return {key: _as_lists(item) for key, item in encoded.items()}
