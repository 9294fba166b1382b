"""Rules about weights: how many there are, how large, whether frozen, whether they are numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kvcs.comparison.graph import Container, Node
from kvcs.errors import KvcsError
from kvcs.npy import Array
from kvcs.rules.sameness import finding
from kvcs.rules.subject import Subject, Tensor
from kvcs.rules.values import INCOMPLETE, Finding, Level, Rule, worst
from kvcs.spec import walk
from kvcs.tree.reader import file_size

BLOCK = 1 << 20  # elements that are looked at in one go


def judge_parameters(rule: Rule, subject: Subject) -> Iterator[Finding]:
    """Yield that a model has too many parameters, or so many more than before."""
    if subject.new is None:
        return
    after = _parameters(subject.new.model)
    most = rule.options.get("max")
    if most is not None and after > most:
        yield _of_model(rule, subject, f"{after:,} parameters are more than {most:,}")
    growth = rule.options.get("growth")
    if growth is None or subject.old is None:
        return
    before = _parameters(subject.old.model)
    if after > before * (1 + growth / 100):
        more = f"{(after - before) / before:+.1%}" if before else "from none"
        yield _of_model(
            rule, subject, f"parameters {before:,} → {after:,} ({more}), more than {growth:+g} %"
        )


def _parameters(model: Any) -> int:
    return sum(layer.parameters for _, layer in walk(model))


def judge_size(rule: Rule, subject: Subject) -> Iterator[Finding]:
    """Yield the files of tensors that are too large, and that all of them are together."""
    sizes = [(one, file_size(one.spec)) for one in subject.tensors()]
    most = rule.options.get("tensor")
    for one, size in sizes:
        if most is not None and size > most:
            text = f"{size:,} bytes are more than {most:,}"
            yield _of_tensor(rule, subject, one, text)
    total, most = sum(size for _, size in sizes), rule.options.get("model")
    if most is not None and total > most:
        text = f"{total:,} bytes of weights and state are more than {most:,}"
        yield _of_model(rule, subject, text)


def judge_kept(rule: Rule, subject: Subject) -> Iterator[Finding]:
    """Yield that too few of the old weights are left."""
    diff = subject.diff
    if diff is None or diff.kept is None or not diff.old.tensors:
        return
    least: float = rule.options["min"]
    if diff.kept * 100 < least * diff.old.tensors:
        kept = f"{diff.kept:,} of {diff.old.tensors:,}"
        text = f"{kept} old tensors kept, fewer than {least:g} %"
        yield _of_model(rule, subject, text)


def judge_frozen(rule: Rule, subject: Subject) -> Iterator[Finding]:
    """Yield the layers that are trained, that changed, or that are no more."""
    if subject.graph is None:
        return
    frozen = _frozen_models(subject)
    for part in subject.parts():
        if not rule.is_for_layer(part.path, subject.before.get(part.path)):
            continue
        if _is_trained(part) and not any(_is_below(part, model) for model in frozen):
            yield _of_layer(rule, subject, part.path, "layer is trainable")
    for change in () if subject.diff is None else subject.diff.changes:
        if rule.is_for_layer(change.old_path, change.new_path):
            if change.kind in ("removed", "replaced"):
                yield finding(rule, subject, change, "frozen layer is no more")
            elif change.kind in ("weights", "shape"):
                yield finding(rule, subject, change, "weights of a frozen layer changed")
            elif change.kind == "state" and change.path:
                yield finding(rule, subject, change, "averages of a frozen layer changed")


def _is_trained(part: Node | Container) -> bool:
    flags = [tensor.trainable for tensor in part.spec.tensors.values()]
    return any(flags) and part.spec.config.get("trainable") is not False


def _frozen_models(subject: Subject) -> list[str]:
    """Return the models inside that are frozen: Keras trains nothing in them."""
    models = () if subject.graph is None else subject.graph.containers.values()
    return [one.path for one in models if one.spec.config.get("trainable") is False]


def _is_below(part: Node | Container, model: str) -> bool:
    return not model or part.path.startswith(f"{model}/")


def judge_finite(rule: Rule, subject: Subject) -> Iterator[Finding]:
    """Yield the tensors that hold something else than numbers; only those that changed are read."""
    for one in to_read(rule, subject):
        try:
            array = subject.contents[one.path]()
        except KvcsError as error:
            level: Level = worst([rule.level, "warning"])
            yield Finding(
                rule=INCOMPLETE, level=level, model=subject.name, layer=one.layer, at=one.name,
                text=f"{rule.name} could not be judged: the weight cannot be read",
                detail=str(error), file=subject.file(one.layer),
            )  # fmt: skip
            continue
        nan, infinite = _not_finite(array)
        del array  # before the next one is read
        if nan or infinite:
            text = f"holds {nan:,} NaN and {infinite:,} infinite values"
            yield _of_tensor(rule, subject, one, text)


def to_read(rule: Rule, subject: Subject) -> list[Tensor]:
    """Return the tensors that the rule must read: others can hold nothing but numbers."""
    return [
        one
        for one in subject.changed()
        if one.spec.dtype.startswith(("float", "bfloat", "complex"))
        and rule.is_for_layer(one.layer, subject.before.get(one.layer))
    ]


def _not_finite(array: Array | bytes) -> tuple[int, int]:
    """Count what is NaN and what is infinite, a part at a time."""
    import numpy as np

    assert not isinstance(array, bytes), "assets have no tensor's name"
    flat = array.reshape(-1)
    nan = infinite = 0
    for start in range(0, flat.size, BLOCK):
        block = flat[start : start + BLOCK]
        many = int(block.size - np.count_nonzero(np.isfinite(block)))
        if many:
            nans = int(np.count_nonzero(np.isnan(block)))
            nan, infinite = nan + nans, infinite + many - nans
    return nan, infinite


def _of_model(rule: Rule, subject: Subject, text: str) -> Finding:
    return _of_layer(rule, subject, "", text)


def _of_layer(rule: Rule, subject: Subject, layer: str, text: str, at: str = "") -> Finding:
    return Finding(
        rule=rule.name, level=rule.level, model=subject.name, text=text, layer=layer, at=at,
        file=subject.file(layer),
    )  # fmt: skip


def _of_tensor(rule: Rule, subject: Subject, one: Tensor, text: str) -> Finding:
    return _of_layer(rule, subject, one.layer, text, one.name)
