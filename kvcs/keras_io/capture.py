"""A live model described as data, and its arrays on call."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional

from kvcs.errors import SaveError
from kvcs.keras_io.optimizer import optimizer_variables
from kvcs.keras_io.serial import (
    class_of,
    portable,
    portable_build_config,
    portable_config,
)
from kvcs.keras_io.survey import Place, places, survey
from kvcs.keras_io.words import reason
from kvcs.npy import STORED, Array
from kvcs.renaming import canonical_config
from kvcs.spec import (
    MISSING,
    Call,
    LayerEntry,
    LayerSpec,
    Missing,
    ModelSpec,
    SharedLayer,
    StateSpec,
    StoredModel,
    SymbolicTensor,
    TensorRef,
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
    work = _Capture()
    root = survey(model)
    spec = work.model(root)
    if model.name != root.name:
        work.live_names["."] = model.name
    return Captured(
        StoredModel(
            model=spec,
            name=root.name,
            keras_version=keras.__version__,
            training=work.training(model),
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

    contents: dict[str, Content] = field(default_factory=dict)
    live_names: dict[str, str] = field(default_factory=dict)

    def model(self, place: Place, by_class: bool = False) -> ModelSpec:
        """Describe a container; `by_class` tells that a class above builds it."""
        graph = _Graph(place) if place.build != "sequence" else None
        entries = []
        for member in place.members:
            layer: LayerSpec | SharedLayer = SharedLayer(path=member.shared)
            if member.place is not None:
                layer = self.layer(member.place, by_class or place.build == "class")
                if member.layer.name != member.name:
                    self.live_names[member.place.path] = member.layer.name
            elif member.layer.name != member.name:
                self.live_names[place.below(member.segment)] = member.layer.name
            calls = graph.calls(member.layer) if graph else _sequence_calls(place, member.layer)
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
        try:
            config = _config(place)
            described = portable_config(config, cls)
        except (TypeError, NotImplementedError) as error:
            raise SaveError(f"{_title(place)} cannot be saved: {reason(error)}") from error
        described.pop("name", None)
        described, inner_names = canonical_config(described)
        if not by_class:  # else nobody hands the config to a constructor
            for pointer, name in inner_names.items():
                self.live_names[f"{place.path}#{pointer}"] = name
        extra, arrays = _extra(place)
        return LayerSpec(
            cls=cls,
            config=described,
            build_config=self._build_config(place),
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
            frozen=_frozen(place, config),
            assets=self._assets(place),
        )

    def _build_config(self, place: Place) -> Value:
        get = getattr(place.layer, "get_build_config", lambda: None)
        config = get()
        return MISSING if config is None else portable_build_config(config)

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
        given: set[tuple[str, bytes]] = set()
        for key, part in place.parts.items():
            for name, data in saved_assets(part).items():
                if (name, data) in given:  # TextVectorization saves what its lookup layer saves
                    continue
                given.add((name, data))
                path = f"{key}/{name}" if key else name
                self.contents[place.below(f"assets/{path}")] = partial(bytes, data)
                found[path] = ""
        return found

    def training(self, model: Any) -> dict[str, Value] | Missing:
        """Describe what `compile()` was given."""
        if not getattr(model, "compiled", False):
            return MISSING
        try:
            config = model.get_compile_config()
            described = portable(dict(config or {}), exact=False)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise SaveError(
                f"what compile() was given cannot be saved: {reason(error)}; "
                "give named, registered functions instead of lambdas and objects"
            ) from error
        described, names = canonical_config(described)
        self.live_names |= {f"training.json#{pointer}": name for pointer, name in names.items()}
        return described

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
        """Describe the optimizer's variables."""
        live = getattr(model, "optimizer", None)
        if live is None or not hasattr(live, "variables"):
            return MISSING
        found = optimizer_variables(live, weight_paths(root))
        return {
            name: self._tensor(f"optimizer/{name}.npy", f"{name}.npy", variable)
            for name, variable in found.items()
        }


def weight_paths(root: Place) -> dict[int, str]:
    """Return the place of every weight, by the identity of its variable."""
    return {
        id(variable): place.below(name)
        for place in places(root)
        for name, variable in place.variables.items()
    }


def to_numpy(variable: Any) -> Array:
    """Return the value of a variable."""
    return np.asarray(keras.ops.convert_to_numpy(variable))


def _title(place: Place) -> str:
    kind = type(place.layer).__name__
    return f"layer {place.layer.name!r} ({kind})" if place.path else f"the model ({kind})"


def _config(place: Place) -> dict[str, Any]:
    """Return the config of a layer, without the layers that are described on their own."""
    layer = place.layer
    # The get_config of these two serialises and copies every layer, once per level of nesting.
    if place.build == "graph" and type(layer).get_config is Functional.get_config:
        return {"name": layer.name, "trainable": layer.trainable}
    if place.build == "sequence" and type(layer).get_config is keras.Sequential.get_config:
        config = keras.Model.get_config(layer)
        if layer._functional is not None:
            config["build_input_shape"] = layer._layers[0].batch_shape
        return dict(config)
    config = dict(layer.get_config())
    if place.build in ("graph", "sequence"):
        for key in ("layers", "input_layers", "output_layers"):
            config.pop(key, None)
    return config


def _frozen(place: Place, config: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        sorted(
            key or "."
            for key, part in place.parts.items()
            if getattr(part, "trainable", True) is False and (key or "trainable" not in config)
        )
    )


