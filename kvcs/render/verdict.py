"""The first line of a diff, which says what was done to the model, and the last, with totals."""

from __future__ import annotations

from kvcs.comparison import Diff
from kvcs.comparison.interface import SIDES
from kvcs.comparison.values import COUNTED
from kvcs.render.words import count, parameters

_STRUCTURE = {
    "added": "inserted",
    "removed": "removed",
    "replaced": "replaced",
    "moved": "moved",
    "rescoped": "put into another model",
    "renamed": "renamed",
}
_REST = {
    "connections_added": "connection added",
    "connections_removed": "connection removed",
    "containers_added": "model inside added",
    "containers_removed": "model inside removed",
}


def verdict(diff: Diff) -> str:
    """Say in one line what was done to the model; an alarm comes first."""
    ports = [change.at.lstrip(":").partition("/")[0] for change in diff.of("interface")]
    if not ports:
        return _verdict(diff)
    sides = (count(ports.count(side), side[:-1]) for side in SIDES if side in ports)
    changed = f"{' and '.join(sides)} changed"
    if not diff.related:
        return f"{_verdict(diff)}; {changed}"
    others = any(diff.summary[key] for key in COUNTED if key != "interface")
    return f"INTERFACE: {changed}{f'; {_verdict(diff)}' if others else ''}"


def _verdict(diff: Diff) -> str:
    if not diff.related:
        layers = count(len(diff.pairs), "layer")
        of = f"{len(diff.old.layers):,} and {len(diff.new.layers):,}"
        return f"UNRELATED: {layers} of {of} could be paired"
    if diff.left_out:
        return _selected(diff)
    if not diff:
        return _same(diff)
    parts = _architecture(diff)
    if parts:
        return f"ARCHITECTURE: {', '.join(parts)}{_kept(diff)}"
    return _kind_of_training(diff)


def _selected(diff: Diff) -> str:
    """Say what of the changes is shown, where a filter left others out."""
    shown = ", ".join(_architecture(diff) + _settings(diff)) or "nothing that counts"
    unknown = "; weights not compared" if diff.kept is None else ""
    return f"SELECTED: {shown}; {count(diff.left_out, 'other change')} left out{unknown}"


def _kept(diff: Diff) -> str:
    if diff.kept is None or not diff.old.tensors:
        return ""
    return f"; {diff.kept:,} of {diff.old.tensors:,} old tensors kept"


def _same(diff: Diff) -> str:
    noted = [word for key, word in (("state", "state"), ("notes", "notes")) if diff.summary[key]]
    if diff.summary["renumbered"]:
        noted.append("automatic names")
    if diff.kept is None:
        return "SAME: no layer, connection or setting differs; weights not compared"
    return f"SAME: nothing differs{f' but {_listed(noted)}' if noted else ''}"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _architecture(diff: Diff) -> list[str]:
    found = diff.summary
    parts = [
        f"{count(found[key], 'layer')} {done}" for key, done in _STRUCTURE.items() if found[key]
    ]
    for key, words in _REST.items():
        if found[key]:
            noun, done = words.rsplit(" ", 1)
            parts.append(f"{count(found[key], noun)} {done}")
    if found["inputs_reordered"]:
        parts.append(f"inputs of {count(found['inputs_reordered'], 'layer')} reordered")
    return parts


def _settings(diff: Diff) -> list[str]:
    found = diff.summary
    return [
        words
        for key, words in (
            ("config", count(found["config"], "setting") + " changed"),
            ("shapes", "shapes of " + count(found["shapes"], "layer")),
            ("trainable", "trainable of " + count(found["trainable"], "layer")),
            ("training", count(found["training"], "training setting") + " changed"),
            ("weights", "weights of " + count(found["weights"], "layer")),
        )
        if found[key]
    ]


def _kind_of_training(diff: Diff) -> str:
    found = diff.summary
    parts = _settings(diff)
    if found["config"] or found["shapes"]:
        return f"SETTINGS: {', '.join(parts)}; same layers, same connections"
    if diff.kept is None:  # of JSON, which tells nothing about weights
        return f"TRAINING: architecture identical; {', '.join(parts)}"
    if found["weights"]:
        word = "RETRAINED" if _rewritten(diff) else "FINE-TUNE"
        return f"{word}: architecture identical; {', '.join(parts)}"
    if found["trainable"]:
        return f"FREEZE: architecture and weights identical; {', '.join(parts)}"
    return f"TRAINING: model identical; {', '.join(parts)}"


def _rewritten(diff: Diff) -> bool:
    """Tell whether all weights that changed have nothing in common with the old ones."""
    changes = list(diff.of("weights"))
    return all(
        isinstance(change.details, dict) and "rewritten" in change.details["labels"]
        for change in changes
    )


def totals(diff: Diff) -> str:
    """Return the last line: what there is of each kind, and parameters before and after."""
    found = diff.summary
    edges = found["connections_added"] + found["connections_removed"] + found["inputs_reordered"]
    always = ("added", "removed", "moved", "config")
    parts = [f"{found[key]} {key}" for key in always]
    parts += [f"{edges} edges", f"{found['weights']} weights"]
    others = ("replaced", "rescoped", "renamed", "shapes", "trainable", "training")
    parts += [f"{found[key]} {key}" for key in others if found[key]]
    containers = found["containers_added"] + found["containers_removed"]
    parts += [count(containers, "model") + " inside"] if containers else []
    ports = sum(1 for _ in diff.of("interface"))
    parts += [f"{ports} interface"] if ports else []
    parts += [f"{diff.left_out} left out"] if diff.left_out else []
    return (
        f"Diff: {', '.join(parts)}. params {parameters(diff.old.parameters, diff.new.parameters)}"
    )
