"""What a config of Keras 2 holds besides numbers: initializers, activations, dtype policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kvcs.errors import RestoreError
from kvcs.keras2.fields import Known, Object, a_text, an_object, described, keras3

_SEEDED = frozenset({"seed"})
_DISTRIBUTED = _SEEDED | {"scale", "mode", "distribution"}

# Class -> the keys of its config, by the module of Keras 3 that has it.
_KINDS: Mapping[str, tuple[str, Mapping[str, frozenset[str]]]] = {
    "initializer": (
        "keras.initializers",
        {
            "Zeros": frozenset(),
            "Ones": frozenset(),
            "Constant": frozenset({"value"}),
            "RandomNormal": _SEEDED | {"mean", "stddev"},
            "TruncatedNormal": _SEEDED | {"mean", "stddev"},
            "RandomUniform": _SEEDED | {"minval", "maxval"},
            "VarianceScaling": _DISTRIBUTED,
            "Orthogonal": _SEEDED | {"gain"},
            "Identity": frozenset({"gain"}),
            **dict.fromkeys(
                ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform",
                 "LecunNormal"),
                _SEEDED,
            ),
        },
    ),
    "regularizer": (
        "keras.regularizers",
        {
            "L1": frozenset({"l1"}),
            "L2": frozenset({"l2"}),
            "L1L2": frozenset({"l1", "l2"}),
            "OrthogonalRegularizer": frozenset({"factor", "mode"}),
        },
    ),
    "constraint": (
        "keras.constraints",
        {
            "MaxNorm": frozenset({"max_value", "axis"}),
            "NonNeg": frozenset(),
            "UnitNorm": frozenset({"axis"}),
            "MinMaxNorm": frozenset({"min_value", "max_value", "rate", "axis"}),
        },
    ),
}  # fmt: skip

# An initializer of Keras 3 is told the dtype when it is called.
_WITHOUT_EFFECT = frozenset({"dtype"})

# Activations that are the same function in both. `hard_sigmoid` is not: see `activation`.
ACTIVATIONS = frozenset(
    {
        "elu", "exponential", "gelu", "leaky_relu", "linear", "log_softmax", "mish", "relu",
        "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh",
    }
)  # fmt: skip


def upgraded_object(kind: str, value: Any, what: str, place: str, known: Known) -> Any:
    """Return an initializer, a regularizer or a constraint as Keras 3 reads it."""
    if value is None or isinstance(value, str):
        return value  # a name, which Keras 3 looks up as Keras 2 did
    name, config = described(value, what, place)
    module, classes = _KINDS[kind]
    if name not in classes:
        return custom(value, what, place, known)
    found = an_object(config if config is not None else {}, f"the config of {what}", place)
    unknown = sorted(set(found) - classes[name] - _WITHOUT_EFFECT)
    if unknown:
        raise RestoreError(f"{place}: Keras 3 knows no {unknown[0]!r} of {name} in {what}")
    kept = {key: item for key, item in found.items() if key in classes[name]}
    if kept.get("distribution") == "normal":  # the word for it up to Keras 2.2
        kept["distribution"] = "truncated_normal"
    return keras3(module, name, kept)


def custom(value: Object, what: str, place: str, known: Known) -> Object:
    """Return the description of something of the user's own."""
    name, config = described(value, what, place)
    for candidate in (value.get("registered_name"), name, name.rpartition(">")[2]):
        if isinstance(candidate, str) and known(candidate):
            return {
                "module": None,
                "class_name": candidate.rpartition(">")[2],
                "config": config,
                "registered_name": candidate,
            }
    bare = name.rpartition(">")[2]
    raise RestoreError(
        f"{place}: {what} is a {name}, which is none of Keras 2 that Keras 3 has: if it is your "
        f"own, pass custom_objects={{{bare!r}: {bare}}}, or register it and import its module "
        "first (--import MODULE on the command line)"
    )


def activation(value: Any, what: str, place: str, known: Known) -> Any:
    """Return the name of an activation, or the description of the user's own."""
    if isinstance(value, dict):
        _, value = described(value, what, place)
    if value is None:
        return None
    name = a_text(value, what, place)
    if known(name):  # not by name alone, for Keras' own function of that name would come first
        return {**keras3("builtins", "function", {}), "config": name}
    if name == "hard_sigmoid":
        raise RestoreError(
            f"{place}: {what} is hard_sigmoid, which is clip(x / 5 + 1/2, 0, 1) in Keras 2 and "
            "clip(x / 6 + 1/2, 0, 1) in Keras 3: pass the function you mean with "
            "custom_objects={'hard_sigmoid': function}"
        )
    if name not in ACTIVATIONS:
        raise RestoreError(
            f"{place}: {what} is {name!r}, which Keras 3 does not have: if it is your own, pass "
            f"custom_objects={{{name!r}: function}}"
        )
    return name


def dtype(value: Any, place: str) -> Any:
    """Return a dtype, or the policy for it."""
    if value is None or isinstance(value, str):
        return value
    name, config = described(value, "dtype", place)
    if name == "DTypePolicy":
        return value
    if name not in ("Policy", "PolicyV1"):
        raise RestoreError(f"{place}: Keras 3 has no dtype policy {name}")
    policy = a_text(an_object(config, "the config of dtype", place).get("name"), "dtype", place)
    return keras3("keras", "DTypePolicy", {"name": policy})
