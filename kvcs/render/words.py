"""Values, layers and settings in the words of a diff: short, harmless, and never cut silently."""

from __future__ import annotations

import json
from typing import Any

from kvcs.render.text import plain, shape
from kvcs.spec import MISSING

LONGEST = 60

# Settings that say what a layer is, by which it is introduced.
TELLING = ("units", "filters", "kernel_size", "pool_size", "rate", "activation", "axis")


def value(what: Any) -> str:
    """Return a setting's value for a person."""
    if what is MISSING:
        return "(none)"
    if isinstance(what, dict) and isinstance(what.get("class_name"), str):
        return _class_reference(what)
    if isinstance(what, str):
        return cut(what) or "''"
    if isinstance(what, dict) and len(what) == 1 and next(iter(what)).startswith("$"):
        return value(next(iter(what.values())))
    return cut(json.dumps(what, ensure_ascii=False))


def _class_reference(what: dict[str, Any]) -> str:
    config = what.get("config")
    if not isinstance(config, dict):
        return cut(what["class_name"])
    if what["class_name"].endswith("DTypePolicy") and "name" in config:
        return cut(str(config["name"]))
    shown = [
        f"{key}={value(item)}"
        for key, item in sorted(config.items())
        if isinstance(item, int | float | str) and key not in ("name", "trainable", "dtype")
    ]
    return cut(f"{what['class_name']}({', '.join(shown)})" if shown else what["class_name"])


def cut(text: str) -> str:
    """Return text that is harmless, and so long that it says how long it was."""
    if len(text) > LONGEST:
        return f"{plain(text[:LONGEST])}… ({len(text):,} characters)"
    return plain(text)


def path(layer: str) -> str:
    """Return the path of a layer; a name with something to escape is escaped, none is cut."""
    return plain(layer) or "(the model)"


def setting(at: str) -> str:
    """Return the path of a setting as a person writes it: `kernel_initializer.seed`."""
    steps = [step for step in at.lstrip(":").split("/") if step != "config"]
    return plain(".".join(step.replace("~1", "/").replace("~0", "~") for step in steps))


def layer(record: Any) -> str:
    """Introduce a layer by its class and a few settings: `Dense 64 relu`."""
    config = record.get("config", {})
    told = [
        value(config[key])
        for key in TELLING
        if config.get(key) is not None and config[key] != "linear"
    ]
    return " ".join([plain(record["class"]["name"]), *told])


def shapes(what: Any) -> str:
    """Return the shapes of some weights."""
    found = [f"{plain(name)} {shape(tuple(axes))}" for name, axes in sorted(what.items())]
    return ", ".join(found) or "(none)"


def number(what: float | None) -> str:
    """Return a statistic with three digits."""
    return "?" if what is None else f"{what:.3g}"


def count(many: int, noun: str) -> str:
    """Return a number of things: `1 layer`, `2 layers`."""
    if many == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{many:,} {plural}"
