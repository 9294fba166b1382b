"""The first line of a diff, which says what was done to the model, and the last, with totals."""

from __future__ import annotations

from kvcs.comparison import Diff
from kvcs.render.words import count

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
    """Say in one line what was done to the model."""
    if not diff.related:
        layers = count(len(diff.pairs), "layer")
        of = f"{len(diff.old.layers):,} and {len(diff.new.layers):,}"
        return f"UNRELATED: {layers} of {of} could be paired"
    if not diff:
        return _same(diff)
    parts = _architecture(diff)
    if parts:
        kept = f"{diff.kept:,} of {diff.old.tensors:,} old tensors kept"
        return f"ARCHITECTURE: {', '.join(parts)}; {kept}"
    return _kind_of_training(diff)


def _same(diff: Diff) -> str:
    noted = [word for key, word in (("state", "state"), ("notes", "notes")) if diff.summary[key]]
    if diff.summary["renumbered"]:
        noted.append("automatic names")
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


def _kind_of_training(diff: Diff) -> str:
    found = diff.summary
    parts = [
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
    if found["config"] or found["shapes"]:
        return f"SETTINGS: {', '.join(parts)}; same layers, same connections"
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
    return f"Diff: {', '.join(parts)}. {_parameters(diff)}"


def _parameters(diff: Diff) -> str:
    before, after = diff.old.parameters, diff.new.parameters
    if before == after:
        return f"params {before:,}"
    return f"params {before:,} → {after:,} ({after - before:+,})"
