"""The config of one layer, carried over by its rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kvcs.errors import RestoreError
from kvcs.keras2.fields import Known, Object, described
from kvcs.keras2.objects import activation, dtype, upgraded_object
from kvcs.keras2.rules import ANY, COMMON, EVERYWHERE, Rule

# Carries over a layer inside a wrapper: its description, and where it stands.
Nested = Callable[[Any, str], Object]


def upgraded_config(config: Object, rule: Rule, place: str, known: Known, nested: Nested) -> Object:
    """Return a config as Keras 3's class takes it.

    Raises:
        RestoreError: a key has no equivalent, or is missing where its default has changed.
    """
    missing = sorted(rule.needed - config.keys())
    if missing:
        raise RestoreError(
            f"{place}: {missing[0]!r} is missing, whose default is not the same in all versions "
            "of Keras: add it"
        )
    found: Object = {}
    for key, value in config.items():
        if _is_dropped(key, value, rule, place):
            continue
        name = rule.renamed.get(key, key)
        found[name] = _value(key, value, rule, place, known, nested)
    return {**found, **rule.added}


def _is_dropped(key: str, value: Any, rule: Rule, place: str) -> bool:
    """Tell whether a key is without effect; refuse one that has an effect Keras 3 does not know."""
    harmless = rule.dropped.get(key)
    if harmless is None:
        if key in rule.keys or key in rule.renamed or key in COMMON:
            return False
        harmless = EVERYWHERE.get(key)
    if harmless is None:
        raise RestoreError(
            f"{place}: {key!r} is no setting of this layer in Keras 3. If it has no effect, take "
            "it out of the JSON"
        )
    if harmless is not ANY and not any(value is each or value == each for each in harmless):
        raise RestoreError(
            f"{place}: {key}={value!r:.80} has no equivalent in Keras 3, which does only "
            f"{key}={harmless[0]!r}"
        )
    return True


def _value(key: str, value: Any, rule: Rule, place: str, known: Known, nested: Nested) -> Any:
    kind = key.rpartition("_")[2]
    if key == "dtype":
        return dtype(value, place)
    if kind in ("initializer", "regularizer", "constraint"):
        return upgraded_object(kind, value, key, place, known)
    if kind == "activation":
        return activation(value, key, place, known)
    if key in rule.nested:
        return _nested(key, value, place, nested)
    if key in rule.single and isinstance(value, list):
        return _single(key, value, place)
    return _plain(value)


def _nested(key: str, value: Any, place: str, nested: Nested) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [nested(each, f"{place}, {key}[{index}]") for index, each in enumerate(value)]
    return nested(value, f"{place}, {key}")


def _single(key: str, value: list[Any], place: str) -> Any:
    if len(value) == 1:
        return value[0]
    raise RestoreError(
        f"{place}: {key}={value!r:.80} has no equivalent in Keras 3, which takes one"
    )


def _plain(value: Any) -> Any:
    """Return numbers for the arrays that some layers keep where a number was given."""
    if isinstance(value, dict) and value.get("class_name") == "__numpy__":
        config = value.get("config")
        return config.get("value") if isinstance(config, dict) else value
    return value


def name_of(description: Any, place: str) -> tuple[str, str]:
    """Return class and name of a layer."""
    cls, config = described(description, "a layer", place)
    name = description.get("name")
    if name is None and isinstance(config, dict):
        name = config.get("name")
    return cls, name if isinstance(name, str) else ""