# --- the graph -----------------------------------------------------------------------------------


class _Graph:
    """The calls of a functional model, with layers by canonical name and calls from zero."""

    def __init__(self, place: Place) -> None:
        self.model = place.layer
        self.names = {id(member.layer): member.name for member in place.members}
        by_depth = getattr(self.model, "_nodes_by_depth", {})
        own = {id(node) for nodes in by_depth.values() for node in nodes}
        self.nodes = {
            key: [node for node in member.layer._inbound_nodes if id(node) in own]
            for member in place.members
            for key in [id(member.layer)]
        }
        self.numbers = {
            id(node): number for nodes in self.nodes.values() for number, node in enumerate(nodes)
        }

    def calls(self, layer: Any) -> tuple[Call, ...]:
        return tuple(self._call(layer, node) for node in self.nodes[id(layer)])

    def _call(self, layer: Any, node: Any) -> Call:
        try:
            args = [portable(self._refer(one), exact=True) for one in node.arguments.args]
            kwargs = {
                key: portable(self._refer(one), exact=True)
                for key, one in node.arguments.kwargs.items()
            }
        except TypeError as error:
            raise SaveError(
                f"layer {layer.name!r} is called with something that cannot be stored: {reason(error)}"
            ) from error
        if not node.input_tensors:
            args, kwargs = [], {}
        return Call(
            args=tuple(args), kwargs=kwargs, outputs=tuple(map(symbolic, node.output_tensors))
        )

    def inputs(self) -> Value:
        return self._structure("_inputs_struct")

    def outputs(self) -> Value:
        return self._structure("_outputs_struct")

    def _structure(self, attribute: str) -> Value:
        structure = getattr(self.model, attribute, None)
        return None if structure is None else portable(self._refer(structure), exact=True)

    def _refer(self, value: Any) -> Any:
        """Replace symbolic tensors by references."""
        if isinstance(value, keras.KerasTensor):
            operation, node_index, output = value._keras_history
            node = operation._inbound_nodes[node_index]
            return TensorRef(self.names[id(operation)], self.numbers[id(node)], output)
        if isinstance(value, dict):
            return {key: self._refer(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            items = [self._refer(item) for item in value]
            return tuple(items) if isinstance(value, tuple) else items
        return value


def symbolic(tensor: Any) -> SymbolicTensor:
    """Describe a symbolic tensor."""
    shape = None if tensor.shape is None else tuple(tensor.shape)
    return SymbolicTensor(shape=shape, dtype=keras.backend.standardize_dtype(tensor.dtype))


def _sequence_calls(place: Place, layer: Any) -> tuple[Call, ...]:
    """Describe what comes out of a layer of a sequence; what goes in follows from the order."""
    functional = getattr(place.layer, "_functional", None)
    if functional is None:
        return ()
    own = {id(node) for nodes in functional._nodes_by_depth.values() for node in nodes}
    return tuple(
        Call(args=(), kwargs={}, outputs=tuple(map(symbolic, node.output_tensors)))
        for node in layer._inbound_nodes
        if id(node) in own
    )


# --- what a layer saves by itself ----------------------------------------------------------------


def _extra(place: Place) -> tuple[dict[str, dict[str, str]], dict[str, Array]]:
    """Ask layers with a `save_own_variables` of their own for what is not among their variables.

    Returns:
        For every such part, the keys of its store with the name of the tensor that holds the
        value; and the arrays that are no variable's, by the name of their tensor.
    """
    extra: dict[str, dict[str, str]] = {}
    arrays: dict[str, Array] = {}
    for key, part in place.parts.items():
        if not speaks_for_itself(part):
            continue
        store: dict[str, Any] = {}
        part.save_own_variables(store)
        names = {id(variable): name for name, variable in place.variables.items()}
        keys = {}
        for name, value in store.items():
            if id(value) in names:
                keys[name] = names[id(value)]
                continue
            array = np.asarray(keras.ops.convert_to_numpy(value))
            same = _variable_with(place, array)
            keys[name] = same or (f"{key}/own/{name}" if key else f"own/{name}")
            if same is None:
                arrays[keys[name]] = array
        extra[key or "."] = keys
    return extra, arrays


def speaks_for_itself(part: Any) -> bool:
    """Tell whether a layer stores more than its variables.

    Keras' own layers override `save_own_variables` to order their variables, or to merge LoRA
    factors away, which is what must not happen here; two of them keep values elsewhere.
    """
    method = getattr(type(part), "save_own_variables", None)
    if method is None or not isinstance(part, keras.layers.Layer):
        return False
    owner = next(cls for cls in type(part).__mro__ if "save_own_variables" in vars(cls))
    if owner.__name__ in ("IndexLookup", "TorchModuleWrapper"):
        return True
    return not owner.__module__.startswith("keras.")


def _variable_with(place: Place, array: Array) -> str | None:
    for name, variable in place.variables.items():
        if tuple(variable.shape) == array.shape:
            value = to_numpy(variable)
            if value.dtype == array.dtype and value.tobytes() == array.tobytes():
                return name
    return None


def saved_assets(part: Any) -> dict[str, bytes]:
    """Return the files that `save_assets` of a layer writes, by relative path."""
    if not hasattr(part, "save_assets") or isinstance(part, keras.Model):
        return {}
    with tempfile.TemporaryDirectory(prefix="kvcs-") as directory:
        part.save_assets(directory)
        root = Path(directory)
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
