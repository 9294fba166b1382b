"""What stands in the output of `git diff` beside the diff of a model: headers, notes, colours."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.text import Text

from kvcs.comparison import Diff
from kvcs.render import diff as render
from kvcs.render import words
from kvcs.render.text import plain
from kvcs.spec import StoredModel, walk


def compared(
    diff: Diff,
    old: tuple[str, str],
    new: tuple[str, str],
    reason: str,
    *,
    colour: bool,
    ascii: bool,  # noqa: A002  (as the option)
) -> str:
    """Return a diff below a header, as git has one for each file.

    Args:
        diff: the diff.
        old, new: the directory of the model, and what to call its version.
        reason: why weights were not compared; empty where they were.
        colour: whether to colour it.
        ascii: whether to print nothing but ASCII.
    """
    new_name = new[1] if new[0] == old[0] else " ".join(new)
    lines = render.lines(diff, " ".join(old), new_name, ascii=ascii)
    return _printed([_header(old[0], new[0]), *lines, *map(_note, filter(None, [reason]))], colour)


def one_sided(
    model: str,
    label: str,
    stored: StoredModel,
    *,
    added: bool,
    colour: bool,
    ascii: bool,  # noqa: A002
) -> str:
    """Return that a model came, or went."""
    parts = [part for _, part in walk(stored.model)]
    layers = words.count(len(parts) - 1, "layer")
    parameters = sum(part.parameters for part in parts)
    what = f"{plain(stored.model.cls.name)}, {layers}, {parameters:,} params"
    sign, word, style = ("+", "ADDED", "green") if added else ("-", "REMOVED", "red")
    line = f"{sign} {words.path(model)} {label}    {word}: {what}"
    line = line.encode("ascii", "backslashreplace").decode() if ascii else line
    return _printed([_header(model, model), Text(line, style)], colour)


def inside(model: str, around: str, *, colour: bool) -> str:
    """Return that a model inside another one is shown with that."""
    line = f"model {words.path(model)}: part of the diff of {words.path(around)}"
    return _printed([Text(line, "dim")], colour)


def comment(sentence: str, *, colour: bool) -> str:
    """Return why there is no more than a text diff."""
    return _printed([_note(sentence)], colour)


def _note(sentence: str) -> Text:
    return Text(f"# kvcs: {plain(' '.join(sentence.split()))}", "dim")


def _header(old: str, new: str) -> Text:
    return Text(f"diff --kvcs a/{words.path(old)} b/{words.path(new)}", "bold")


def _printed(lines: Sequence[Text], colour: bool) -> str:
    out = StringIO()
    console = Console(
        file=out,
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=False,  # the caller knows, and has asked git
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    return out.getvalue()
