"""A diff for a terminal: verdict, legend, one line for each layer, totals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from kvcs.comparison import Change, Diff
from kvcs.comparison.values import NEWER_KERAS, NO_WEIGHTS, RUN, Kind
from kvcs.render import words
from kvcs.render.verdict import totals, verdict

LISTED = 3  # layers; where a setting changed alike in more, one line says so for all of them


@dataclass(frozen=True, slots=True)
class Mark:
    """How a kind of change is marked: never by colour alone.

    Attributes:
        symbol: at the beginning of a line.
        ascii: the same where only ASCII can be printed.
        word: for the legend.
        style: of the line, as rich names it.
    """

    symbol: str
    ascii: str
    word: str
    style: str


MARKS: dict[Kind, Mark] = {
    "added": Mark("+", "+", "added", "green"),
    "removed": Mark("-", "-", "removed", "red"),
    "replaced": Mark("≠", "!", "replaced", "magenta"),
    "moved": Mark("↕", "^", "moved", "magenta"),
    "rescoped": Mark("⇥", ">", "in another model", "magenta"),
    "renamed": Mark("✎", "@", "renamed", "cyan"),
    "inputs_reordered": Mark("⤮", "x", "inputs reordered", "magenta"),
    "config": Mark("~", "~", "setting", "yellow"),
    "shape": Mark("▭", "s", "shape", "yellow"),
    "trainable": Mark("❄", "f", "trainable", "cyan"),
    "weights": Mark("*", "*", "weights", "blue"),
    "container_added": Mark("⊞", "[", "model inside added", "green"),
    "container_removed": Mark("⊟", "]", "model inside removed", "red"),
    "connection_added": Mark("→", ">+", "connection added", "green"),
    "connection_removed": Mark("↛", ">-", "connection removed", "red"),
    "training": Mark("τ", "t", "training", "yellow"),
    "interface": Mark("!", "!!", "interface", "bold red"),
    "state": Mark("∙", ".", "noted", "dim"),
    "note": Mark("∙", ".", "noted", "dim"),
}
OF_LAYERS: tuple[Kind, ...] = (
    "added", "removed", "container_added", "container_removed", "replaced", "moved", "rescoped",
    "renamed", "inputs_reordered", "config", "shape", "trainable", "weights",
)  # fmt: skip
# Where these are, it matters between which layers.
OF_PLACES: tuple[Kind, ...] = ("added", "removed", "replaced", "moved", "connection_added",
                               "connection_removed")  # fmt: skip
_ASCII = {"±": "+-", "→": "->", "…": "...", "∙": "."}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: symbols of some kinds, whose layer, what about it, and why."""

    kinds: tuple[Kind, ...]
    path: str
    what: str
    reason: str = ""


def lines(diff: Diff, old_name: str, new_name: str, *, ascii: bool = False) -> list[Text]:  # noqa: A002
    """Lay out a diff, line by line."""
    body = list(_body(diff)) if diff.related else list(_summaries(diff))
    width = max((len(line.path) for line in body if len(line.path) <= 40), default=0)
    found = [Text(f"{words.path(old_name)} → {words.path(new_name)}    {verdict(diff)}", "bold")]
    legend = _legend(body, ascii)
    found += [Text(legend, "dim")] if legend else []
    found += [_laid_out(line, width, ascii) for line in body]
    found.append(Text(totals(diff)))
    return [_in_ascii(text) for text in found] if ascii else found


def text(diff: Diff, old_name: str, new_name: str, *, ascii: bool = False) -> str:  # noqa: A002
    """Return the same as plain text."""
    return "".join(f"{line.plain}\n" for line in lines(diff, old_name, new_name, ascii=ascii))


def _in_ascii(text: Text) -> Text:
    plain = text.plain
    for symbol, other in _ASCII.items():
        plain = plain.replace(symbol, other)
    return Text(plain.encode("ascii", "backslashreplace").decode(), text.style)


def _symbols(kinds: tuple[Kind, ...], ascii: bool) -> str:  # noqa: A002
    marks = dict.fromkeys(MARKS[kind].ascii if ascii else MARKS[kind].symbol for kind in kinds)
    return "".join(marks)


def _legend(body: list[Line], ascii: bool) -> str:  # noqa: A002
    used = {kind for line in body for kind in line.kinds}
    shown = {_symbols((kind,), ascii): mark.word for kind, mark in MARKS.items() if kind in used}
    return "  ".join(f"{symbol} {word}" for symbol, word in shown.items())


