"""A bar for downloads: on a terminal, and only once there is something to say."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

import pytest

from kvcs.render.fetching import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*news: tuple[int, int]) -> str:
    with redirect_stderr(Terminal()) as terminal, Bar("Fetching") as bar:
        for done, total in news:
            bar(done, total)
    return terminal.getvalue()


def test_a_terminal_shows_what_is_fetched_and_is_cleared_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    found = shown((0, 2_000_000), (2_000_000, 2_000_000))
    assert "Fetching" in found
    assert "2.0/2.0 MB" in found
    assert found.endswith("\x1b[2K")


def test_without_a_size_there_is_a_bar_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert "Fetching" in shown((0, 0))


def test_without_news_nothing_is_shown() -> None:
    assert shown() == ""


def test_what_is_no_terminal_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("Fetching") as bar:
        bar(1, 2)
    assert capsys.readouterr() == ("", "")
