"""The legacy `.h5` file, as Keras 3 writes it: its config brought to the form of today's archive.

Such a file leaves out what can be told: modules of classes, and what each layer was built on. Its
arrays stand in a group for each layer of the model, in the order of its weights, trained ones
first; here each gets, for a second path, the one it would have in an archive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kvcs.errors import RestoreError
from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.archive import parsed
from kvcs.keras_files.graph import Outputs, connections
from kvcs.keras_files.hdf5 import Arrays
from kvcs.keras_files.place import FUNCTIONAL, SEQUENTIAL, Place, surveyed
from kvcs.keras_files.tables import layer_class
from kvcs.keras_files.values import LOSSES, function
from kvcs.keras_files.weights import parts
from kvcs.spec import Call, TensorRef, Value

MODEL, OPTIMIZER = "model_weights", "optimizer_weights"
_CONTAINERS = {cls.name: cls for cls in (FUNCTIONAL, SEQUENTIAL)}
# Losses by the words that Keras 3 itself no longer reads in such a file.
_SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
}


def config_of(arrays: Arrays, path: str) -> dict[str, Any]:
    """Return the model as an archive's config, and let its arrays be found as in an archive.

    Raises:
        RestoreError: the file holds no model.
        NeedsKerasError: only Keras can tell what it holds.
    """
    given = arrays.attributes.get("model_config")
    if given is None:
        raise RestoreError(
            f"{path} holds weights alone: export the JSON of its model with --weights {path}"
        )
    config = _modern(parsed(_text(given), f"model_config in {path}"))
    root = surveyed(config)
    _build(root)
    trained = arrays.attributes.get("training_config")
    if trained is not None:
        config["compile_config"] = _training(parsed(_text(trained), f"training_config in {path}"))
        arrays.alias(dict(_optimizer(arrays)))
    arrays.alias(dict(_weights(arrays, root)))
    return config


def _text(attribute: Any) -> str:
    return attribute.decode() if isinstance(attribute, bytes) else str(attribute)


def _modern(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer as Keras serialises it today."""
    if "module" in given or not isinstance(given.get("config"), dict):
        raise NeedsKerasError("its config is not as Keras 3 writes it")
    name = given["class_name"]
    cls = _CONTAINERS.get(name)
    config = dict(given["config"])
    if cls is not None:
        config["layers"] = [_modern(layer) for layer in config["layers"]]
    return {
        **given,
        "module": cls.module if cls else "keras.layers",
        "registered_name": cls.registered_name if cls else None,
        "config": config,
    }


def _build(place: Place) -> Outputs:
    """Note for each layer what it is built on, which Keras finds out by calling it."""
    yields = {one.name: _build(one) for one in place.members if one.build is not None}
    calls, _, _, out = connections(place, yields)
    given: dict[str, tuple[Call, ...]] = {
        one.name: called for one, called in zip(place.members, calls, strict=True)
    }
    before: Value = None
    for member, called in zip(place.members, calls, strict=True):
        if called and place.build == "graph":
            before = [_shapes(one, given) for one in called[0].args[:1]]
        _note(member, before[0] if before else None)
        before = [_listed(one.shape) for one in called[0].outputs] if called else None
    if not place.path and place.build == "sequence" and out:
        _set(place, {"input_shape": _listed(place.takes[0].shape)})
    elif not place.path:
        _set(place, {"input_shape": None})
    return out


def _shapes(value: Value, calls: Mapping[str, tuple[Call, ...]]) -> Value:
    if isinstance(value, TensorRef):
        return _listed(calls[value.layer][value.call].outputs[value.output].shape)
    if isinstance(value, list):
        return [_shapes(item, calls) for item in value]
    raise NeedsKerasError("a layer is built on something that only Keras knows")


def _listed(shape: Any) -> Value:
    return None if shape is None else list(shape)


