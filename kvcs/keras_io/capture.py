"""A live model described as data, and its arrays on call."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
from keras.src.models.functional import Functional

from kvcs.errors import SaveError
from kvcs.keras_io.config import built_config, complete_config
from kvcs.keras_io.graph import Graph, sequence_calls
from kvcs.keras_io.optimizer import optimizer_variables, optimizers
from kvcs.keras_io.own import extra_values, saved_assets
from kvcs.keras_io.serial import (
    class_of,
    portable_build_config,
    portable_config,
)
from kvcs.keras_io.survey import (
    Place,
    class_name,
    is_layer,
    places,
    survey,
    to_numpy,
    weight_paths,
    weights,
)
from kvcs.keras_io.training import described_training
from kvcs.keras_io.words import reason
from kvcs.names import is_automatic
from kvcs.npy import STORED, Array
from kvcs.renaming import canonical_config
from kvcs.spec import (
    MISSING,
    LayerEntry,
    LayerSpec,
    Missing,
    ModelSpec,
    PartSpec,
    SharedLayer,
    StateSpec,
    StoredModel,
    TensorSpec,
    Value,
)

Content = Callable[[], Array | bytes]


@dataclass(frozen=True, slots=True)
class Captured:
    """A live model as data, and what stands at every path: see `kvcs.tree.writer.files`."""

    model: StoredModel
    contents: Mapping[str, Content]


def capture(model: Any, *, optimizer: bool = True) -> Captured:
    """Describe a live model.

    Args:
        model: a built `keras.Model`.
        optimizer: also take the optimizer's variables, where there are any.

    Raises:
        SaveError: it is no Keras model, was never built, or holds something that cannot be
            stored; the text names the layer.
    """
    if not isinstance(model, keras.layers.Layer):
        raise SaveError(f"expected a keras.Model, got {type(model).__name__}")
    if not _is_built(model):
        raise SaveError(
            f"model {model.name!r} was never built, so it has no weights yet: call it on data, "
            "or call model.build(input_shape), and save again"
        )
    root = survey(model)
    work = _Capture(weight_paths(root))
    spec = work.model(root)
    training, names = described_training(model, weights(root))
    work.live_names |= names
    if model.name != root.name:
        work.live_names["."] = model.name
    return Captured(
        StoredModel(
            model=spec,
            name=root.name,
            keras_version=keras.__version__,
            training=training,
            state=work.state(root),
            optimizer=work.optimizer(model, root) if optimizer else MISSING,
            live_names=dict(sorted(work.live_names.items())),
        ),
        work.contents,
    )


def _is_built(model: Any) -> bool:
    """Tell whether the weights exist: a Sequential of built layers may not know it has them."""
    inside = list(model._flatten_layers(include_self=False, recursive=False))
    return bool(model.built or (inside and all(map(_needs_no_build, inside))))


def _needs_no_build(layer: Any) -> bool:
    preprocessing = type(layer).__module__.startswith("keras.src.layers.preprocessing.")
    return bool(layer.built or preprocessing)  # a vocabulary is there without being built


@dataclass(slots=True)
class _Capture:
    """The describing of one model; collects what belongs to no single layer."""

    weights: Mapping[int, str]
    contents: dict[str, Content] = field(default_factory=dict)
    live_names: dict[str, str] = field(default_factory=dict)

    def model(self, place: Place, by_class: bool = False) -> ModelSpec:
        """Describe a container; `by_class` tells that a class above builds it."""
        graph = Graph(place, self.weights) if place.build != "sequence" else None
        entries = []
        for member in place.members:
            layer: LayerSpec | SharedLayer = SharedLayer(path=member.shared)
            if member.place is not None:
                layer = self.layer(member.place, by_class or place.build == "class")
                if member.layer.name != member.name:
                    self.live_names[member.place.path] = member.layer.name
            elif member.layer.name != member.name:
                self.live_names[place.below(member.segment)] = member.layer.name
            calls = graph.calls(member.layer) if graph else sequence_calls(place, member.layer)
            entries.append(
                LayerEntry(name=member.name, path=member.segment, calls=calls, layer=layer)
            )
        own = self._own(place, by_class)
        return ModelSpec(
            **{name: getattr(own, name) for name in LayerSpec.__dataclass_fields__},
            build=place.build or "class",
            layers=tuple(entries),
            inputs=graph.inputs() if graph else None,
            outputs=graph.outputs() if graph else None,
        )

    def layer(self, place: Place, by_class: bool) -> LayerSpec | ModelSpec:
        """Describe a layer, whether or not it is made of layers."""
        if place.build is None:
            return self._own(place, by_class)
        return self.model(place, by_class)

    def _own(self, place: Place, by_class: bool) -> LayerSpec:
        cls = class_of(place.layer)
        _check_variables(place)
        try:
            if by_class and place.build not in ("graph", "sequence"):
                described = built_config(place.layer, cls)
            else:
                described = portable_config(_config(place), cls)
        except Exception as error:  # a method of any class
            raise SaveError(f"{_title(place)} cannot be saved: {reason(error)}") from error
        described.pop("name", None)
        described, inner_names = canonical_config(described)
        if not by_class:  # else nobody hands the config to a constructor
            for pointer, name in inner_names.items():
                self.live_names[f"{place.path}#{pointer}"] = name
        extra, arrays = extra_values(place)
        return LayerSpec(
            cls=cls,
            config=described,
            build_config=_build_config(place.layer),
            tensors={
                name: self._tensor(place.below(f"{name}.npy"), f"{name}.npy", variable)
                for name, variable in sorted(place.variables.items())
            }
            | {
                name: self._array(place.below(f"{name}.npy"), f"{name}.npy", array)
                for name, array in arrays.items()
            },
            tied=place.tied,
            extra=extra,
            frozen=_frozen(place, described),
            parts=self._parts(place),
            assets=self._assets(place),
        )

    def _parts(self, place: Place) -> dict[str, PartSpec]:
        """Describe the sub-layers of custom layers, and note the automatic names of all.

        Keras' own layers build theirs from their config, unless somebody changes them.
        """
        inside = {key: part for key, part in place.parts.items() if key and is_layer(part)}
        for key, part in inside.items():
            if is_automatic(part.name, class_name(part)):
                self.live_names[f"{place.path}:{key}"] = part.name
        custom = [key for key, part in place.parts.items() if not class_of(part).builtin]
        return {
            key: _part(part)
            for key, part in sorted(inside.items())
            if any(around in custom for around in _enclosing(key)) or _was_changed(part)
        }

    def _tensor(self, path: str, file: str, variable: Any) -> TensorSpec:
        dtype = keras.backend.standardize_dtype(variable.dtype)
        if dtype not in STORED:
            raise SaveError(f"variable {variable.path} of dtype {dtype} cannot be stored")
        self.contents[path] = lambda: to_numpy(variable)
        return TensorSpec(
            file=file,
            dtype=dtype,
            shape=tuple(variable.shape),
            trainable=bool(variable.trainable),
        )

    def _array(self, path: str, file: str, array: Array) -> TensorSpec:
        self.contents[path] = lambda: array
        return TensorSpec(file=file, dtype=array.dtype.name, shape=array.shape, trainable=False)

    def _assets(self, place: Place) -> dict[str, str]:
        found = {}
        given: set[tuple[str, str, bytes]] = set()
        for key, part in place.parts.items():
            for name, data in saved_assets(part).items():
                if any((above, name, data) in given for above in _enclosing(key)):
                    continue  # TextVectorization saves what its lookup layer saves
                given.add((key, name, data))
                path = f"{key}/{name}" if key else name
                self.contents[place.below(f"assets/{path}")] = partial(bytes, data)
                found[path] = ""
        return found

    def state(self, root: Place) -> StateSpec:
        """Describe random seeds and transient variables."""
        seeds, tensors = {}, {}
        for place in places(root):
            for name, generator in place.seeds.items():
                counters = to_numpy(generator.state)
                seeds[place.below(name)] = tuple(int(counter) for counter in counters)
            for name, variable in place.states.items():
                file = f"state/{place.below(name)}.npy"
                tensors[place.below(name)] = self._tensor(file, file, variable)
        return StateSpec(seeds=seeds, tensors=tensors)

    def optimizer(self, model: Any, root: Place) -> dict[str, TensorSpec] | Missing:
        """Describe the variables of the optimizers."""
        live = optimizers(model, root)
        return (
            {
                name: self._tensor(f"optimizer/{name}.npy", f"{name}.npy", variable)
                for prefix, optimizer in live.items()
                for name, variable in optimizer_variables(optimizer, self.weights, prefix).items()
            }
            if live
            else MISSING
        )


def _was_changed(part: Any) -> bool:
    """Tell whether a layer that another one of Keras' builds has LoRA factors or is quantised."""
    quantised = getattr(getattr(part, "dtype_policy", None), "quantization_mode", None)
    return bool(quantised or getattr(part, "lora_enabled", False))


