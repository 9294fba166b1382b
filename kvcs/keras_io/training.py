"""What `compile()` was given, and the variables of optimizers: described, and given back."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from kvcs.errors import RestoreError, SaveError
from kvcs.keras_io.optimizer import OTHERS, Optimizer, optimizer_variables, optimizers
from kvcs.keras_io.serial import portable, revive
from kvcs.keras_io.survey import Place, weight_paths, weights
from kvcs.keras_io.values import Contents, assign, check_same
from kvcs.keras_io.words import reason
from kvcs.renaming import canonical_config, live_config, names_by_place
from kvcs.spec import MISSING, Missing, StoredModel, TensorSpec, Value

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

TRAINING = "training.json"  # how live names refer to it

# What `optimizer.exclude_from_weight_decay()` was told, beside the arguments of the optimizer.
EXCLUDED = "exclude_from_weight_decay"


def described_training(
    model: Any, live: Mapping[str, Any]
) -> tuple[dict[str, Value] | Missing, dict[str, str]]:
    """Describe what `compile()` was given, with the live names in it.

    Args:
        model: a live model.
        live: every weight by its path.

    Raises:
        SaveError: it cannot be stored.
    """
    if not getattr(model, "compiled", False):
        return MISSING, {}
    try:
        config = _compile_config(model)
        described = portable(config, exact=False)
        _describe_excluded(model.optimizer, described.get("optimizer"), live)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise SaveError(
            f"what compile() was given cannot be saved: {reason(error)}; "
            "give named, registered functions instead of lambdas and objects"
        ) from error
    described, names = canonical_config(described)
    return described, {f"{TRAINING}#{pointer}": name for pointer, name in names.items()}


def _compile_config(model: Any) -> dict[str, Any]:
    """Return the arguments of `compile()`, with what was set on the model since then."""
    if type(model).get_compile_config is keras.Model.get_compile_config:
        config = dict(model._compile_config.config)  # not yet serialised, nor lambdas refused
        config |= _own_arguments(model)
    else:
        config = dict(model.get_compile_config() or {})
    for key in ("run_eagerly", "jit_compile", "steps_per_execution"):
        if key in config:
            config[key] = getattr(model, key, config[key])
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    if "optimizer" in config and _wants_scaling(model) and not scaled:
        config["auto_scale_loss"] = False  # Keras forgets that it was told so
    return config


def _own_arguments(model: Any) -> dict[str, Any]:
    """Return what a `compile()` of the model's class takes beside the arguments of Keras' own.

    As far as the model has an attribute of that name, which is how Keras' own examples, and
    KerasHub, keep a second optimizer, a loss or a sampler.
    """
    known = inspect.signature(keras.Model.compile).parameters
    taken = inspect.signature(model.compile).parameters
    found = {}
    for name, parameter in taken.items():
        if name in known or parameter.kind in _VARIADIC:
            continue
        if hasattr(model, name):
            found[name] = getattr(model, name)
        elif parameter.default is parameter.empty and not _compiles_itself(model):
            raise TypeError(
                f"{type(model).__name__}.compile() takes {name!r} and keeps it under another "
                "name: write get_compile_config() and compile_from_config()"
            )
    return found


def _compiles_itself(model: Any) -> bool:
    return type(model).compile_from_config is not keras.Model.compile_from_config


def _wants_scaling(model: Any) -> bool:
    return bool(model.dtype_policy.name == "mixed_float16")


def _describe_excluded(optimizer: Any, described: Value, live: Mapping[str, Any]) -> None:
    optimizer = _inner(optimizer)
    keys = getattr(optimizer, "_exclude_from_weight_decay", None) or set()
    pattern = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
    if isinstance(described, dict) and (keys or pattern):
        _inner_config(described)[EXCLUDED] = {
            "names": sorted(pattern.pattern.split("|")) if pattern else [],
            "weights": sorted(
                path for path, one in live.items() if optimizer._var_key(one) in keys
            ),
        }


def _inner(optimizer: Any) -> Any:
    """Return the optimizer that a LossScaleOptimizer scales for, which decays the weights."""
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return optimizer


def _inner_config(described: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = described["config"]
    while "inner_optimizer" in config:
        config = config["inner_optimizer"]["config"]
    return config


def compile_as_it_was(model: Any, root: Place, stored: StoredModel) -> None:
    """Compile a restored model.

    Raises:
        RestoreError: a custom loss, metric or optimizer is not given, or the class compiles
            itself in a way that it cannot repeat.
    """
    assert stored.training is not MISSING
    names = names_by_place(stored.live_names).get(TRAINING, {})
    config = revive(live_config(dict(stored.training), names), keras_form=True)
    excluded = _take_excluded(config)
    try:
        if not _compiles_itself(model):
            given = keras.saving.deserialize_keras_object(config)
            model.compile(**_accepted(type(model).compile, given))
        else:
            model.compile_from_config(config)
    except (TypeError, ValueError, LookupError) as error:
        raise RestoreError(
            f"the model cannot be compiled as it was: {reason(error)}. Give its custom "
            "losses, metrics and optimizers in custom_objects, or load it with compile=False"
        ) from error
    if excluded:
        _exclude(model.optimizer, excluded, weights(root))


def _accepted(method: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a `compile()` does not take but gives to Keras' own by itself."""
    parameters = inspect.signature(method).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return given
    return {name: value for name, value in given.items() if name in parameters}


