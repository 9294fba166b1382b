"""Rules and what they found, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias, get_args

from kvcs.comparison import Change

# As SARIF and most linters name them; GitHub calls a note a notice.
Level: TypeAlias = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = get_args(Level)  # worst first

Status: TypeAlias = Literal["blocked", "review", "clear"]

# What is found by no rule of a file.
INCOMPLETE = "incomplete"
RULES_CHANGED = "rules-changed"
REMOVED = "removed-model"
UNMATCHED = "unmatched-layers"
UNMATCHED_MODELS = "unmatched-models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a `.kvcs.toml`.

    Attributes:
        name: which rule, a key of `kvcs.rules.catalogue.KINDS`.
        level: how bad it is when it is broken.
        models: patterns of the directories of models that it is for.
        layers: patterns of the paths of layers that it is for; none for all.
        options: what else it was told, by the names in the catalogue.
    """

    name: str
    level: Level = "error"
    models: tuple[str, ...] = ("*",)
    layers: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def is_for_model(self, directory: str) -> bool:
        """Tell whether the rule is for a model; `*` stands for slashes too."""
        return any(fnmatchcase(directory, glob) for glob in self.models)

    def is_for_layer(self, *paths: str | None) -> bool:
        """Tell whether the rule is for a layer that has one of some paths."""
        return not self.layers or any(
            fnmatchcase(path, glob) for path in paths if path for glob in self.layers
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All rules of a `.kvcs.toml`.

    Attributes:
        rules: in the order of the file.
        source: where the file is, as git names it (`main:.kvcs.toml`); empty where there is none.
    """

    rules: tuple[Rule, ...] = ()
    source: str = ""

    def of(self, model: str) -> list[Rule]:
        """Return the rules that are for a model."""
        return [rule for rule in self.rules if rule.is_for_model(model)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a reviewer should know.

    Attributes:
        rule: the rule that is broken, or one of the constants of this module.
        level: how bad that is.
        model: directory of the model; empty for what is about none.
        text: what is wrong, in words of kvcs alone: no name of anybody else's stands in it.
        layer: path of the layer; empty for the model as a whole.
        at: which weight or part of it.
        detail: more of it, in which names of others can stand.
        change: what changed, where the rule is about a change.
        file: the file it is about, from the root of the repository; empty where there is none.
    """

    rule: str
    level: Level
    model: str
    text: str
    layer: str = ""
    at: str = ""
    detail: str = ""
    change: Change | None = None
    file: str = ""

    @property
    def rank(self) -> tuple[Any, ...]:
        """What findings are sorted by: the worst first, then by model, rule and place."""
        change = "" if self.change is None else self.change.id
        return LEVELS.index(self.level), self.model, self.rule, self.layer, self.at, change


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `kvcs.check` found; true when a reviewer need not look.

    Attributes:
        findings: the worst first.
        models: number of models that were compared.
        changed: names of those that differ, or could not be compared.
        policy: the rules that were applied.
    """

    findings: tuple[Finding, ...]
    models: int
    changed: tuple[str, ...]
    policy: Policy

    def __bool__(self) -> bool:
        return self.status == "clear"

    @property
    def status(self) -> Status:
        """The review status: blocked by an error, for review by a warning, or clear."""
        if any(self.of("error")):
            return "blocked"
        return "review" if any(self.of("warning")) else "clear"

    def of(self, level: Level) -> list[Finding]:
        """Return the findings of one level."""
        return [finding for finding in self.findings if finding.level == level]

    @property
    def summary(self) -> dict[Level, int]:
        """How many findings of each level there are."""
        return {level: len(self.of(level)) for level in LEVELS}

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON, in the form of `kvcs/rules/schema.json`."""
        from kvcs.rules.document import to_dict

        return to_dict(self)


def worst(levels: Iterable[Level]) -> Level:
    """Return the worst of some levels; a note where there is none."""
    return min(levels, key=LEVELS.index, default="note")
