"""`kvcs.check`: whether a change of models keeps the rules."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from kvcs.commands.diff import compared
from kvcs.commands.diff_all import Outcome, diff_all
from kvcs.commands.fetching import fetch_some
from kvcs.commands.operand import (
    Model,
    Stored,
    described,
    has_layers,
    is_json,
    is_live,
    is_saved_file,
    opened,
    what_stands_at,
)
from kvcs.commands.rules_file import RulesFile, rules_for, rules_of_models
from kvcs.commands.soundness import Touched, problems, touched
from kvcs.commands.versions import Versions, is_model, versions
from kvcs.comparison import Diff
from kvcs.comparison.values import DAMAGED
from kvcs.comparison.weighing import Report as Progress
from kvcs.errors import AbsentError, KvcsError, NotAModelError, RepositoryError
from kvcs.names import LIVE
from kvcs.rules import Finding, Policy, Report, Subject, judge, unjudged, unmatched
from kvcs.rules.judging import without_models
from kvcs.rules.weights import to_read


def check(
    a: Model,
    b: Model,
    *,
    rules: str | os.PathLike[str] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Report:
    """Tell whether a change of one model keeps the rules.

    Args:
        a: any MODEL, the old one.
        b: any MODEL, the new one.
        rules: a file of rules; without, the `.kvcs.toml` of the side that is old.
        custom_objects: needed for a Keras file with custom classes.

    Returns:
        A report, which is true when nobody need look; its `.status` is `clear`, `review` or
        `blocked`, and `.findings` say why.

    Raises:
        KvcsError: the rules cannot be read, or there is no such model.
    """
    old, new = _named(a), _named(b)
    found = rules_of_models(old, new, rules)
    asked = Versions(name=_place(new), old=old, new=new)
    outcome = Outcome(
        versions=asked, found=compared(a, b, numbers=False, custom_objects=custom_objects)
    )
    (paths,) = touched([asked])
    findings = _judged(found.policy, outcome, (a, b), paths, custom_objects)
    return _report(found, [outcome], findings)


def _named(model: Model) -> str:
    return LIVE if is_live(model) else os.fspath(model)


def check_all(
    operands: Sequence[str],
    directories: Sequence[str] | None = None,
    *,
    rules: str | os.PathLike[str] | None = None,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Tell whether a change of models keeps the rules.

    Args:
        operands, directories: what is compared, as for `kvcs.commands.versions.versions`.
        rules: as for `check`.
        progress: told of how many bytes of weights how many are read.

    Raises:
        KvcsError: the rules cannot be read, or there is nothing of that name.
    """
    found = rules_for(operands, directories, rules)
    asked = versions(operands, directories)
    whole = directories is None
    if whole and any(map(is_model, operands)):
        whole = False
        asked = [replace(one, name=_place(one.new or one.old or "")) for one in asked]
        _refuse_missing(operands)
    outcomes = diff_all(asked, hints={}, stats=True, numbers=False, report=progress)
    return judged(found, outcomes, whole=whole)


def _refuse_missing(operands: Sequence[str]) -> None:
    """Refuse MODELs that are not there: a mistake in a command says nothing of a change.

    One that is there, and damaged or not fetched, is a finding.
    """
    for operand in operands:
        if is_saved_file(operand) or is_json(operand):
            continue
        try:
            with opened(operand):
                pass
        except (NotAModelError, AbsentError):
            if what_stands_at(operand) == "directory" and not has_layers(Path(operand)):
                raise


def _place(model: str) -> str:
    """Return the directory of a model from the root of the repository, as rules name it.

    What stands in no repository keeps its name.
    """
    if model == LIVE:
        return model
    from kvcs.repo import Repository

    try:
        with Repository.discover() as repository:
            if ":" in model and what_stands_at(model) == "nothing":
                return repository.spec(model)[1] or "."
            return repository.relative(Path(model)) or "."
    except RepositoryError:
        return model


