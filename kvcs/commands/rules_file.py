"""Which `.kvcs.toml` holds for a comparison, and whether the comparison changes it.

A change must not relax the rules that judge it: they are those of the old side. Of `A...B` that is
`A` and not the merge base, or an old branch would bring old rules along.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from kvcs.commands.operand import what_stands_at
from kvcs.commands.versions import WORK_TREE, is_model, revisions
from kvcs.errors import KvcsError, PolicyError, RepositoryError
from kvcs.rules import FILE, Finding, Policy, read
from kvcs.rules.reading import LONGEST
from kvcs.rules.values import RULES_CHANGED, Level
from kvcs.workdir import open_file

if TYPE_CHECKING:
    from kvcs.repo import Repository

# The revision whose rules hold, and the two between which they may change.
Sides: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesFile:
    """The rules of a comparison.

    Attributes:
        policy: those of the old side.
        findings: that the new side has others.
    """

    policy: Policy
    findings: tuple[Finding, ...] = ()


def rules_for(
    operands: Sequence[str],
    directories: Sequence[str] | None = None,
    given: str | os.PathLike[str] | None = None,
) -> RulesFile:
    """Find the rules by which a comparison is judged.

    Args:
        operands, directories: as for `kvcs.commands.versions.versions`.
        given: a file that is to be used instead.

    Raises:
        PolicyError: the rules cannot be read.
        RepositoryError: there is no such revision.
    """
    return _found(given, lambda repository: _sides(repository, operands, directories))


def rules_of_models(old: str, new: str, given: str | os.PathLike[str] | None = None) -> RulesFile:
    """Find the rules by which the new of two MODELs is judged.

    Raises:
        PolicyError: the rules cannot be read.
    """
    return _found(given, lambda repository: _of_two(repository, old, new))


def _found(given: str | os.PathLike[str] | None, sides: Callable[[Repository], Sides]) -> RulesFile:
    if given is not None:
        return RulesFile(policy=read(_file(Path(given)), os.fspath(given)))
    from kvcs.repo import Repository

    try:
        repository = Repository.discover()
    except RepositoryError:
        return RulesFile(policy=Policy())
    with repository:
        first, old, new = sides(repository)
        content = _content(repository, first)
        policy = Policy() if content is None else read(content, _named(first))
        return RulesFile(policy=policy, findings=_changed(repository, old, new))


def _sides(
    repository: Repository, operands: Sequence[str], directories: Sequence[str] | None
) -> Sides:
    """Return the revision whose rules hold, and the two between which they may change."""
    models = [directories is None and is_model(operand) for operand in operands]
    if not any(models):
        return revisions(repository, operands)
    if len(operands) == 1 and what_stands_at(operands[0]) != "nothing":
        return "HEAD", "HEAD", WORK_TREE
    if len(operands) == 2:
        return _of_two(repository, *operands)
    revision = _of(repository, operands[0])
    return revision, revision, WORK_TREE


def _of_two(repository: Repository, old: str, new: str) -> Sides:
    revision = _of(repository, old)
    return revision, revision, _of(repository, new)


def _of(repository: Repository, operand: str) -> str:
    """Return the revision that a MODEL stands in; `:` is the index."""
    if ":" not in operand or what_stands_at(operand) != "nothing":
        return WORK_TREE
    return repository.spec(operand)[0] or ":"


def _content(repository: Repository, revision: str) -> bytes | None:
    if revision == WORK_TREE:
        path = Path(repository.top or ".", FILE)
        return _file(path) if os.path.lexists(path) else None
    return repository.content("" if revision == ":" else revision, FILE)


def _file(path: Path) -> bytes:
    try:
        with open_file(path) as file:
            return file.read(LONGEST + 1)
    except OSError as error:
        raise PolicyError(f"the rules in {path} cannot be read: {error.strerror}") from None


def _named(revision: str) -> str:
    return FILE if revision in (WORK_TREE, ":") else f"{revision}:{FILE}"


def _changed(repository: Repository, old: str, new: str) -> tuple[Finding, ...]:
    """Return what to say of a change of the rules: at least that there is one."""
    before, after = _content(repository, old), _content(repository, new)
    if before == after:
        return ()
    if after is None:
        return (_finding("warning", "the rules are removed", ""),)
    text = "the rules are new" if before is None else "the rules are changed"
    try:
        read(after, FILE)
    except KvcsError as error:
        return (_finding("error", f"{text}, and cannot be read", str(error)),)
    return (_finding("warning", f"{text}; here, the old ones hold", ""),)


def _finding(level: Level, text: str, detail: str) -> Finding:
    return Finding(rule=RULES_CHANGED, level=level, model="", text=text, detail=detail, file=FILE)
