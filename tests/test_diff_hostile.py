"""Names that want to be something else: no output is broken or forged by one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import AWKWARD
from test_diff_markdown import HOSTILE, edited, structure

from kvcs.comparison import Diff, to_dict, weighed_diff
from kvcs.render import brief, words
from kvcs.render.diff import laid_out
from kvcs.render.layout import MORE, Look
from kvcs.render.markdown import markdown, of_one
from kvcs.render.marks import MARKS, in_ascii

FORGED = [
    "Diff: 0 added, 0 removed", "  +   dense_9  Dense 8 relu", "x  Dense 64   # same weights",
    "a → b    SAME: nothing differs", "      ┆ more", "[bold red]x[/]", ":warning:", "\x1b[2J",
    "\ud800", "\N{RIGHT-TO-LEFT OVERRIDE}", "漢字" * 60, "\N{COMBINING ACUTE ACCENT}" * 50,
]  # fmt: skip
NAMES = st.sampled_from([*HOSTILE, *FORGED]) | st.lists(
    st.characters() | st.sampled_from([*AWKWARD, "`", "|", "@", "#", "<", ">", "┆", "→"]),
    max_size=20,
).map("".join)
STARTS = [mark.symbol for mark in MARKS.values()]


def compared(name: str, value: str) -> Diff:
    old, new = edited(f"{name}!", value)
    for network in (old, new):
        for layer in network.layers.values():
            layer.config[f"{name}?"] = network is new
    new.training = {name: value}
    return weighed_diff(old.stored(), new.stored(), old.contents(), new.contents())


def texts(found: Diff, name: str, look: Look) -> list[list[str]]:
    """Return every layout of a diff as lines."""
    layouts = [
        laid_out(found, name, "new", look),
        brief.stat(found, name, look),
        brief.names(found, name, look),
        brief.one_sided(name, None, name, look),
        brief.summary(
            [brief.entry(name, name, name, found, ""), brief.entry(name, name, None, None, ""),
             brief.entry(name, name, name, None, f"{name} is damaged")], look,
        ),
    ]  # fmt: skip
    return [[line.plain for line in layout] for layout in layouts]


def check_attributable(lines: list[str], look: Look) -> None:
    """Check that each line begins as a line of its kind does, and the first and last are ours."""
    symbols = {in_ascii(mark.symbol) for mark in MARKS.values()}
    symbols |= {mark.ascii if look.ascii else mark.symbol for mark in MARKS.values()}
    more = in_ascii(MORE) if look.ascii else MORE
    head = next(index for index, line in enumerate(lines) if not line.startswith(more) and index)
    legend, *body = lines[head:]
    assert not legend.startswith(" ")
    ends = [index for index, line in enumerate(body) if line.startswith("Diff: ")]
    assert len(ends) == 1
    for line in body[: ends[0]]:
        if not line.startswith(more):
            assert line.startswith("  ")
            assert line[:6].strip() == "" or set(line[:6].split()[0]) <= set("".join(symbols))
    assert all(line.startswith(more) for line in body[ends[0] + 1 :])


@settings(max_examples=60)
@given(NAMES, NAMES, st.booleans(), st.sampled_from([None, 40, 100]), st.booleans())
def test_text(name: str, value: str, plainly: bool, width: int | None, everything: bool) -> None:
    look = Look(ascii=plainly, width=width, everything=everything)
    found = compared(name, value)
    layouts = texts(found, name, look)
    for lines in layouts:
        assert all(line.isprintable() for line in lines)
        assert not plainly or all(line.isascii() for line in lines)
    check_attributable(layouts[0], look)


@settings(max_examples=40)
@given(NAMES, NAMES)
def test_markdown(name: str, value: str) -> None:
    def text(name: str, value: str) -> str:
        found = compared(name, value)
        return markdown([of_one(name, f"v1:{name}", name, found)], ["kvcs", "diff", f"v1:{name}!"])

    found = text(name, value or "x")
    assert all(char == "\n" or char.isprintable() for char in found)
    assert structure(found) == structure(text("harmless", "tanh"))


@settings(max_examples=40)
@given(NAMES, NAMES)
def test_json(name: str, value: str) -> None:
    text = json.dumps(to_dict(compared(name, value)), indent=2, sort_keys=True)
    assert all(char == "\n" or char.isprintable() for char in text)
    assert text.isascii()


@pytest.mark.parametrize("name", FORGED)
def test_what_looks_like_a_part_of_a_line_is_quoted(name: str) -> None:
    shown = words.path(name)
    assert shown.startswith('"') == (not name.isprintable() or any(c in name for c in " ┆→"))


def test_a_name_that_is_cut_says_so() -> None:
    assert words.path("n" * 10_000) == f"{'n' * 240}… (10,000 characters)"
    assert words.name("n" * 10_000) == "n" * 10_000


def test_wide_characters_fit_the_width() -> None:
    from rich.cells import cell_len

    found = compared("漢字" * 60, "漢字")
    for lines in texts(found, "漢字" * 60, Look(width=60))[:2]:
        assert max(map(cell_len, lines)) <= 60