def judged(rules: RulesFile, outcomes: Sequence[Outcome], *, whole: bool) -> Report:
    """Judge comparisons that are made.

    Args:
        rules: which hold.
        outcomes: the comparisons.
        whole: whether they are of all models of the repository.
    """
    names = [outcome.versions.name for outcome in outcomes]
    findings = list(without_models(rules.policy, names)) if whole else []
    paths = touched([outcome.versions for outcome in outcomes])
    for outcome, mine in zip(outcomes, paths, strict=True):
        sides = outcome.versions.old, outcome.versions.new
        findings += _judged(rules.policy, outcome, sides, mine)
    return _report(rules, outcomes, findings)


def _report(rules: RulesFile, outcomes: Sequence[Outcome], findings: list[Finding]) -> Report:
    diffs = {one.versions.name: _diff(one) for one in outcomes}
    found = [*findings, *rules.findings, *unmatched(rules.policy, diffs)]
    broken = {finding.model for finding in findings}  # also what is the same, but damaged
    return Report(
        findings=tuple(sorted(found, key=lambda finding: finding.rank)),
        models=len(outcomes),
        changed=tuple(
            one.versions.name
            for one in outcomes
            if one.error or _changed(one) or one.versions.name in broken
        ),
        policy=rules.policy,
    )


def _diff(outcome: Outcome) -> Diff | None:
    return None if outcome.found is None else outcome.found.diff


def _changed(outcome: Outcome) -> bool:
    """Tell whether there is anything to judge: also what does not count as a difference."""
    diff = _diff(outcome)
    return diff is None or bool(diff.changes)


def _judged(
    policy: Policy,
    outcome: Outcome,
    sides: tuple[Model | None, Model | None],
    paths: Touched,
    custom_objects: Mapping[str, Any] | None = None,
) -> list[Finding]:
    """Judge one model; what cannot be read is a finding too."""
    name = outcome.versions.name
    if outcome.error:
        return [unjudged(policy, name, outcome.error)]
    if not _changed(outcome) and paths is not None and not paths:
        return []
    diff = _diff(outcome)
    reasons = diff.unread(DAMAGED) if diff else []
    found: list[Finding] = []
    try:
        with ExitStack() as stack:
            old, new = (
                None if side is None else stack.enter_context(described(side, custom_objects))
                for side in sides
            )
            reasons += [] if new is None else problems(new, paths)
            if _changed(outcome):
                found = judge(policy, _subject(policy, outcome, old, new))
    except KvcsError as error:
        reasons = [*reasons, str(error)]
    incomplete = [unjudged(policy, name, each) for each in dict.fromkeys(reasons)]
    return [*_untold(incomplete, found), *found]


def _untold(incomplete: Sequence[Finding], found: Sequence[Finding]) -> list[Finding]:
    """Return the damage of which no other finding tells as badly, and more."""
    return [
        one
        for one in incomplete
        if not any(
            one is not other and one.level == other.level and one.detail in other.detail
            for other in (*incomplete, *found)
        )
    ]


def _subject(policy: Policy, outcome: Outcome, old: Stored | None, new: Stored | None) -> Subject:
    models = [None if side is None else side.model() for side in (old, new)]
    subject = Subject(
        name=outcome.versions.name,
        old=models[0],
        new=models[1],
        diff=_diff(outcome),
        contents={} if new is None or models[1] is None else new.contents(models[1]),
        has_weights=all(side is None or side.has_weights for side in (old, new)),
        home=_home(outcome.versions),
    )
    if new is not None and subject.has_weights:
        rules = [rule for rule in policy.of(subject.name) if rule.name == "finite-weights"]
        fetch_some(new.files, {one.path for rule in rules for one in to_read(rule, subject)})
    return subject


def _home(versions: Versions) -> str | None:
    """Return the directory of the new version; None of one that stands in no repository."""
    if versions.new is None or versions.new == LIVE or what_stands_at(versions.new) == "file":
        return None
    return versions.name
