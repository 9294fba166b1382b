"""A diff for a terminal: verdict, legend, one line for each layer, totals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from kvcs.comparison import Change, Diff, Pair
from kvcs.comparison.values import Kind
from kvcs.render import changes as said
from kvcs.render import words
from kvcs.render.layout import Look, padded
from kvcs.render.marks import MARKS, OF_LAYERS, OF_PLACES, legend, symbols
from kvcs.render.verdict import totals, verdict

Key = tuple[str, bool]  # a layer by path, and whether it is no more


@dataclass(frozen=True, slots=True)
class Line:
    """One line: symbols of some kinds, whose layer, what about it, and why."""

    kinds: tuple[Kind, ...]
    path: str
    what: str
    reason: str = ""


def lines(
    diff: Diff,
    old_name: str,
    new_name: str,
    *,
    ascii: bool = False,  # noqa: A002  (as the option)
    width: int | None = None,
    everything: bool = False,
) -> list[Text]:
    """Lay out a diff, line by line.

    Args:
        diff: what to show.
        old_name, new_name: the two models.
        ascii: nothing but ASCII.
        width: columns; what is longer goes on in the next line. None breaks no line.
        everything: also layers in which nothing changed, and each member of a group.
    """
    look = Look(ascii=ascii, width=width, everything=everything)
    return laid_out(diff, old_name, new_name, look)


def laid_out(diff: Diff, old_name: str, new_name: str, look: Look) -> list[Text]:
    """Do the same, for a look."""
    return headed(diff, f"{words.operand(old_name)} → {words.operand(new_name)}", look)


def headed(diff: Diff, heading: str, look: Look) -> list[Text]:
    """Do the same, with a heading that names both models in some other way."""
    body = list(_body(diff, look)) if diff.related else list(_summaries(diff))
    column = max((cell_len(line.path) for line in body if cell_len(line.path) <= 40), default=0)
    found = [Text(f"{heading}    {verdict(diff)}", "bold")]
    explained = legend((kind for line in body for kind in line.kinds), look.ascii)
    found += [Text(explained, "dim")] if explained else []
    found += [_laid_out(line, column, look.ascii) for line in body]
    found.append(Text(totals(diff)))
    return [part for line in found for part in look.fitted(line)]


def text(
    diff: Diff,
    old_name: str,
    new_name: str,
    *,
    ascii: bool = False,  # noqa: A002  (as the option)
    width: int | None = None,
    everything: bool = False,
) -> str:
    """Return the same as plain text."""
    found = lines(diff, old_name, new_name, ascii=ascii, width=width, everything=everything)
    return "".join(f"{line.plain}\n" for line in found)


def _laid_out(line: Line, column: int, ascii: bool) -> Text:  # noqa: A002
    path = padded(line.path, column)
    start = f"  {symbols(line.kinds, ascii):<3} {path}  {line.what}".rstrip()
    reason = f"   # {line.reason}" if line.reason else ""
    return Text(f"{start}{reason}", MARKS[line.kinds[0]].style if line.kinds else "dim")


def _summaries(diff: Diff) -> Iterator[Line]:
    yield from map(_of_model, diff.of("interface"))
    for side, model in (("old", diff.old), ("new", diff.new)):
        layers = words.count(len(model.layers), "layer")
        what = f"{words.cut(model.cls)}, {layers}"
        what += "" if model.parameters is None else f", {model.parameters:,} params"
        yield Line((), f"{side}: {words.path(model.name)}", what)


def _body(diff: Diff, look: Look) -> Iterator[Line]:
    yield from map(_of_model, diff.of("interface"))
    if not look.everything:
        yield from _groups(diff)
    yield from _layers(diff, look)
    yield from map(_connection, diff.of("connection_added", "connection_removed"))
    yield from map(_of_model, diff.of("training"))
    if look.everything:
        yield from map(_moved, diff.of("state"))
    else:
        for at, many in said.states(diff).items():
            yield Line(("state",), at, many, "moved by training")
    if look.everything:
        yield from _all_notes(diff)
    else:
        if renumbered := said.renumbered(diff):
            yield Line((), "", f"∙ {renumbered}")
        for where, what, reason in said.notes(diff):
            yield Line(("note",), where, what, reason)


def _groups(diff: Diff) -> Iterator[Line]:
    for changes in said.in_groups(diff):
        first, last = changes[0], changes[-1]
        names = f"{words.path(first.path)} to {words.path(last.path)}"
        yield Line((first.kind,), words.count(len(changes), "layer"), said.what(first), names)


def _layers(diff: Diff, look: Look) -> Iterator[Line]:
    by_path = _by_path(diff, look)
    there = {pair.new: pair for pair in diff.pairs}
    folded, near = 0, False
    others = 0
    for key in order(diff, list(by_path)):
        if key in by_path:
            here = any(change.kind in OF_PLACES for change in by_path[key])
            if folded and (here or near):  # where it matters between which layers something is
                yield _folded(diff, folded)
            else:
                others += folded
            folded, near = 0, here
            yield _layer(by_path[key])
        elif look.everything and key[0] in there:
            yield _unchanged(there[key[0]])
        else:
            folded += 1
    if near and folded:
        yield _folded(diff, folded)
        folded = 0
    if others + folded and by_path:
        yield _folded(diff, others + folded, " elsewhere" if others and near else "")


def _unchanged(pair: Pair) -> Line:
    was = "" if pair.old == pair.new else f"was {words.path(pair.old)}; "
    how = f"the same layer by {words.cut(pair.strategy)}, {words.number(pair.score)}"
    return Line((), words.path(pair.new), "", f"{was}{how}")


def _by_path(diff: Diff, look: Look) -> dict[Key, list[Change]]:
    """Return the changes of each layer that has a line of its own."""
    groups = [] if look.everything else said.in_groups(diff)
    told = {change.id for changes in groups for change in changes}
    found: dict[Key, list[Change]] = {}
    for change in diff.of(*OF_LAYERS):
        if change.id not in told:
            found.setdefault((change.path, change.new_path is None), []).append(change)
    return found


def _folded(diff: Diff, many: int, where: str = "") -> Line:
    why = "not shown" if diff.left_out else "with nothing else to say"
    return Line((), "", f"({words.count(many, 'layer')}{where} {why})")


def order(diff: Diff, changed: list[Key]) -> list[Key]:
    """Return all layers in the order of the new model, those of the old one where they stood."""
    there = {pair.old: pair.new for pair in diff.pairs}
    after: dict[str, list[str]] = {}
    last = ""
    for path in diff.old.layers:
        if path in there:
            last = there[path]
        else:
            after.setdefault(last, []).append(path)
    found = [(path, True) for path in after.get("", [])]
    for path in diff.new.layers:
        found.append((path, False))
        found += [(gone, True) for gone in after.get(path, [])]
    known = set(found)
    return [*(key for key in changed if key not in known), *found]


def _layer(changes: list[Change]) -> Line:
    kinds = tuple(dict.fromkeys(change.kind for change in changes))
    what = "; ".join(dict.fromkeys(said.what(change) for change in changes))
    reasons = dict.fromkeys(said.why(change) for change in changes)
    return Line(kinds, words.path(changes[0].path), what, "; ".join(filter(None, reasons)))


def _connection(change: Change) -> Line:
    consumer = words.path(change.path) if change.path else "(output)"
    through = change.details["through"] if isinstance(change.details, dict) else []
    reason = f"through {', '.join(map(words.path, through))}" if through else ""
    return Line((change.kind,), words.path(change.at), f"→ {consumer}", reason)


def _of_model(change: Change) -> Line:
    name = words.setting(change.at) or {"training": "compile"}.get(change.kind, change.kind)
    if change.kind == "interface":
        return Line((change.kind,), name, said.what(change), said.why(change))
    what = f"{words.value(change.old)} → {words.value(change.new)}"
    return Line((change.kind,), name, what)


def _moved(change: Change) -> Line:
    where = f" of {words.path(change.path)}" if change.path else ""
    many = words.count(len(set(change.old) | set(change.new)), "value")
    return Line(("state",), f"{words.setting(change.at)}{where}", many, "moved by training")


def _all_notes(diff: Diff) -> Iterator[Line]:
    for change in diff.of("renumbered"):
        yield Line(("renumbered",), words.path(change.path), said.what(change))
    for change in diff.of("note"):
        yield Line(("note",), words.path(change.path), said.setting(change), change.reason)