def _take_excluded(config: dict[str, Any]) -> Any:
    optimizer = config.get("optimizer")
    if not isinstance(optimizer, dict) or not isinstance(optimizer.get("config"), dict):
        return None
    return _inner_config(optimizer).pop(EXCLUDED, None)


def _exclude(optimizer: Any, excluded: dict[str, Any], live: Mapping[str, Any]) -> None:
    gone = [path for path in excluded["weights"] if path not in live]
    if gone:
        raise RestoreError(f"{gone[0]}, excluded from weight decay, is no weight of the model")
    _inner(optimizer).exclude_from_weight_decay(
        [live[path] for path in excluded["weights"]], excluded["names"]
    )


def fill_optimizers(
    model: Any, root: Place, slots: Mapping[str, TensorSpec], contents: Contents
) -> None:
    """Give the optimizers of a restored model the stored variables.

    Raises:
        RestoreError: they have other variables.
    """
    live = optimizers(model, root)
    left = dict(slots)
    for prefix, optimizer in live.items():
        wanted = {name: tensor for name, tensor in slots.items() if _is_of(prefix, name)}
        left = {name: tensor for name, tensor in left.items() if name not in wanted}
        if wanted:
            _fill(model, optimizer, prefix, root, wanted, contents)
    if left:
        raise RestoreError(
            f"the built model has no optimizer with {min(left)!r}: load it with compile=False"
        )


def _is_of(prefix: str, slot: str) -> bool:
    return slot.startswith(prefix) if prefix else not slot.startswith(OTHERS)


def _fill(
    model: Any,
    optimizer: Optimizer,
    prefix: str,
    root: Place,
    slots: Mapping[str, TensorSpec],
    contents: Contents,
) -> None:
    paths = weight_paths(root)
    live = optimizer_variables(optimizer, paths, prefix)
    if set(slots) != set(live):
        optimizer.build(_trained(model, paths, slots))
        live = optimizer_variables(optimizer, paths, prefix)
    check_same("optimizer's variables", set(slots), set(live))
    for name, variable in live.items():
        assign(variable, contents[f"optimizer/{slots[name].file}"](), f"optimizer/{name}")


def _trained(model: Any, paths: Mapping[int, str], slots: Mapping[str, TensorSpec]) -> list[Any]:
    """Return the weights that the optimizer has slots for, in the model's order.

    Those it was built for, which are not the ones that are trainable now: somebody may have
    frozen or unfrozen layers since.
    """
    known = frozenset(paths.values())
    owners = {_owner(name, known) for name in slots}
    return [
        variable
        for variable in model.variables
        if paths.get(id(variable)) in owners or _is_overwritten(variable)
    ]


def _is_overwritten(variable: Any) -> bool:
    """Tell a scale of float8 training: an optimizer knows it, and has no slots for it."""
    return bool(variable.trainable and getattr(variable, "overwrite_with_gradient", False))


def _owner(slot: str, known: frozenset[str]) -> str:
    """Return the weight that a slot is named after: the longest path that its name ends with."""
    steps = slot.split("/")
    ends = ("/".join(steps[start:]) for start in range(1, len(steps)))
    return next((end for end in ends if end in known), "")