def _check_variables(place: Place) -> None:
    """Refuse a variable of TensorFlow's own, which Keras neither tracks nor saves."""
    tensorflow = sys.modules.get("tensorflow")
    for part in place.parts.values() if tensorflow else ():
        if class_of(part).builtin:
            continue  # a lookup layer saves its own
        for name, value in vars(part).items():
            if isinstance(value, tensorflow.Variable):  # type: ignore[union-attr]
                raise SaveError(
                    f"{_title(place)} keeps {name!r} in a tf.Variable, which Keras does not save: "
                    "make it a keras.Variable, or use add_weight()"
                )


def _part(part: Any) -> PartSpec:
    """Describe a sub-layer that the layer's class builds."""
    cls = class_of(part)
    config = built_config(part, cls)
    config.pop("name", None)
    return PartSpec(cls=cls, config=canonical_config(config)[0], build_config=_build_config(part))


def _build_config(layer: Any) -> Value:
    config = getattr(layer, "get_build_config", lambda: None)()
    return MISSING if config is None else portable_build_config(config)


def _enclosing(key: str) -> list[str]:
    """Return the attribute paths of what stands around a part of a layer."""
    steps = key.split("/") if key else []
    return ["/".join(steps[:depth]) for depth in range(len(steps))]


def _title(place: Place) -> str:
    kind = type(place.layer).__name__
    return f"layer {place.layer.name!r} ({kind})" if place.path else f"the model ({kind})"