def _note(member: Place, shape: Value) -> None:
    if member.build == "graph":
        _set(member, {"input_shape": None})
    elif member.is_operation or member.cls.name == "InputLayer":
        return
    elif member.build == "sequence":
        _set(member, {"input_shape": shape})
    else:
        what = layer_class(member.cls.name, member.config)
        built_on = what.built_on
        if what.extra:
            raise NeedsKerasError(f"a legacy file has no vocabulary for a {member.cls.name}")
        if built_on not in ("nothing", "input_shape") or (built_on == "input_shape" and not shape):
            raise NeedsKerasError(f"only Keras knows what a {member.cls.name} is built on")
        if built_on == "input_shape":
            _set(member, {"input_shape": shape})


def _set(place: Place, build_config: Value) -> None:
    assert isinstance(place.given, dict)
    place.given["build_config"] = build_config


def _weights(arrays: Arrays, root: Place) -> Iterator[tuple[str, str]]:
    """Yield for each array its path in an archive, and the one it has."""
    if _names(arrays, f"{MODEL}/top_level_model_weights"):
        raise NeedsKerasError("its model has weights of its own")
    for member in root.members:
        wanted = [path for _, path in sorted(_ordered(member), key=lambda pair: not pair[0])]
        group = f"{MODEL}/{member.live_name}"
        found = _names(arrays, group) if wanted else []
        if len(found) != len(wanted):
            raise NeedsKerasError(f"{group} holds {len(found)} weights, and not {len(wanted)}")
        yield from zip(wanted, (f"{group}/{name}" for name in found), strict=True)


def _ordered(place: Place) -> list[tuple[bool, str]]:
    """Return the weights of a layer, whether each is trained, in Keras' order."""
    if place.build is not None:
        found = [pair for member in place.members for pair in _ordered(member)]
    elif place.is_operation or place.cls.name == "InputLayer":
        return []
    else:
        found = [
            (weight.trainable if part.trainable else weight.when_frozen,
             f"{part.stored}/{weight.path}")
            for part in parts(place.given, "", place.stored)
            for weight in part.what.weights
        ]  # fmt: skip
    frozen = not place.config.get("trainable", True)
    return [(trained and not frozen, path) for trained, path in found]


def _names(arrays: Arrays, group: str) -> list[str]:
    """Return the weight names of a group, which HDF5 may hold in pieces."""
    attributes = arrays.attributes_of(group)
    pieces = [attributes[key] for key in ("weight_names",) if key in attributes]
    while not pieces or f"weight_names{len(pieces)}" in attributes:
        key = f"weight_names{len(pieces)}"
        if key not in attributes:
            break
        pieces.append(attributes[key])
    return [_text(name) for piece in pieces for name in np.asarray(piece).tolist()]


def _optimizer(arrays: Arrays) -> Iterator[tuple[str, str]]:
    for index, name in enumerate(_names(arrays, OPTIMIZER)):
        yield f"optimizer/vars/{index}", f"{OPTIMIZER}/{name}"


def _training(given: dict[str, Any]) -> dict[str, Any]:
    """Return what `compile()` was given, as the loaded model was compiled with it."""
    loss = str(given.get("loss"))
    loss = _SHORT.get(loss, loss)
    if loss not in LOSSES or not _plain(given):
        raise NeedsKerasError("only Keras knows with what its model is compiled")
    optimizer = given["optimizer_config"]
    return {
        "optimizer": {
            "module": "keras.optimizers",
            "class_name": optimizer["class_name"],
            "config": optimizer["config"],
            "registered_name": None,
        },
        "loss": function(loss),
        "loss_weights": given["loss_weights"],
        "metrics": given["metrics"],
        "weighted_metrics": None,
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": given["jit_compile"],
    }


def _plain(given: Mapping[str, Any]) -> bool:
    """Tell whether nothing but a loss, and the accuracy, is asked for."""
    return (
        given.get("metrics") in (None, ["accuracy"], ["acc"])
        and given.get("weighted_metrics") is None
        and given.get("run_eagerly") is False
        and given.get("steps_per_execution") == 1
    )
