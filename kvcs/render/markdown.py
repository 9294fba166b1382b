"""Diffs as Markdown for a comment on a pull request, never longer than such a comment may be."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from kvcs.comparison import LEVELS, Diff
from kvcs.render import words
from kvcs.render.flavour import LIMITS, Flavour, Limits, length
from kvcs.render.markdown_graph import Graph, graph_of
from kvcs.render.markdown_sections import Section, overview, sections
from kvcs.render.markdown_text import block, code
from kvcs.render.neighbourhood import Both
from kvcs.render.verdict import verdict

Part: TypeAlias = Section | Graph

# What is left out of a document that is too long, step by step until it fits: which sections of
# all models, and how many of their rows are kept. Then models, from the last one, keep their
# headline alone; then the list of headlines ends.
STEPS: tuple[tuple[str, int], ...] = (
    ("notes", 0), ("state", 0), ("graph", 12), ("weights", 50), ("architecture", 200),
    ("config", 50), ("weights", 0), ("training", 10), ("architecture", 50), ("config", 10),
    ("graph", 0), ("interface", 20), ("architecture", 0), ("config", 0), ("training", 0),
    ("interface", 0),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is said of one model.

    Attributes:
        headline: its name and the verdict.
        rank: how little important it is, among other models.
        overview: the two versions, side by side.
        graph: what can be drawn of them.
        sections: what changed, most important first.
    """

    headline: str
    rank: int
    overview: list[str] = field(default_factory=list)
    graph: Both | None = None
    sections: list[Part] = field(default_factory=list)


def of_one(
    name: str, old: str | None, new: str | None, diff: Diff | None, error: str = ""
) -> Model:
    """Lay out one model.

    Args:
        name: the model.
        old, new: its versions; None where it is not there.
        diff: the differences; None where they could not be found.
        error: why they could not.
    """
    title = f"### {code(words.path(name))}"
    if error:
        said = code(words.shortened(error, 1000))
        return Model(headline=f"{title}: ⚠️ could not be compared", rank=-1, overview=[said])
    if diff is None:
        only = "REMOVED" if new is None else "ADDED"
        side = code(words.operand(old or new or ""))
        return Model(headline=f"{title}: {only}, only in {side}", rank=_rank("architecture"))
    sides = words.operand(old or ""), words.operand(new or "")
    unread = [f"⚠️ {code(words.shortened(each, 1000))}" for each in diff.unread()]
    found = sections(diff)
    return Model(
        headline=f"{title}: {_emphasised(verdict(diff))}",
        rank=_rank(found[0].name if found else ""),
        overview=[*overview(diff, *sides), *(["", *unread] if unread else [])],
        graph=graph_of(diff),
        sections=[*found],
    )


def _rank(level: str) -> int:
    return [*LEVELS, ""].index(level)


def _emphasised(said: str) -> str:
    """Emphasise the first word of a verdict, which holds nothing but words and numbers."""
    first, mark, rest = said.partition(":")
    return f"**{first}**{mark}{rest}"


def markdown(
    models: Sequence[Model],
    command: Sequence[str] = (),
    *,
    unchanged: int = 0,
    flavour: Flavour = "github",
    limit: int | None = None,
) -> str:
    """Return models as one document, most important first.

    Args:
        models: laid out by `of_one`.
        command: what prints the same again, as words of a shell.
        unchanged: number of models that are not among `models`, for nothing in them changed.
        flavour: the forge that is to show it.
        limit: length of the document, in UTF-16 units, of which each is three bytes at most; None
            for that of a comment. What is left out, it says at its end.
    """
    limits = LIMITS[flavour]
    limit = limits.document if limit is None else limit
    models = list(_with_graphs(sorted(models, key=lambda model: model.rank), limits))
    end = [*_unchanged(models, unchanged), *_reproduction(command)]
    found = _document(models, end, {}, len(models), len(models))
    keep: dict[str, int] = {}
    for step in STEPS:
        if length(found) <= limit:
            return found
        keep = {**keep, step[0]: step[1]}
        found = _document(models, end, keep, len(models), len(models))
    for whole in _halving(len(models)):
        if length(found) <= limit:
            return found
        found = _document(models, end, keep, whole, len(models))
    for listed in _halving(len(models)):
        if length(found) <= limit:
            return found
        found = _document(models, end, keep, 0, listed)
    return found


def _with_graphs(models: Sequence[Model], limits: Limits) -> Iterator[Model]:
    """Yield models with their graphs among the sections, before those of layers."""
    left = limits.at_once
    for model in models:
        if model.graph is None:
            yield model
            continue
        graph = Graph(model.graph, limits, room=left)
        left -= graph.length if graph.open else 0
        first = sum(section.name == "interface" for section in model.sections)
        yield replace(model, sections=[*model.sections[:first], graph, *model.sections[first:]])


def _unchanged(models: Sequence[Model], unchanged: int) -> list[str]:
    if not models:
        return ["No model changed.", ""]
    return [f"Nothing changed in {words.count(unchanged, 'other model')}.", ""] if unchanged else []


def _halving(many: int) -> list[int]:
    """Return smaller and smaller numbers, down to zero."""
    found = []
    while many:
        many //= 2
        found.append(many)
    return found


def _document(
    models: Sequence[Model], end: Sequence[str], keep: dict[str, int], whole: int, listed: int
) -> str:
    lines: list[str] = []
    for index, model in enumerate(models[:listed]):
        lines += [model.headline, ""]
        if index < whole:
            lines += [*model.overview, ""] if model.overview else []
            for section in model.sections:
                shown = section.lines(keep.get(section.name))
                lines += [*shown, ""] if shown else []
    lines += [*_left_out(models, keep, whole, listed), *end]
    return "\n".join(lines).rstrip("\n") + "\n"


def _left_out(models: Sequence[Model], keep: dict[str, int], whole: int, listed: int) -> list[str]:
    """Say what is left out for the length of the document."""
    told = []
    for name, most in keep.items():
        rows = sum(
            max(0, len(section.rows) - most)
            for model in models[:whole]
            for section in model.sections
            if section.name == name
        )
        if rows:
            told.append(f"{words.count(rows, 'layer' if name == 'graph' else 'line')} of {name}")
    if whole < listed:
        told.append(f"all but the headline of {words.count(listed - whole, 'model')}")
    if listed < len(models):
        told.append(words.count(len(models) - listed, "model"))
    return (
        [f"**Left out**, for this text would be too long: {', '.join(told)}.", ""] if told else []
    )


def _reproduction(command: Sequence[str]) -> list[str]:
    if not command:
        return []
    return block([words.shortened(shlex.join(command), 2000)], "sh")
