"""A model as data becomes the config that Keras would serialise: `config.json` of an archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kvcs.errors import FormatError, SaveError
from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.values import plain
from kvcs.names import snake_case
from kvcs.renaming import live_config, names_by_place
from kvcs.spec import (
    MISSING,
    Call,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StoredModel,
    SymbolicTensor,
    TensorRef,
    Value,
)

TRAINING = "training.json"  # how live names refer to it


def config_json(stored: StoredModel) -> dict[str, Any]:
    """Return a whole model as Keras serialises it.

    Raises:
        NeedsKerasError: only its classes know how they are serialised.
        SaveError: Keras has no way to store it.
    """
    _check_shared(stored.model, "")
    writer = _Writer(stored)
    canonical = stored.name or snake_case(stored.model.cls.name)
    found = writer.layer(stored.model, "", stored.live_names.get(".", canonical))
    if stored.training is not MISSING:
        names = writer.inner_names.get(TRAINING, {})
        found["compile_config"] = plain(_json(live_config(dict(stored.training), names)))
    return found


def _check_shared(model: ModelSpec, path: str) -> None:
    """Keras writes a layer that two models share twice, and then cannot load the file."""
    if model.build == "class":
        return
    for entry in model.layers:
        below = _below(path, entry.path)
        if isinstance(entry.layer, SharedLayer):
            raise SaveError(
                f"layer {below!r} is shared with {entry.layer.path!r}, and Keras cannot load a "
                "file of a model in which two models share a layer: use kvcs.load instead"
            )
        if isinstance(entry.layer, ModelSpec):
            _check_shared(entry.layer, below)


class _Writer:
    def __init__(self, stored: StoredModel) -> None:
        self.live_names = stored.live_names
        self.inner_names = names_by_place(stored.live_names)

    def layer(self, layer: LayerSpec, path: str, name: str) -> dict[str, Any]:
        """Return a layer as Keras serialises it."""
        if not layer.cls.builtin:
            raise NeedsKerasError(f"the class {layer.cls.name} is not one of Keras' own")
        config = live_config(dict(layer.config), self.inner_names.get(path, {}))
        if isinstance(layer, ModelSpec) and layer.build == "graph":
            config.pop("dtype", None)  # Keras has no place for it
        given = {"name": name, **plain(_json(config))}
        if isinstance(layer, ModelSpec):
            given |= self._container(layer, path)
        found = {
            "module": layer.cls.module,
            "class_name": layer.cls.name,
            "config": given,
            "registered_name": layer.cls.registered_name,
        }
        if layer.build_config is not MISSING:
            found["build_config"] = _json(layer.build_config)
        return found

    def _container(self, model: ModelSpec, path: str) -> dict[str, Any]:
        if model.build == "class":
            raise NeedsKerasError(f"a {model.cls.name} is built by its class")
        names = {one.name: self._live_name(one, path) for one in model.layers}
        layers = []
        for entry in model.layers:
            assert not isinstance(entry.layer, SharedLayer)
            layer = self.layer(entry.layer, _below(path, entry.path), names[entry.name])
            if model.build == "graph":
                layer["name"] = names[entry.name]
                layer["inbound_nodes"] = _nodes(entry.calls, names, model)
            layers.append(layer)
        if model.build == "sequence":
            return {"layers": layers}
        return {
            "layers": layers,
            "input_layers": _structure(model.inputs, names, model),
            "output_layers": _structure(model.outputs, names, model),
        }

    def _live_name(self, entry: LayerEntry, path: str) -> str:
        return self.live_names.get(_below(path, entry.path), entry.name)


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _nodes(
    calls: Sequence[Call], names: Mapping[str, str], model: ModelSpec
) -> list[dict[str, Any]]:
    made = _made(model)

    def tensor(ref: TensorRef) -> dict[str, Any]:
        found = _of(ref, made)
        history = [names[ref.layer], ref.call, ref.output]
        shape = None if found.shape is None else list(found.shape)
        config = {"shape": shape, "dtype": found.dtype, "keras_history": history}
        return {"class_name": "__keras_tensor__", "config": config}

    return [
        {
            "args": [_json(one, tensor) for one in call.args],
            "kwargs": {key: _json(one, tensor) for key, one in call.kwargs.items()},
        }
        for call in calls
        if any(True for _ in call.inputs())
    ]


def _structure(value: Value, names: Mapping[str, str], model: ModelSpec) -> Any:
    graphs = {
        one.name
        for one in model.layers
        if isinstance(one.layer, ModelSpec) and one.layer.build == "graph"
    }

    made = _made(model)

    def leaf(ref: TensorRef) -> list[Any]:
        _of(ref, made)
        # Here, and only here, Keras counts the call that made a functional model.
        return [names[ref.layer], ref.call + (ref.layer in graphs), ref.output]

    return _json(value, leaf)


def _made(model: ModelSpec) -> dict[TensorRef, SymbolicTensor]:
    return {
        TensorRef(layer=one.name, call=number, output=index): tensor
        for one in model.layers
        for number, call in enumerate(one.calls)
        for index, tensor in enumerate(call.outputs)
    }


def _of(ref: TensorRef, made: Mapping[TensorRef, SymbolicTensor]) -> SymbolicTensor:
    if ref not in made:
        raise FormatError(
            f"output {ref.output} of call {ref.call} of layer {ref.layer!r} is used and never "
            "made: the graph has a loose end"
        )
    return made[ref]


def _json(value: Value, reference: Any = None) -> Any:
    """Return a value in the form in which Keras serialises it."""
    if isinstance(value, dict):
        if any(not isinstance(key, str) for key in value):
            raise NeedsKerasError("a dict in it has keys that are no texts")
        return {key: _json(item, reference) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item, reference) for item in value]
    if isinstance(value, TensorRef) and reference is not None:
        return reference(value)
    if value is None or type(value) in (bool, int, float, str):  # and not a scalar of NumPy
        return value
    return _tagged(value)


def _tagged(value: Value) -> dict[str, Any]:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        content = {"value": value.tolist(), "dtype": value.dtype.name}
        return {"class_name": "__numpy__", "config": content}
    if isinstance(value, slice):
        content = {"start": value.start, "stop": value.stop, "step": value.step}
        return {"class_name": "__slice__", "config": content}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    raise NeedsKerasError(f"Keras may have no way to write a {type(value).__name__}")
