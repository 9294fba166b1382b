"""Data becomes a live model: built from its description, then given every stored value.

Graphs and sequences are built here and not by Keras' own `from_config`, which cannot build a
layer that two sub-models share. Whatever else there is is built by its class, through Keras. Then
the live model is surveyed as it was on saving: every variable there must find its value, and
every stored value its variable.
"""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kvcs.errors import KvcsError, RestoreError
from kvcs.keras_io.capture import speaks_for_itself, weight_paths
from kvcs.keras_io.optimizer import optimizer_variables
from kvcs.keras_io.serial import revive
from kvcs.keras_io.survey import Place, places, survey
from kvcs.keras_io.words import reason
from kvcs.names import snake_case
from kvcs.npy import Array
from kvcs.renaming import live_config
from kvcs.spec import (
    MISSING,
    Call,
    ClassRef,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StoredModel,
    TensorRef,
    TensorSpec,
    Value,
    walk,
)

Contents = Mapping[str, Callable[[], Array | bytes]]


def restore(
    stored: StoredModel,
    contents: Contents,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,  # noqa: A002  (Keras' own word for it)
    safe_mode: bool = True,
) -> Any:
    """Build a live Keras model.

    Args:
        stored: the model as data.
        contents: its tensors and assets by path.
        custom_objects: classes and functions by name, as for `keras.models.load_model`.
        compile: compile it as it was, and restore its optimizer.
        safe_mode: refuse what can run code from the model, such as a lambda.

    Raises:
        RestoreError: a class is not given or cannot be built, or the variables of the built
            model are not those of the stored one; the text names the layer.
    """
    scope = keras.saving.CustomObjectScope(dict(custom_objects or {}))
    with scope:
        model = _Builder(stored, safe_mode=safe_mode).build()
        root = survey(model)
        _rename(root, stored)
        _fill(root, stored, contents)
        _set_flags(root, stored)
        if compile and stored.training is not MISSING:
            _compile(model, root, stored, contents)
    return model


class _Builder:
    """The building of one model; remembers each layer it built by path, so as to share it."""

    def __init__(self, stored: StoredModel, *, safe_mode: bool) -> None:
        self.stored = stored
        self.safe_mode = safe_mode
        self.built: dict[str, Any] = {}

    def build(self) -> Any:
        model = self.stored.model
        canonical = self.stored.name or snake_case(model.cls.name)
        return self._build(model, "", self._live_name(".", canonical))

    def _build(self, layer: LayerSpec, path: str, name: str) -> Any:
        with explained(path, layer.cls):
            if isinstance(layer, ModelSpec) and layer.build == "graph":
                found = self._graph(layer, path, name)
            elif isinstance(layer, ModelSpec) and layer.build == "sequence":
                found = self._sequence(layer, path, name)
            else:
                found = self._instance(layer, path, name)
        self.built[path] = found
        return found

    def _members(self, model: ModelSpec, path: str) -> dict[str, Any]:
        """Build the layers of a container, by canonical name."""
        members = {}
        for entry in model.layers:
            below = f"{path}/{entry.path}" if path else entry.path
            if isinstance(entry.layer, SharedLayer):
                if entry.layer.path not in self.built:
                    raise RestoreError(
                        f"layer {below!r} is shared with {entry.layer.path!r}, which stands "
                        "outside of it: load the whole model"
                    )
                members[entry.name] = self.built[entry.layer.path]
            else:
                name = self._live_name(below, entry.name)
                members[entry.name] = self._build(entry.layer, below, name)
        return members

    def _live_name(self, path: str, canonical: str) -> str:
        return self.stored.live_names.get(path, canonical)

    def _config(self, layer: LayerSpec, path: str) -> dict[str, Value]:
        """Return the config as Keras gave it, but for the name."""
        prefix = f"{path}#"
        names = {
            key[len(prefix) :]: name
            for key, name in self.stored.live_names.items()
            if key.startswith(prefix)
        }
        return live_config(dict(layer.config), names)

    def _instance(self, layer: LayerSpec, path: str, name: str) -> Any:
        """Let Keras build a layer from its class and config."""
        cls = self._class(layer.cls)
        own_from_config = not _has_default_from_config(cls)
        config = revive(self._config(layer, path), keras_form=own_from_config)
        config = {"name": name, **config}
        if not own_from_config:
            # Keras adds these to every config, whether or not the constructor takes them.
            for argument in ("name", "trainable", "dtype"):
                if not _accepts(cls, argument):
                    config.pop(argument, None)
        description = {
            "module": layer.cls.module,
            "class_name": layer.cls.name,
            "config": config,
            "registered_name": layer.cls.registered_name,
        }
        if layer.build_config is not MISSING:
            description["build_config"] = _shapes(revive(layer.build_config, keras_form=False))
        return keras.saving.deserialize_keras_object(description, safe_mode=self.safe_mode)

    def _class(self, ref: ClassRef) -> Any:
        """Find a class: Keras' own by its module, a custom one by its name."""
        if ref.builtin:
            found = getattr(import_module(ref.module or "keras"), ref.name, None)
            if isinstance(found, type) and issubclass(found, keras.Operation):
                return found
            raise RestoreError(f"Keras {keras.__version__} has no layer {ref.module}.{ref.name}")
        for name in (ref.registered_name, ref.name):
            found = name and keras.saving.get_registered_object(name)
            if found:
                return found
        raise RestoreError(
            f"class {ref.name!r} (module {ref.module}) is not known here: pass "
            f"custom_objects={{{ref.name!r}: {ref.name}}}, or register it with "
            "@keras.saving.register_keras_serializable"
        )

    def _sequence(self, model: ModelSpec, path: str, name: str) -> Any:
        cls = self._class(model.cls)
        config = revive(self._config(model, path), keras_form=False)
        live = cls(name=name)
        for layer in self._members(model, path).values():
            live.add(layer)
        shape = config.get("build_input_shape")
        if not live.built and isinstance(shape, list | tuple):
            live.build(tuple(shape))
        return live

    def _graph(self, model: ModelSpec, path: str, name: str) -> Any:
        cls = self._class(model.cls)
        config = revive(self._config(model, path), keras_form=False)
        members = self._members(model, path)
        tensors = _call_all(model, members)
        return cls(
            inputs=_resolve(model.inputs, tensors),
            outputs=_resolve(model.outputs, tensors),
            name=name,
            **config,
        )


