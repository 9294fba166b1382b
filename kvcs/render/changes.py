"""One change in words: what it is, and why it may be there."""

from __future__ import annotations

from kvcs.comparison import Change, Diff
from kvcs.comparison.values import ABSENT, NEWER_KERAS, NO_WEIGHTS, NOT_COMPARED, RUN
from kvcs.render import words
from kvcs.render.marks import LISTED, MARKS
from kvcs.render.text import plain
from kvcs.spec import MISSING


def what(change: Change) -> str:
    """Say what changed, without the layer it changed in."""
    kind = change.kind
    if kind in ("added", "container_added"):
        return f"{words.layer(change.new)}{_size(change, '+')}"
    if kind in ("removed", "container_removed"):
        return f"{words.layer(change.old)}{_size(change, '-')}"
    if kind == "replaced":
        return f"{words.layer(change.old)} → {words.layer(change.new)}"
    if kind == "rescoped":
        return f"{words.path(change.old)} → {words.path(change.new)}"
    if kind in ("renamed", "renumbered"):
        return f"was {words.path(change.old)}"
    if kind == "shape":
        return f"{words.shapes(change.old)} → {words.shapes(change.new)}{labels(change)}"
    if kind == "weights":
        return _weights(change)
    if kind == "trainable":
        return trainable(change)
    if kind == "interface":
        return port(change)
    if kind == "config":
        return setting(change)
    return MARKS[kind].word


def port(change: Change) -> str:
    """Say what of an input or an output is another one; what is the same is left out."""
    sides = [change.old, change.new]
    if MISSING not in sides:
        names = [side.get("name") for side in sides]
        if names[0] == names[1]:
            sides = [{key: item for key, item in side.items() if key != "name"} for side in sides]
        elif all(sides[0].get(key) == sides[1].get(key) for key in ("shape", "dtype")):
            sides = [{"name": side["name"]} if "name" in side else MISSING for side in sides]
    return f"{words.port(sides[0])} → {words.port(sides[1])}"


def _size(change: Change, sign: str) -> str:
    if not isinstance(change.details, dict) or not change.details["parameters"]:
        return ""
    return f"   {sign}{change.details['parameters']:,} params"


def trainable(change: Change) -> str:
    """Say what was frozen."""
    if change.new is False:
        return "frozen"
    if change.new is True:
        return "unfrozen"
    return f"trainable: {words.value(change.old)} → {words.value(change.new)}"


def _weights(change: Change) -> str:
    if not isinstance(change.details, dict):
        return "weights"
    found = []
    for name, numbers in change.details["tensors"].items():
        found.append(f"{words.path(name)} {_numbers(numbers)}{share(numbers)}")
    found += [f"{words.path(name)} {not_read(each)}" for name, each in unread(change).items()]
    return ("; ".join(found) or "weights") + labels(change)


def _numbers(numbers: dict[str, float]) -> str:
    if was_zero(numbers):
        return f"was zero, now up to {words.number(numbers['largest'])}"
    cosine = words.number(numbers["cosine"], digits=4)
    return f"±{words.number(numbers['relative'])} cos {cosine}"


def was_zero(numbers: dict[str, float]) -> bool:
    """Tell whether all values were zero, so that nothing is relative to them."""
    return numbers["relative"] is None and numbers["largest"] is not None


def share(numbers: dict[str, float]) -> str:
    """Say how many values changed, when not nearly all did."""
    part = numbers["share"]
    told = f"{part:.0%}" if part >= 0.005 else words.percent(part)
    return f", {told} of values" if part < 0.995 else ""


def unread(change: Change) -> dict[str, dict[str, str]]:
    """Return the weights that could not be read, and why."""
    found: dict[str, dict[str, str]] = {}
    if isinstance(change.details, dict):
        found = change.details.get("unread", {})
    return found


def not_read(why: dict[str, str]) -> str:
    """Say that weights are others, and that they could not be read."""
    if why["reason"] == ABSENT:
        return "changed; statistics need the object, which is not here"
    return "changed; damaged, and not read"


def labels(change: Change) -> str:
    """Return what a change of weights certainly is."""
    if not isinstance(change.details, dict) or not change.details["labels"]:
        return ""
    return f" [{', '.join(map(plain, change.details['labels']))}]"


def why(change: Change) -> str:
    """Say what a change follows from, or what else explains it; mostly nothing."""
    if change.reason == RUN:
        return "one of a run of equal layers; which one cannot be told"
    if change.consequence_of:
        kind, _, rest = change.consequence_of.partition(" ")
        where, _, at = rest.partition(" ")
        place = " ".join(filter(None, (words.path(where), words.setting(at))))
        return f"follows from {kind} {place}" if where != "." else f"follows from {kind}"
    if change.kind in ("moved", "weights", "config") and change.old_path != change.new_path:
        return f"was {words.path(change.old_path or '')}"
    known = (NEWER_KERAS, NO_WEIGHTS, NOT_COMPARED)
    return change.reason if change.reason in known else ""


def in_groups(diff: Diff) -> list[list[Change]]:
    """Return the changes that one line says for many layers."""
    return [
        changes
        for changes in diff.groups.values()
        if len(changes) >= LISTED and changes[0].kind in ("config", "trainable")
    ]


def states(diff: Diff) -> dict[str, str]:
    """Return of what state how many values were moved; averages of all layers are one."""
    values: dict[str, int] = {}
    layers: dict[str, int] = {}
    for change in diff.of("state"):
        at = words.setting(change.at)
        values[at] = values.get(at, 0) + len(set(change.old) | set(change.new))
        layers[at] = layers.get(at, 0) + bool(change.path)
    return {
        at: words.count(many, "value")
        + (f" of {words.count(layers[at], 'layer')}" if layers[at] else "")
        for at, many in values.items()
    }


def renumbered(diff: Diff) -> str:
    """Say how many layers have another number and are the same; empty for none."""
    many = sum(1 for _ in diff.of("renumbered"))
    layers = words.count(many, "layer")
    return f"{layers} renumbered (automatic names, no other change)" if many else ""


def notes(diff: Diff) -> list[tuple[str, str, str]]:
    """Return what is noted: of how many layers, what, and why; the same of many layers is one."""
    found = []
    spelled = [change for change in diff.of("note") if change.reason == NEWER_KERAS]
    if spelled:
        layers = words.count(len({change.path for change in spelled}), "layer")
        found.append((layers, words.count(len(spelled), "setting"), NEWER_KERAS))
    alike: dict[tuple[str, str], list[Change]] = {}
    for change in diff.of("note"):
        if change.reason != NEWER_KERAS:
            alike.setdefault((change.at, change.reason), []).append(change)
    for (_, reason), changes in alike.items():
        where = words.count(len(changes), "layer") if changes[0].path else ""
        found.append((where, setting(changes[0]), reason))
    return found


def setting(change: Change) -> str:
    """Say which setting changed, from what to what."""
    at = words.setting(change.at)
    return f"{at}: {words.value(change.old)} → {words.value(change.new)}"
