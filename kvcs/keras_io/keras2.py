"""Models that Keras 2 described, built and compiled by Keras 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kvcs.errors import RestoreError
from kvcs.keras2 import compile_arguments, upgraded_model
from kvcs.keras2.operations import SAME_FOR_ALL_DTYPES
from kvcs.keras_io.allowing import met_classes
from kvcs.keras_io.build import explained
from kvcs.keras_io.words import reason
from kvcs.spec import ClassRef
from kvcs.trust import Trust, check_config


def known(name: str) -> bool:
    """Tell whether the user gave or registered a class or function of that name."""
    return keras.saving.get_registered_object(name) is not None


def build(description: Any, trust: Trust | None) -> Any:
    """Build a model with fresh weights from its description by Keras 2.

    Custom classes are those of the scope that is open.

    Raises:
        RefusedError: something in it is neither known nor given.
        RestoreError: it has no equivalent in Keras 3; the text names the layer.
    """
    return built(upgraded_model(description, known), trust)


def built(description: Any, trust: Trust | None) -> Any:
    """Build a model from an upgraded description."""
    if trust is not None:
        check_config(description, trust)
    with (
        met_classes(trust),
        explained("", ClassRef(description["module"], description["class_name"])),
    ):
        model = keras.saving.deserialize_keras_object(_for_this_keras(description))
    for layer in model._flatten_layers(include_self=True, recursive=True):
        _check_dtypes(layer)
    return model


def _for_this_keras(value: Any) -> Any:
    """Leave the names of operations out where their classes take none (before Keras 3.12)."""
    if isinstance(value, list):
        return [_for_this_keras(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _for_this_keras(each) for key, each in value.items()}
    module = found.get("module")
    version = tuple(map(int, keras.__version__.split(".")[:2]))
    if version < (3, 12) and isinstance(module, str) and module.startswith("keras.src.ops."):
        found["config"] = {k: v for k, v in found["config"].items() if k != "name"}
    return found


def _check_dtypes(model: Any) -> None:
    """Refuse arithmetic on whole numbers, whose result has another dtype in Keras 3."""
    for operation in getattr(model, "operations", ()):
        if isinstance(operation, keras.layers.Layer):
            continue
        if type(operation).__name__ in SAME_FOR_ALL_DTYPES:
            continue
        for node in operation._inbound_nodes:
            if not all("float" in tensor.dtype for tensor in node.input_tensors):
                raise RestoreError(
                    f"layer {operation.name!r} calculates with whole numbers, for which Keras 3 "
                    "has other rules than TensorFlow: make a layer of it that says the dtypes"
                )


def compile_as(model: Any, training: Any, trust: Trust | None) -> None:
    """Compile a model as it was compiled in Keras 2.

    Raises:
        RestoreError: something in it has no equivalent in Keras 3.
    """
    advice = "load it with compile=False (--no-compile on the command line)"
    try:
        arguments = compile_arguments(training, _outputs(model), known)
        if trust is not None:
            check_config(arguments, trust, "it")
        live = {key: _live(value) for key, value in arguments.items()}
        _check_names(live)
        model.compile(**live)
    except RestoreError as error:
        raise RestoreError(f"the model cannot be compiled as it was: {error}; {advice}") from error
    except Exception as error:
        raise RestoreError(
            f"the model cannot be compiled as it was: {reason(error)}; {advice}"
        ) from error


def _outputs(model: Any) -> list[str]:
    return list(getattr(model, "output_names", [""]))  # a Sequential model has one, unnamed


def _live(value: Any) -> Any:
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    if isinstance(value, dict):
        return {key: _live(each) for key, each in value.items()}
    return [_live(each) for each in value] if isinstance(value, list) else value


def _check_names(arguments: Mapping[str, Any]) -> None:
    """Let Keras look up losses and metrics, which it would do in training only."""
    for loss in keras.tree.flatten(arguments["loss"]):
        keras.losses.get(loss)
    for metric in keras.tree.flatten([arguments["metrics"], arguments["weighted_metrics"]]):
        if metric not in ("accuracy", "acc", "crossentropy", "ce"):
            keras.metrics.get(metric)