Tensors = dict[tuple[str, int], list[Any]]


def _call_all(model: ModelSpec, members: Mapping[str, Any]) -> Tensors:
    """Call the layers of a graph in an order in which every call finds its inputs."""
    tensors: Tensors = {}
    waiting = []
    for entry in model.layers:
        layer = members[entry.name]
        for number, call in enumerate(entry.calls):
            if any(True for _ in call.inputs()):
                waiting.append((entry.name, number, call))
            else:
                tensors[entry.name, number] = _outputs_of_input(layer)
    while waiting:
        left = [job for job in waiting if not _try_call(job, members, tensors)]
        if len(left) == len(waiting):
            name, number, call = left[0]
            missing = [str(ref) for ref in call.inputs() if (ref.layer, ref.call) not in tensors]
            raise RestoreError(
                f"call {number} of layer {name!r} needs {', '.join(missing)}, which nothing "
                "yields: the graph has a loop or a loose end"
            )
        waiting = left
    return tensors


def _outputs_of_input(layer: Any) -> list[Any]:
    return list(layer._inbound_nodes[0].output_tensors)


def _try_call(job: tuple[str, int, Call], members: Mapping[str, Any], tensors: Tensors) -> bool:
    name, number, call = job
    earlier = number == 0 or (name, number - 1) in tensors  # the order of calls is Keras' own
    if not earlier or any((ref.layer, ref.call) not in tensors for ref in call.inputs()):
        return False
    args = [_resolve(one, tensors) for one in call.args]
    kwargs = {key: _resolve(one, tensors) for key, one in call.kwargs.items()}
    tensors[name, number] = keras.tree.flatten(members[name](*args, **kwargs))
    return True