def _config(place: Place) -> dict[str, Any]:
    """Return the config of a layer, without the layers that are described on their own."""
    layer = place.layer
    # The get_config of these two serialises and copies every layer, once per level of nesting.
    if place.build == "graph" and type(layer).get_config is Functional.get_config:
        _check_constructor(type(layer))
        return dict(keras.layers.Layer.get_config(layer))
    if place.build == "sequence" and type(layer).get_config is keras.Sequential.get_config:
        config = keras.Model.get_config(layer)
        if layer._functional is not None:
            config["build_input_shape"] = layer._layers[0].batch_shape
        return dict(config)
    config = complete_config(layer)
    if place.build in ("graph", "sequence"):
        for key in ("layers", "input_layers", "output_layers"):
            config.pop(key, None)
    return config


def _check_constructor(cls: type) -> None:
    """Refuse a functional class whose constructor takes what its get_config() does not give."""
    known = {"self", "inputs", "outputs", "name", "args", "kwargs", "trainable", "dtype"}
    taken = {
        name
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    if taken - known:
        raise NotImplementedError(
            f"its constructor takes {', '.join(sorted(taken - known))}, and its class has no "
            "get_config() that gives it back; write one"
        )


def _frozen(place: Place, config: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        sorted(
            key or "."
            for key, part in place.parts.items()
            if getattr(part, "trainable", True) is False and (key or "trainable" not in config)
        )
    )
