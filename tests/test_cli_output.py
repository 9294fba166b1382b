"""What is printed into the log of a pipeline, where a runner of GitHub obeys what it finds.

It takes a line for a command that begins with `::`, or that holds `##[` anywhere.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli import kvcs, small, store
from gitrepo import commit_all, git

OLD = "##[add-mask]model"
NEW = "::stop-commands::x ##[error]y"
COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of which two layers are called like commands; the tests run beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    git(tmp_path, "init", "--quiet")
    store(Path("net"), small(name=OLD))
    commit_all(tmp_path)
    store(Path("net"), small(name=NEW), bias=1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("diff",), ("diff", "--name-only"), ("diff", "--stat"), ("diff", "--width", "40"),
        ("diff", "--format", "json"), ("diff", "--format", "html"),
        ("diff", "--format", "markdown"),
        ("check",), ("check", "--format", "json"), ("check", "--format", "sarif"),
        ("show", "net"), ("show", "net", "--json"), ("log", "net"), ("blame", "net"),
        ("verify", NEW), ("diff", f"HEAD:{OLD}"), ("check", "--rules", NEW),
    ],
)  # fmt: skip
def test_names_are_no_commands(arguments: tuple[str, ...]) -> None:
    done = kvcs(*arguments)
    assert "Traceback" not in done.err
    assert done.out or done.err
    assert not COMMAND.search(done.out)
    assert not COMMAND.search(done.err)


def test_json_says_the_same() -> None:
    found = json.loads(kvcs("diff", "--format", "json").out)
    assert OLD in json.dumps(found)
    assert NEW in json.dumps(found)


def test_annotations_are_commands() -> None:
    Path("rules.toml").write_text('[[rules]]\nrule = "same-weights"\n')
    lines = kvcs("check", "--rules", "rules.toml", "--format", "github").out.splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["::error"]


def test_elsewhere_names_are_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS")
    assert OLD in kvcs("diff").out
