"""A description becomes a live model with fresh weights.

Graphs and sequences are built here and not by Keras' own `from_config`, which cannot build a
layer that two sub-models share. Whatever else there is is built by its class, through Keras.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

import keras

from kvcs.errors import RestoreError
from kvcs.keras_io.graph import Calls
from kvcs.keras_io.serial import find_class, revive, with_functions
from kvcs.keras_io.settings import put_back_policies, put_back_settings
from kvcs.keras_io.survey import Place, places, survey_layer, weights
from kvcs.keras_io.words import reason
from kvcs.names import snake_case
from kvcs.renaming import live_config, names_by_place
from kvcs.spec import (
    MISSING,
    ClassRef,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StoredModel,
    Value,
    walk,
)
from kvcs.trust import Trust

# What Keras and kvcs add to every config.
ADDED = ("name", "trainable", "dtype")


class Builder:
    """The building of one model; remembers each layer it built by path, so as to share it."""

    def __init__(self, stored: StoredModel, trust: Trust | None) -> None:
        self.stored = stored
        self.trust = trust
        self.safe_mode = trust is not None
        self.built: dict[str, Any] = {}
        self.described = dict(walk(stored.model))
        self.inner_names = names_by_place(stored.live_names)

    def build(self) -> Any:
        """Build the whole model."""
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
        return live_config(dict(layer.config), self.inner_names.get(path, {}))

    def _instance(self, layer: LayerSpec, path: str, name: str) -> Any:
        """Let Keras build a layer from its class and config."""
        cls = _layer_class(layer.cls)
        own_from_config = not _has_default_from_config(cls)
        config = revive(self._config(layer, path), keras_form=own_from_config)
        config = {"name": name, **(config if self.safe_mode else with_functions(config))}
        # Not every get_config gives these, nor does every constructor take them.
        added = ("dtype",) if own_from_config else ADDED
        refused = {
            key: config.pop(key) for key in added if not _accepts(cls, key) and key in config
        }
        description = {
            "module": layer.cls.module,
            "class_name": layer.cls.name,
            "config": config,
            "registered_name": layer.cls.registered_name,
        }
        live = keras.saving.deserialize_keras_object(description, safe_mode=self.safe_mode)
        _set_policy(live, refused)
        if "name" in refused:
            live.name = name
        if isinstance(layer, ModelSpec) or layer.parts:
            self._build_with_parts(live, layer, path)
        else:
            _build(live, layer.build_config)
        return live

    def _build_with_parts(self, live: Any, layer: LayerSpec, path: str) -> None:
        """Build a layer that makes others by itself, and put back what was changed on those."""
        put_back_policies(survey_layer(live, path), self.described, self.trust)
        _build(live, layer.build_config)
        self._build_left_over(survey_layer(live, path))
        root = survey_layer(live, path)
        put_back_policies(root, self.described, self.trust)  # of what was made while building
        put_back_settings(root, self.described)

    def _build_left_over(self, root: Place) -> None:
        """Build the layers that a class builds only when it is called: as they were built."""
        for place in places(root):
            layer = self.described.get(place.path)
            if layer is None:
                continue
            with explained(place.path, layer.cls):
                if place is not root:
                    _build(place.layer, layer.build_config)
                for key, part in layer.parts.items():
                    if key in place.parts:
                        _build(place.parts[key], part.build_config)

    def _sequence(self, model: ModelSpec, path: str, name: str) -> Any:
        cls = _layer_class(model.cls)
        config = revive(self._config(model, path), keras_form=False)
        live = cls(name=name)
        _set_policy(live, config)
        for layer in self._members(model, path).values():
            live.add(layer)
        shape = config.get("build_input_shape")
        if not live.built and isinstance(shape, list | tuple):
            live.build(tuple(shape))
        return live

    def _graph(self, model: ModelSpec, path: str, name: str) -> Any:
        cls = _layer_class(model.cls)
        config = revive(self._config(model, path), keras_form=False)
        called = tuple(entry for entry in model.layers if entry.calls)
        members = self._members(replace(model, layers=called), path)
        calls = Calls(model, members, self._weight)
        policy = {"dtype": config.pop("dtype")} if "dtype" in config else {}
        live = cls(
            inputs=calls.resolve(model.inputs),
            outputs=calls.resolve(model.outputs),
            name=name,
            **config,
        )
        _set_policy(live, policy)
        if len(called) < len(model.layers):  # its class has layers beside the graph, and built them
            self._build_left_over(survey_layer(live, path))
        return live

    def _weight(self, path: str) -> Any:
        """Return a weight of a layer that is built; None where there is none, or not yet."""
        for place, layer in self.built.items():
            if path.startswith(f"{place}/"):
                found = weights(survey_layer(layer, place)).get(path)
                if found is not None:
                    return found
        return None


def _layer_class(ref: ClassRef) -> Any:
    found = find_class(ref)
    if not issubclass(found, keras.Operation):
        raise RestoreError(f"{ref.name} is no layer")
    return found


def _set_policy(model: Any, config: Mapping[str, Any]) -> None:
    """Give a layer its own dtype policy, where its constructor did not take it."""
    if "dtype" in config:
        policy = keras.dtype_policies.get(config["dtype"])
        if policy != model.dtype_policy:
            model.dtype_policy = policy


def _build(live: Any, config: Value) -> None:
    """Build a layer from what `get_build_config()` gave, unless its class did that already."""
    if config in (MISSING, None) or getattr(live, "built", True):
        return
    with warnings.catch_warnings():
        # Keras warns of layers inside that are not built; that is seen to.
        for message in (r"`build\(\)` was called on layer", r".* had a build config, but"):
            warnings.filterwarnings("ignore", message)
        live.build_from_config(_shapes(revive(config, keras_form=False)))
    live.built = True


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


@lru_cache(maxsize=256)  # the layers of a network are of few classes
def _accepts(cls: Any, argument: str) -> bool:
    parameters = inspect.signature(cls.__init__).parameters
    return argument in parameters or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
    )


@contextmanager
def explained(path: str, cls: ClassRef) -> Iterator[None]:
    """Turn what Keras says of a layer it cannot build into a sentence with the place."""
    what = f"layer {path!r}" if path else "the model"
    try:
        yield
    except _PlacedError:
        raise
    except RestoreError as error:
        raise _PlacedError(f"{what} ({cls.name}) cannot be built: {error}") from error
    except Exception as error:
        raise _PlacedError(f"{what} ({cls.name}) cannot be built: {reason(error)}") from error


class _PlacedError(RestoreError):
    """An error that names its place already, on its way out through the containers."""
