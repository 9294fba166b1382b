"""Data becomes a live model: built from its description, then given every stored value.

The live model is surveyed as it was on saving: every variable there must find its value, and
every stored value its variable. Last it is described again, and the two descriptions are compared:
what a class does not build as it was is an error, never a silent loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from kvcs.errors import RestoreError
from kvcs.keras_io.agreement import check_agreement
from kvcs.keras_io.allowing import met_classes, trusting
from kvcs.keras_io.build import Builder
from kvcs.keras_io.capture import capture
from kvcs.keras_io.own import load_own
from kvcs.keras_io.serial import give_lambdas_a_source
from kvcs.keras_io.survey import Place, places, survey
from kvcs.keras_io.training import compile_as_it_was, fill_optimizers
from kvcs.keras_io.tying import tie
from kvcs.keras_io.values import Contents, assign, check_same
from kvcs.spec import (
    MISSING,
    LayerSpec,
    StoredModel,
    TensorSpec,
    walk,
)
from kvcs.trust import Trust, check_model


def restore(
    stored: StoredModel,
    contents: Contents,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    compile: bool = True,  # noqa: A002  (Keras' own word for it)
    safe_mode: bool = True,
) -> Any:
    """Build a live Keras model.

    Args:
        stored: the model as data.
        contents: its tensors and assets by path.
        custom_objects: classes and functions by name, as for `keras.models.load_model`.
        allow: modules whose classes are admitted as well, and imported for it.
        compile: compile it as it was, and restore its optimizer.
        safe_mode: refuse whatever is neither Keras' own nor given, and so could run code from the
            model, such as a lambda.

    Raises:
        RefusedError: something in it is neither known nor given; the text names the place.
        RestoreError: a class cannot be built, or the built model is not the stored one; the text
            names the layer.
    """
    if not safe_mode:
        give_lambdas_a_source()
    with trusting(custom_objects, allow, safe_mode=safe_mode) as trust:
        if trust is not None:
            check_model(stored, trust, compiled=compile)
        with met_classes(trust), _versions_named(stored):
            return _restored(stored, contents, compile, trust)


def _restored(stored: StoredModel, contents: Contents, compiled: bool, trust: Trust | None) -> Any:
    model = Builder(stored, trust).build()
    tie(survey(model), stored)
    root = survey(model)
    _fill(root, stored, contents)
    _rename(root, stored)
    _set_flags(root, stored)
    if compiled:
        _train_on(model, root, stored, contents)
    check_agreement(stored, capture(model, optimizer=False).model, compiled=compiled)
    return model


@contextmanager
def _versions_named(stored: StoredModel) -> Iterator[None]:
    """Say which Keras stored a model that another one cannot build: it may be the reason."""
    try:
        yield
    except RestoreError as error:
        if stored.keras_version == keras.__version__:
            raise
        raise RestoreError(
            f"{error} (The model was stored by Keras {stored.keras_version}, this is "
            f"{keras.__version__}.)"
        ) from error


def _train_on(model: Any, root: Place, stored: StoredModel, contents: Contents) -> None:
    """Make the model ready to go on with its training."""
    if stored.training is not MISSING:
        compile_as_it_was(model, root, stored)
    if stored.optimizer is not MISSING:
        fill_optimizers(model, root, stored.optimizer, contents)


def _rename(root: Place, stored: StoredModel) -> None:
    """Give the layers that a class built the names they had; graphs have theirs already."""
    if stored.name:
        _set_name(root.layer, stored.live_names.get(".", stored.name))
    for place in places(root):
        for member in place.members:
            if member.place is not None:
                name = stored.live_names.get(member.place.path, member.name)
                _set_name(member.layer, name)
        for key, part in place.parts.items():
            if f"{place.path}:{key}" in stored.live_names:
                _set_name(part, stored.live_names[f"{place.path}:{key}"])


def _set_name(layer: Any, name: str) -> None:
    if layer.name != name:
        layer.name = name


def _fill(root: Place, stored: StoredModel, contents: Contents) -> None:
    layers = dict(walk(stored.model))
    live = {place.path: place for place in places(root)}
    check_same(
        "layers that hold values",
        {path for path, layer in layers.items() if path in live or _holds_values(layer)},
        {path for path, place in live.items() if path in layers or place.variables},
    )
    for path, place in live.items():
        if path not in layers:
            continue
        layer = layers[path]
        own = {name for keys in layer.extra.values() for name in keys.values()}
        check_same(
            f"variables of {path or 'the model'!r}",
            set(layer.tensors) - (own - set(place.variables)),
            set(place.variables),
        )
        check_same(
            f"tied variables of {path or 'the model'!r}",
            {f"{name} = {owner}" for name, owner in layer.tied.items()},
            {f"{name} = {owner}" for name, owner in place.tied.items()},
        )
        load_own(place, layer, contents)
        for name, variable in place.variables.items():
            assign(variable, contents[place.below(f"{name}.npy")](), place.below(name))
        for part in place.parts.values():
            _finalize(part)
    _fill_state(live, stored, contents)


def _holds_values(layer: LayerSpec) -> bool:
    return bool(layer.tensors or layer.assets or layer.extra or layer.tied)


def _finalize(part: Any) -> None:
    """Let a layer know what it derives from its variables, and keeps beside them."""
    if isinstance(part, keras.layers.Normalization):
        part.finalize_state()
    for mode in ("gptq", "awq"):
        # Built from its config, it has no kernel but the quantised one, as after calibration.
        if getattr(part, "quantization_mode", None) == mode:
            setattr(part, f"is_{mode}_calibrated", True)


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
    check_same("seed generators", set(stored.state.seeds), set(seeds))
    check_same("state variables", set(stored.state.tensors), set(states))
    for path, counters in stored.state.seeds.items():
        state = seeds[path].state
        state.assign(np.array(counters, dtype=keras.backend.standardize_dtype(state.dtype)))
    for path, tensor in stored.state.tensors.items():
        assign(states[path], contents[tensor.file](), path)


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