def _laid_out(line: Line, width: int, ascii: bool) -> Text:  # noqa: A002
    start = f"  {_symbols(line.kinds, ascii):<3} {line.path:<{width}}  {line.what}".rstrip()
    reason = f"   # {line.reason}" if line.reason else ""
    style = MARKS[line.kinds[0]].style if line.kinds else "dim"
    return Text(f"{start}{reason}", style)


def _summaries(diff: Diff) -> Iterator[Line]:
    for side, model in (("old", diff.old), ("new", diff.new)):
        layers = words.count(len(model.layers), "layer")
        what = f"{words.cut(model.cls)}, {layers}, {model.parameters:,} params"
        yield Line((), f"{side}: {words.path(model.name)}", what)


def _body(diff: Diff) -> Iterator[Line]:
    yield from _groups(diff)
    yield from _layers(diff)
    for change in diff.of("connection_added", "connection_removed"):
        yield _connection(change)
    for change in diff.of("training", "interface", "state"):
        yield _of_model(change)
    yield from _notes(diff)


def _groups(diff: Diff) -> Iterator[Line]:
    for changes in diff.groups.values():
        first = changes[0]
        if len(changes) >= LISTED and first.kind in ("config", "trainable"):
            layers = words.count(len(changes), "layer")
            names = f"{words.path(changes[0].path)} to {words.path(changes[-1].path)}"
            yield Line((first.kind,), f"{layers}", _what(first), names)


def _layers(diff: Diff) -> Iterator[Line]:
    by_path: dict[tuple[str, bool], list[Change]] = {}
    told = {
        change.id
        for changes in diff.groups.values()
        if len(changes) >= LISTED
        for change in changes
    }
    for change in diff.of(*OF_LAYERS):
        if change.id not in told:
            by_path.setdefault((change.path, change.new_path is None), []).append(change)
    in_place = any(True for _ in diff.of(*OF_PLACES))
    folded = 0
    for key in _order(diff, list(by_path)):
        if key not in by_path:
            folded += 1
            continue
        if folded and in_place:
            yield _folded(folded)
            folded = 0
        yield _layer(diff, by_path[key])
    if folded and by_path:
        yield _folded(folded)


def _folded(many: int) -> Line:
    return Line((), "", f"({words.count(many, 'layer')} with nothing else to say)")


