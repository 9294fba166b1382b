"""What a model of Keras 2 was compiled with, as arguments of Keras 3's `compile()`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kvcs.errors import RestoreError
from kvcs.keras2.fields import Known, Object, a_text, an_object, described, keras3
from kvcs.keras2.objects import custom

# Keys of the config of every optimizer, and those without effect on a step.
_EVERY_OPTIMIZER = frozenset(
    {
        "name", "learning_rate", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm",
        "use_ema", "ema_momentum", "ema_overwrite_frequency",
    }
)  # fmt: skip
_WITHOUT_EFFECT = frozenset({"jit_compile", "is_legacy_optimizer"})
_MOMENTS = "beta_1 beta_2 epsilon"

OPTIMIZERS: Mapping[str, frozenset[str]] = {
    name: frozenset(keys.split())
    for name, keys in {
        "SGD": "momentum nesterov",
        "RMSprop": "rho momentum epsilon centered",
        "Adam": f"{_MOMENTS} amsgrad",
        "AdamW": f"{_MOMENTS} amsgrad",
        "Adamax": _MOMENTS,
        "Nadam": _MOMENTS,
        "Adagrad": "initial_accumulator_value epsilon",
        "Adadelta": "rho epsilon",
        "Adafactor": "beta_2_decay epsilon_1 epsilon_2 clip_threshold relative_step",
        "Lion": "beta_1 beta_2",
        "Ftrl": "learning_rate_power initial_accumulator_value l1_regularization_strength "
        "l2_regularization_strength l2_shrinkage_regularization_strength beta",
    }.items()
}
SCHEDULES = frozenset(
    {
        "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay",
        "PiecewiseConstantDecay", "PolynomialDecay",
    }
)  # fmt: skip

_LOGITS = "from_logits label_smoothing axis"
LOSSES: Mapping[str, frozenset[str]] = {
    name: frozenset({"name", "reduction", *keys.split()})
    for name, keys in {
        "BinaryCrossentropy": _LOGITS,
        "CategoricalCrossentropy": _LOGITS,
        "BinaryFocalCrossentropy": f"{_LOGITS} apply_class_balancing alpha gamma",
        "CategoricalFocalCrossentropy": f"{_LOGITS} alpha gamma",
        "SparseCategoricalCrossentropy": "from_logits ignore_class",
        "CosineSimilarity": "axis",
        "Huber": "delta",
        **dict.fromkeys(
            ("CategoricalHinge", "Hinge", "KLDivergence", "LogCosh", "MeanAbsoluteError",
             "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError",
             "Poisson", "SquaredHinge"),
            "",
        ),
    }.items()
}  # fmt: skip

METRICS = frozenset(
    {
        "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU",
        "CategoricalAccuracy", "CategoricalCrossentropy", "CategoricalHinge", "CosineSimilarity",
        "F1Score", "FBetaScore", "FalseNegatives", "FalsePositives", "Hinge", "IoU",
        "KLDivergence", "LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError",
        "MeanIoU", "MeanSquaredError", "MeanSquaredLogarithmicError", "OneHotIoU",
        "OneHotMeanIoU", "Poisson", "Precision", "PrecisionAtRecall", "R2Score", "Recall",
        "RecallAtPrecision", "RootMeanSquaredError", "SensitivityAtSpecificity",
        "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
        "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity", "SquaredHinge",
        "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives",
    }
)  # fmt: skip

# Keras 2 wraps a metric that is a function; Keras 3 has a class for each of them.
FUNCTIONS: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "binary_accuracy": "BinaryAccuracy",
    "binary_crossentropy": "BinaryCrossentropy",
    "categorical_accuracy": "CategoricalAccuracy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "categorical_hinge": "CategoricalHinge",
    "hinge": "Hinge",
    "kl_divergence": "KLDivergence",
    "kullback_leibler_divergence": "KLDivergence",
    "log_cosh": "LogCoshError",
    "mean_absolute_error": "MeanAbsoluteError",
    "mean_absolute_percentage_error": "MeanAbsolutePercentageError",
    "mean_squared_error": "MeanSquaredError",
    "mean_squared_logarithmic_error": "MeanSquaredLogarithmicError",
    "poisson": "Poisson",
    "sparse_categorical_accuracy": "SparseCategoricalAccuracy",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
    "sparse_top_k_categorical_accuracy": "SparseTopKCategoricalAccuracy",
    "squared_hinge": "SquaredHinge",
    "top_k_categorical_accuracy": "TopKCategoricalAccuracy",
}
_WRAPPERS = ("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper")


def compile_arguments(training: Any, outputs: Sequence[str], known: Known) -> Object:
    """Return the arguments of `compile()`, with descriptions in them as Keras 3 reads them.

    Args:
        training: the `training_config` of an `.h5` file, or the `compile_config` of a `.keras`
            file, that Keras 2 wrote.
        outputs: the names of the model's outputs.
        known: tells whether the user gave a class or function of that name.

    Raises:
        RestoreError: something has no equivalent in Keras 3; the text names it.
    """
    given = an_object(training, "it", "the training configuration")
    optimizer = given.get("optimizer_config", given.get("optimizer"))

    def each(convert: Callable[[Any, str, Known], Any], key: str) -> Any:
        return _mapped(given.get(key), lambda value: convert(value, key, known))

    return {
        "optimizer": _optimizer(optimizer, known),
        "loss": each(_loss, "loss"),
        "loss_weights": given.get("loss_weights"),
        "metrics": _per_output(each(_metric, "metrics"), outputs),
        "weighted_metrics": _per_output(each(_metric, "weighted_metrics"), outputs),
    }


def _mapped(value: Any, convert: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _mapped(item, convert) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, convert) for item in value]
    return convert(value)


def _optimizer(value: Any, known: Known) -> Any:
    place = "the optimizer"
    if value is None or isinstance(value, str):
        return value
    name, config = described(value, "it", place)
    if known(name):
        return custom(value, "it", place, known)
    name = name.rpartition(">")[2]
    if name not in OPTIMIZERS:
        raise RestoreError(f"{place} is a {name}, which Keras 3 does not have")
    place = f"{place} ({name})"
    config = _modern(name, an_object(config, "its config", place), place)
    keys = OPTIMIZERS[name] | _EVERY_OPTIMIZER
    unknown = sorted(config.keys() - keys - _WITHOUT_EFFECT)
    if unknown:
        raise RestoreError(f"{place}: {unknown[0]!r} is no setting of it in Keras 3")
    kept = {key: item for key, item in config.items() if key in keys}
    kept["learning_rate"] = _learning_rate(kept.get("learning_rate"), place)
    return keras3("keras.optimizers", name, kept)


def _modern(name: str, config: Object, place: str) -> Object:
    """Return a config without the words of the optimizers of Keras 2.0 to 2.10."""
    config = dict(config)
    if "lr" in config:
        config.setdefault("learning_rate", config.pop("lr"))
    decay = config.pop("decay", 0.0)
    # What Nadam calls decay is its schedule of momentum, which Keras 3 has fixed at this.
    if not decay or (name == "Nadam" and decay == 0.004):
        return config
    rate = config.get("learning_rate")
    if name == "Nadam" or not isinstance(decay, float) or not isinstance(rate, float):
        raise RestoreError(f"{place}: its decay {decay!r} has no equivalent in Keras 3")
    schedule = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay}
    described = {"class_name": "InverseTimeDecay", "config": schedule}  # rate / (1 + decay * step)
    return {**config, "learning_rate": described}


def _learning_rate(value: Any, place: str) -> Any:
    if type(value) in (int, float):
        return value
    name, config = described(value, "its learning_rate", place)
    if name not in SCHEDULES:
        raise RestoreError(f"{place}: its schedule {name} is none of Keras 3's")
    found = an_object(config, "the config of its learning_rate", place)
    return keras3("keras.optimizers.schedules", name, found)


def _loss(value: Any, key: str, known: Known) -> Any:
    place = f"the {key}"
    if value is None or isinstance(value, str):
        return value
    name, config = described(value, "it", place)
    if name == "function":
        return a_text(config, "the name of the function", place)
    if name not in LOSSES:
        return custom(value, "it", place, known)
    found = dict(an_object(config, "its config", f"{place} ({name})"))
    found.pop("fn", None)
    if found.get("reduction") == "auto":
        found["reduction"] = "sum_over_batch_size"  # which it is for losses given to compile()
    unknown = sorted(found.keys() - LOSSES[name])
    if unknown:
        raise RestoreError(f"{place} ({name}): {unknown[0]!r} is no setting of it in Keras 3")
    return keras3("keras.losses", name, found)


def _metric(value: Any, key: str, known: Known) -> Any:
    place = f"one of the {key}"
    if value is None or isinstance(value, str):
        return value
    name, config = described(value, "it", place)
    if name == "function":
        return a_text(config, "the name of the function", place)
    found = dict(an_object(config, "its config", f"{place} ({name})"))
    function = found.pop("fn", None)
    if found.get("ignore_class", 0) is None:  # the default, and not known to Keras 3.6
        del found["ignore_class"]
    if name in _WRAPPERS:
        name = _class_of(function, place, known)
        if name in FUNCTIONS.values():
            return keras3("keras.metrics", name, found)
        return name
    if name not in METRICS:
        return custom(value, "it", place, known)
    return keras3("keras.metrics", name, found)


def _class_of(function: Any, place: str, known: Known) -> str:
    """Return the class of Keras 3 for a function, or the name of the user's own function."""
    if isinstance(function, dict):
        _, function = described(function, "its function", place)
    name = a_text(function, "its function", place)
    if known(name):
        return name
    if name not in FUNCTIONS:
        raise RestoreError(
            f"{place} is the function {name!r}, which Keras 3 does not have as a metric: if it is "
            f"your own, pass custom_objects={{{name!r}: {name}}}"
        )
    return FUNCTIONS[name]


def _per_output(metrics: Any, outputs: Sequence[str]) -> Any:
    """Return metrics in the form of Keras 3, which puts the output before the name itself."""
    if not isinstance(metrics, list) or not all(isinstance(each, list) for each in metrics):
        return metrics
    if len(outputs) == 1 and len(metrics) == 1:
        return metrics[0]
    return [
        [_renamed(metric, outputs[index]) for metric in each if metric is not None]
        if index < len(outputs) else each
        for index, each in enumerate(metrics)
    ]  # fmt: skip


def _renamed(metric: Any, output: str) -> Any:
    if not isinstance(metric, dict) or not isinstance(metric.get("config"), dict):
        return metric
    name = metric["config"].get("name")
    if not isinstance(name, str) or not name.startswith(f"{output}_"):
        return metric
    return {**metric, "config": {**metric["config"], "name": name.removeprefix(f"{output}_")}}
