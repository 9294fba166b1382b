"""Values, layers and settings in the words of a diff: short, harmless, and never cut silently."""

from __future__ import annotations

import json
import re
from typing import Any

from kvcs.names import LIVE
from kvcs.render.text import plain, shape
from kvcs.spec import MISSING

LONGEST = 60
LONGEST_NAME = 240

# Settings that say what a layer is, by which it is introduced.
TELLING = ("units", "filters", "kernel_size", "pool_size", "rate", "activation", "axis")
# Settings of an object that say most about it, and how many are shown.
FIRST = ("learning_rate", "initial_learning_rate", "momentum", "rate", "l1", "l2")
MOST = 3
# What can be taken for a part of a line, and not for one of a name.
_TELLTALE = re.compile(r'[\s"\\#→┆∙±]')

_FULL_HASH = re.compile(r"^([0-9a-f]{12})(?:[0-9a-f]{28}|[0-9a-f]{52})(?=:)")


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
    return shortened(json.dumps(what, ensure_ascii=False))


def _class_reference(what: dict[str, Any]) -> str:
    config = what.get("config")
    if not isinstance(config, dict):
        return cut(what["class_name"])
    if what["class_name"].endswith("DTypePolicy") and "name" in config:
        return cut(str(config["name"]))
    shown = [
        f"{cut(key)}={_told(item)}"
        for key, item in sorted(config.items(), key=_by_weight)
        if isinstance(item, int | float | str) and key not in ("name", "trainable", "dtype")
    ]
    name = cut(what["class_name"])
    more = [f"… {len(shown) - MOST} more"] if len(shown) > MOST else []
    return f"{name}({', '.join([*shown[:MOST], *more])})" if shown else name


def _told(item: float | str) -> str:
    return f"{item:.6g}" if isinstance(item, float) else value(item)


def _by_weight(item: tuple[str, Any]) -> tuple[int, str]:
    key = item[0]
    return FIRST.index(key) if key in FIRST else len(FIRST), key


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text that is harmless; one that is cut says how long it was.

    What could be taken for a part of the line stands in quotes.
    """
    if not text:
        return ""
    short = text if len(text) <= longest else text[:longest]
    if _TELLTALE.search(short) or not short.isprintable():
        escaped = short.replace("\\", "\\\\").replace('"', '\\"')
        short = f'"{plain(escaped)}"'
    return short if len(text) <= longest else f"{short}… ({len(text):,} characters)"


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text that is harmless, and so long that it says how long it was."""
    if len(text) > longest:
        return f"{plain(text[:longest])}… ({len(text):,} characters)"
    return plain(text)


def operand(name: str) -> str:
    """Return a MODEL as it was named; of a full hash, as much as tells it from others."""
    return path(_FULL_HASH.sub(r"\1", name))


def percent(share: float) -> str:
    """Return a share in percent that says nothing of all or none where it is not."""
    if share in (0, 1):
        return f"{share:.0%}"
    if 0.001 <= share <= 0.999:
        return f"{share:.1%}"
    return "< 0.1%" if share < 0.5 else "> 99.9%"


def path(layer: str) -> str:
    """Return the path of a layer, or of a model."""
    return layer if layer == LIVE else cut(layer, LONGEST_NAME) or "(the model)"


def name(layer: str) -> str:
    """Return the whole path of a layer, however long it is."""
    return cut(layer, len(layer)) or "(the model)"


def setting(at: str) -> str:
    """Return the path of a setting as a person writes it: `kernel_initializer.seed`."""
    steps = [step for step in at.lstrip(":").split("/") if step != "config"]
    plainly = ".".join(step.replace("~1", "/").replace("~0", "~") for step in steps)
    return cut(plainly, LONGEST_NAME)


def layer(record: Any) -> str:
    """Introduce a layer by its class and a few settings: `Dense 64 relu`."""
    config = record.get("config", {})
    told = [
        f"{key} {value(config[key])}" if key == "axis" else value(config[key])
        for key in TELLING
        if config.get(key) is not None and config[key] != "linear"
    ]
    return " ".join([cut(record["class"]["name"]), *told])


def shapes(what: Any) -> str:
    """Return the shapes of some weights."""
    found = [f"{cut(name)} {shape(tuple(axes))}" for name, axes in sorted(what.items())]
    return ", ".join(found) or "(none)"


def port(what: Any) -> str:
    """Return what is known of an input or an output: `(None, 10) float32`."""
    if what is MISSING:
        return "(none)"
    found = [cut(what["name"])] if "name" in what else []
    if "dtype" in what:
        axes = what["shape"]
        found += [shape(None if axes is None else tuple(axes)), cut(what["dtype"])]
    return " ".join(found) or "?"


def number(what: float | None, digits: int = 3) -> str:
    """Return a statistic with a few digits."""
    return "?" if what is None else f"{what:.{digits}g}"


def count(many: int, noun: str) -> str:
    """Return a number of things: `1 layer`, `2 layers`."""
    if many == 1:
        return f"1 {noun}"
    if noun == "model inside":
        return f"{many:,} models inside"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{many:,} {plural}"


def parameters(before: int | None, after: int | None) -> str:
    """Return how many parameters there were and are."""
    one, other = ("not known" if many is None else f"{many:,}" for many in (before, after))
    if before is None or after is None:
        return f"{one} → {other}"
    return one if before == after else f"{one} → {other} ({after - before:+,})"