def _order(diff: Diff, changed: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
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


def _layer(diff: Diff, changes: list[Change]) -> Line:
    kinds = tuple(dict.fromkeys(change.kind for change in changes))
    what = "; ".join(dict.fromkeys(_what(change) for change in changes))
    reasons = dict.fromkeys(_why(diff, change) for change in changes)
    return Line(kinds, words.path(changes[0].path), what, "; ".join(filter(None, reasons)))


def _what(change: Change) -> str:
    kind = change.kind
    if kind in ("added", "container_added"):
        return f"{words.layer(change.new)}{_size(change, '+')}"
    if kind in ("removed", "container_removed"):
        return f"{words.layer(change.old)}{_size(change, '-')}"
    if kind == "replaced":
        return f"{words.layer(change.old)} → {words.layer(change.new)}"
    if kind == "rescoped":
        return f"{words.path(change.old)} → {words.path(change.new)}"
    if kind == "renamed":
        return f"was {words.path(change.old)}"
    if kind == "shape":
        return f"{words.shapes(change.old)} → {words.shapes(change.new)}{_labels(change)}"
    if kind == "weights":
        return _weights(change)
    if kind == "trainable":
        return _trainable(change)
    if kind == "config":
        at = words.setting(change.at)
        return f"{at}: {words.value(change.old)} → {words.value(change.new)}"
    return MARKS[kind].word


def _size(change: Change, sign: str) -> str:
    if not isinstance(change.details, dict) or not change.details["parameters"]:
        return ""
    return f"   {sign}{change.details['parameters']:,} params"


def _trainable(change: Change) -> str:
    if change.new is False:
        return "frozen"
    if change.new is True:
        return "unfrozen"
    return f"trainable: {words.value(change.old)} → {words.value(change.new)}"


def _weights(change: Change) -> str:
    if not isinstance(change.details, dict) or not change.details["tensors"]:
        return "weights"
    found = []
    for name, numbers in change.details["tensors"].items():
        relative, cosine = words.number(numbers["relative"]), words.number(numbers["cosine"])
        share = f", {numbers['share']:.0%} of values" if numbers["share"] < 1 else ""
        found.append(f"{words.path(name)} ±{relative} cos {cosine}{share}")
    return "; ".join(found) + _labels(change)


def _labels(change: Change) -> str:
    if not isinstance(change.details, dict) or not change.details["labels"]:
        return ""
    return f" [{', '.join(words.cut(label) for label in change.details['labels'])}]"


def _why(diff: Diff, change: Change) -> str:
    if change.reason == RUN:
        return "one of a run of equal layers; which one cannot be told"
    if change.consequence_of:
        kind, _, rest = change.consequence_of.partition(" ")
        return f"follows from {kind} {words.path(rest)}"
    if change.kind in ("moved", "weights", "config") and change.old_path != change.new_path:
        return f"was {words.path(change.old_path or '')}"
    return {NEWER_KERAS: NEWER_KERAS, NO_WEIGHTS: NO_WEIGHTS}.get(change.reason, "")


def _connection(change: Change) -> Line:
    consumer = words.path(change.path) if change.path else "(output)"
    through = change.details["through"] if isinstance(change.details, dict) else []
    reason = f"through {', '.join(map(words.path, through))}" if through else ""
    return Line((change.kind,), words.path(change.at), f"→ {consumer}", reason)


def _of_model(change: Change) -> Line:
    name = words.setting(change.at) or {"training": "compile"}.get(change.kind, change.kind)
    if change.kind == "state":
        where = "" if change.at.startswith(":") else f" of {words.path(change.path)}"
        many = len(set(change.old) | set(change.new))
        return Line(("state",), f"{name}{where}", words.count(many, "value"), "moved by training")
    what = f"{words.value(change.old)} → {words.value(change.new)}"
    return Line((change.kind,), name, what)


def _notes(diff: Diff) -> Iterator[Line]:
    renumbered = sum(1 for _ in diff.of("renumbered"))
    if renumbered:
        layers = words.count(renumbered, "layer")
        yield Line((), "", f"∙ {layers} renumbered (automatic names, no other change)")
    spelled = [change for change in diff.of("note") if change.reason == NEWER_KERAS]
    if spelled:
        layers = words.count(len({change.path for change in spelled}), "layer")
        yield Line(("note",), layers, words.count(len(spelled), "setting"), NEWER_KERAS)
    seen: set[tuple[str, str]] = {(change.at, change.reason) for change in spelled}
    for change in diff.of("note"):
        key = (change.at, change.reason)
        if key in seen:
            continue
        seen.add(key)
        many = sum(1 for other in diff.of("note") if (other.at, other.reason) == key)
        where = words.count(many, "layer") if change.reason else ""
        what = f"{words.setting(change.at)}: {words.value(change.old)} → {words.value(change.new)}"
        yield Line(("note",), where, what, change.reason)


def one_sided(name: str, old: str | None, new: str | None, *, ascii: bool = False) -> Text:  # noqa: A002
    """Lay out that a model is there on one side only."""
    mark = MARKS["removed"] if new is None else MARKS["added"]
    only = f"{mark.word.upper()}: only in {words.path(old or new or '')}"
    line = f"{mark.symbol} {words.path(name)}    {only}"
    return _in_ascii(Text(line, mark.style)) if ascii else Text(line, mark.style)


def names(diff: Diff, old_name: str, new_name: str, *, ascii: bool = False) -> list[Text]:  # noqa: A002
    """Lay out the paths of the layers that differ, each once."""
    paths = dict.fromkeys(words.path(change.path) for change in diff.of(*OF_LAYERS))
    found = [Text(path) for path in sorted(paths)]
    return [_in_ascii(text) for text in found] if ascii else found


def stat(diff: Diff, old_name: str, new_name: str, *, ascii: bool = False) -> list[Text]:  # noqa: A002
    """Lay out the kinds of changes of each layer, and totals."""
    by_path: dict[str, list[Kind]] = {}
    for change in diff.of(*OF_LAYERS):
        by_path.setdefault(words.path(change.path), []).append(change.kind)
    width = max(map(len, by_path), default=0)
    found = [
        Text(f" {path:<{width}} | {_symbols(tuple(kinds), ascii)}", MARKS[kinds[0]].style)
        for path, kinds in sorted(by_path.items())
    ]
    found.append(Text(totals(diff)))
    return [_in_ascii(text) for text in found] if ascii else found
