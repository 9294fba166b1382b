"""Each rule that is for a model, applied to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

from kvcs.comparison import Diff, layers_found
from kvcs.errors import RefusedError
from kvcs.rules.catalogue import KINDS
from kvcs.rules.sameness import judge_sameness
from kvcs.rules.subject import Subject
from kvcs.rules.values import (
    INCOMPLETE,
    REMOVED,
    UNMATCHED,
    UNMATCHED_MODELS,
    Finding,
    Level,
    Policy,
    Rule,
    worst,
)
from kvcs.rules.weights import (
    judge_finite,
    judge_frozen,
    judge_kept,
    judge_parameters,
    judge_size,
)
from kvcs.trust import Trust, check_model

Judge: TypeAlias = Callable[[Rule, Subject], Iterator[Finding]]


def judge(policy: Policy, subject: Subject) -> list[Finding]:
    """Return what breaks the rules in one model that changed."""
    rules = policy.of(subject.name)
    found: list[Finding] = list(_removed(rules, subject))
    for rule in rules:
        if rule.name in _OF_WEIGHTS and not subject.has_weights:
            found.append(_not_known(rule, subject))
        else:
            found += JUDGES[rule.name](rule, subject)
    return found


def _removed(rules: Sequence[Rule], subject: Subject) -> Iterator[Finding]:
    """Yield that a model is gone, unless a rule says it: it may be moved to where none holds."""
    if subject.new is None and rules and not any(rule.name == "kept-models" for rule in rules):
        text = "model removed, and so are the rules for it"
        yield Finding(rule=REMOVED, level="warning", model=subject.name, text=text)


def _not_known(rule: Rule, subject: Subject) -> Finding:
    return Finding(
        rule=INCOMPLETE,
        level=worst([rule.level, "warning"]),
        model=subject.name,
        text=f"{rule.name} could not be judged: JSON describes a model without its weights",
    )


def unjudged(policy: Policy, model: str, reason: str, file: str = "") -> Finding:
    """Return that a model could not be judged: as bad as if the worst of its rules were broken.

    Otherwise it would be enough to damage a model to get it past its rules.
    """
    level: Level = worst([*(rule.level for rule in policy.of(model)), "warning"])
    text = "the two versions could not be compared"
    return Finding(rule=INCOMPLETE, level=level, model=model, text=text, detail=reason, file=file)


def unmatched(policy: Policy, diffs: Mapping[str, Diff | None]) -> list[Finding]:
    """Return the patterns of rules that match no layer of any model they are for.

    Such a rule would hold for ever, and nobody would see that it says nothing.

    Args:
        policy: the rules.
        diffs: of all models, by name; None where there is none, and so nothing is known of layers.
    """
    found = []
    for rule in policy.rules:
        mine = [diff for name, diff in diffs.items() if rule.is_for_model(name)]
        known = [diff for diff in mine if diff is not None]
        for glob in rule.layers if known and len(known) == len(mine) else ():
            if not any(layers_found(diff, glob) for diff in known):
                text = f"{rule.name} is for layers that no model has"
                found.append(
                    Finding(rule=UNMATCHED, level="warning", model="", text=text, detail=glob)
                )
    return found


def without_models(policy: Policy, names: Sequence[str]) -> Iterator[Finding]:
    """Yield the patterns of rules that match no model: as a note, for one may come.

    Args:
        policy: the rules.
        names: all models that there are.
    """
    for rule in policy.rules:
        for glob in rule.models if names else ():
            if not any(fnmatchcase(name, glob) for name in names):
                text = f"{rule.name} is for models that are not there"
                yield Finding(rule=UNMATCHED_MODELS, level="note", model="", text=text, detail=glob)


def _judge_loading(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.new is None:
        return
    try:
        check_model(subject.new, Trust(modules=rule.options.get("allow", ())))
    except RefusedError as error:
        yield Finding(
            rule=rule.name, level=rule.level, model=subject.name, detail=str(error),
            text="the model names what is not known to be safe", file=subject.file(""),
        )  # fmt: skip


def _judge_removal(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.new is None:
        yield Finding(rule=rule.name, level=rule.level, model=subject.name, text="model removed")


JUDGES: Mapping[str, Judge] = {
    **{name: judge_sameness for name, kind in KINDS.items() if kind.level},
    "kept-weights": judge_kept,
    "frozen-layers": judge_frozen,
    "parameters": judge_parameters,
    "size": judge_size,
    "finite-weights": judge_finite,
    "safe-loading": _judge_loading,
    "kept-models": _judge_removal,
}

_OF_WEIGHTS = (
    "same-weights", "kept-weights", "frozen-layers", "parameters", "size", "finite-weights",
)  # fmt: skip