def _resolve(value: Value, tensors: Tensors) -> Any:
    """Replace references by the symbolic tensors they refer to."""
    if isinstance(value, TensorRef):
        try:
            return tensors[value.layer, value.call][value.output]
        except (KeyError, IndexError):
            raise RestoreError(f"nothing in the graph yields {value}") from None
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return keras.saving.deserialize_keras_object(value)
        return {key: _resolve(item, tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_resolve(item, tensors) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value


def _shapes(value: Any) -> Any:
    """Return a build config with its shapes as tuples, which is what `build` was called with."""
    if isinstance(value, dict):
        return {key: _shapes(item) for key, item in value.items()}
    if isinstance(value, list):
        sizes = all(item is None or isinstance(item, int) for item in value)
        return tuple(value) if sizes else [_shapes(item) for item in value]
    return value


def _has_default_from_config(cls: Any) -> bool:
    defaults = (
        keras.Operation.from_config.__func__,
        keras.layers.Layer.from_config.__func__,
        keras.Model.from_config.__func__,
    )
    return getattr(cls.from_config, "__func__", None) in defaults


def _accepts(cls: Any, argument: str) -> bool:
    parameters = inspect.signature(cls.__init__).parameters
    return argument in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )


@contextmanager
def explained(path: str, cls: ClassRef) -> Iterator[None]:
    """Turn what Keras says of a layer it cannot build into a sentence with the place."""
    try:
        yield
    except KvcsError:
        raise
    except Exception as error:
        what = f"layer {path!r}" if path else "the model"
        raise RestoreError(f"{what} ({cls.name}) cannot be built: {reason(error)}") from error


def _rename(root: Place, stored: StoredModel) -> None:
    """Give the layers that a class built the names they had; graphs have theirs already."""
    for place in places(root):
        for member in place.members:
            if member.place is not None:
                name = stored.live_names.get(member.place.path, member.name)
                if member.layer.name != name:
                    member.layer.name = name


# --- values --------------------------------------------------------------------------------------


def _fill(root: Place, stored: StoredModel, contents: Contents) -> None:
    layers = dict(walk(stored.model))
    live = {place.path: place for place in places(root)}
    _check_same(
        "layers that hold values",
        {path for path, layer in layers.items() if path in live or _holds_values(layer)},
        {path for path, place in live.items() if path in layers or place.variables},
    )
    for path, place in live.items():
        if path not in layers:
            continue
        layer = layers[path]
        own = {name for keys in layer.extra.values() for name in keys.values()}
        _check_same(
            f"variables of {path or 'the model'!r}",
            set(layer.tensors) - (own - set(place.variables)),
            set(place.variables),
        )
        _check_same(f"tied variables of {path or 'the model'!r}", set(layer.tied), set(place.tied))
        _load_own(place, layer, contents)
        for name, variable in place.variables.items():
            assign(variable, contents[place.below(f"{name}.npy")](), place.below(name))
        for part in place.parts.values():
            if hasattr(part, "finalize_state"):
                _finalize(part)
    _fill_state(live, stored, contents)


def _holds_values(layer: LayerSpec) -> bool:
    return bool(layer.tensors or layer.assets or layer.extra or layer.tied)


def _finalize(part: Any) -> None:
    """Let a preprocessing layer compute the constants it derives from its variables."""
    if isinstance(part, keras.layers.Normalization):
        part.finalize_state()


def _check_same(what: str, stored: set[str], live: set[str]) -> None:
    if stored == live:
        return
    without = sorted(live - stored)[:5]
    beyond = sorted(stored - live)[:5]
    parts = [f"the built model has {', '.join(without)} in addition"] if without else []
    parts += [f"the stored one has {', '.join(beyond)} in addition"] if beyond else []
    raise RestoreError(
        f"the {what} differ: {'; '.join(parts)}. Does a custom class build something else now?"
    )


def assign(variable: Any, value: Any, path: str) -> None:
    """Give a variable a stored value, exactly.

    Raises:
        RestoreError: another shape or dtype.
    """
    dtype = keras.backend.standardize_dtype(variable.dtype)
    if tuple(variable.shape) != value.shape:
        raise RestoreError(
            f"{path} has shape {list(value.shape)}, the built model wants {list(variable.shape)}"
        )
    if value.dtype.name != dtype and not _interchangeable(value.dtype.name, dtype):
        raise RestoreError(f"{path} has dtype {value.dtype.name}, the built model wants {dtype}")
    variable.assign(value)


def _interchangeable(stored: str, live: str) -> bool:
    """Tell whether two dtypes are the same counter on two backends: int64 and int32."""
    return {stored, live} <= {"int32", "int64", "uint32"}


def _fill_state(live: Mapping[str, Place], stored: StoredModel, contents: Contents) -> None:
    seeds = {
        place.below(name): generator
        for place in live.values()
        for name, generator in place.seeds.items()
    }
    states = {
        place.below(name): variable
        for place in live.values()
        for name, variable in place.states.items()
    }
    if not stored.state:  # a nested model by itself, whose state belongs to the whole
        return
    _check_same("seed generators", set(stored.state.seeds), set(seeds))
    _check_same("state variables", set(stored.state.tensors), set(states))
    for path, counters in stored.state.seeds.items():
        state = seeds[path].state
        state.assign(np.array(counters, dtype=keras.backend.standardize_dtype(state.dtype)))
    for path, tensor in stored.state.tensors.items():
        assign(states[path], contents[tensor.file](), path)


def _load_own(place: Place, layer: LayerSpec, contents: Contents) -> None:
    """Hand assets, and what `save_own_variables` stored, to the layers that ask for them."""
    for key, part in place.parts.items():
        keys = layer.extra.get(key or ".")
        if keys is not None and speaks_for_itself(part):
            part.load_own_variables(
                {name: contents[place.below(f"{tensor}.npy")]() for name, tensor in keys.items()}
            )
    for key, part in place.parts.items():
        prefix = f"{key}/" if key else ""
        assets = {
            path[len(prefix) :]: contents[place.below(f"assets/{path}")]
            for path in layer.assets
            if path.startswith(prefix) and hasattr(part, "load_assets")
        }
        if assets and not isinstance(part, keras.Model):
            _load_assets(part, {path: bytes(get()) for path, get in assets.items()})


def _load_assets(part: Any, assets: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory(prefix="kvcs-") as directory:
        for path, data in assets.items():
            file = Path(directory, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        part.load_assets(directory)


def _set_flags(root: Place, stored: StoredModel) -> None:
    """Set `trainable` of layers, from the outside in, and then of each variable."""
    layers = dict(walk(stored.model))
    for place in places(root):
        layer = layers.get(place.path)
        if layer is None:
            continue
        for key, part in sorted(place.parts.items()):
            if hasattr(part, "trainable"):
                given = layer.config.get("trainable", True) if not key else True
                wanted = bool(given) and (key or ".") not in layer.frozen
                if part.trainable != wanted:
                    part.trainable = wanted
    for place in places(root):
        for name, variable in place.variables.items():
            tensors: Mapping[str, TensorSpec] = layers[place.path].tensors
            if bool(variable.trainable) != tensors[name].trainable:
                variable.trainable = tensors[name].trainable


# --- training ------------------------------------------------------------------------------------


def _compile(model: Any, root: Place, stored: StoredModel, contents: Contents) -> None:
    names = {
        key.partition("#")[2]: name
        for key, name in stored.live_names.items()
        if key.startswith("training.json#")
    }
    assert stored.training is not MISSING
    config = revive(live_config(dict(stored.training), names), keras_form=True)
    try:
        if type(model).compile is keras.Model.compile:
            model.compile(**keras.saving.deserialize_keras_object(config))
        else:
            model.compile_from_config(config)
    except (TypeError, ValueError) as error:
        raise RestoreError(
            f"the model cannot be compiled as it was: {reason(error)}. Give its custom "
            "losses, metrics and optimizers in custom_objects, or load it with compile=False"
        ) from error
    optimizer = getattr(model, "optimizer", None)
    if stored.optimizer is not MISSING and optimizer is not None:
        _fill_optimizer(model, optimizer, root, stored.optimizer, contents)


def _fill_optimizer(
    model: Any,
    optimizer: Any,
    root: Place,
    slots: Mapping[str, TensorSpec],
    contents: Contents,
) -> None:
    weights = weight_paths(root)
    live = optimizer_variables(optimizer, weights)
    if set(slots) != set(live):
        optimizer.build(model.trainable_variables)
        live = optimizer_variables(optimizer, weights)
    _check_same("optimizer's variables", set(slots), set(live))
    for name, variable in live.items():
        assign(variable, contents[f"optimizer/{slots[name].file}"](), f"optimizer/{name}")
