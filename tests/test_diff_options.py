"""What `kvcs diff` looks at and how it prints: levels, layers, directories, width, colours."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
from dataclasses import replace
from pathlib import Path

import pytest
from cli import KVCS, kvcs, nested, refused, small, store, without
from gitrepo import commit_all, git

from kvcs.commands.diff import compared
from kvcs.render.progress import LEAST, weights_progress


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three models, of which two changed; the tests run inside of it."""
    root = tmp_path / "project"
    store(root / "models/a")
    store(root / "models/deep/b", nested())
    store(root / "other/c")
    git(root, "init", "--quiet")
    commit_all(root, "First")
    trained = replace(small(), training={"loss": "mae", "optimizer": "sgd"})
    store(root / "models/a", trained, bias=1.0)
    store(root / "models/deep/b", nested(), bias=1.0)
    monkeypatch.chdir(root)
    return root


def in_terminal(columns: int, *arguments: str, **variables: str) -> str:
    """Run a command in a terminal of its own, and return what it shows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = without("COLUMNS", "NO_COLOR", TERM="xterm-256color", **variables)
    done = subprocess.Popen([*KVCS, *arguments], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    found = b""
    while part := _read(ours):
        found += part
    done.wait()
    os.close(ours)
    return found.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so that the other end is closed
        return b""


class TestLevels:
    def test_one(self) -> None:
        done = kvcs("diff", "models/a", "--only", "training")
        assert done.lines[0] == (
            "HEAD:models/a → models/a    SELECTED: 1 training setting changed; 1 other change "
            "left out"
        )
        assert done.lines[-1].endswith("0 weights, 1 training, 1 left out. params 15")

    def test_the_exit_code(self) -> None:
        assert kvcs("diff", "models/a", "--only", "training", "--exit-code").code == 1
        assert kvcs("diff", "models/a", "--only", "architecture,config", "--exit-code").code == 0

    def test_as_json(self) -> None:
        done = kvcs(
            "diff", "HEAD:models/a", "models/a", "--only", "weights", "--format", "json"
        )  # fmt: skip
        found = json.loads(done.out)
        assert [change["kind"] for change in found["changes"]] == ["weights"]
        assert found["left_out"] == 1

    def test_as_markdown(self) -> None:
        out = kvcs("diff", "--only", "training", "--format", "markdown").out
        assert "<summary>Training (1)</summary>" in out
        assert "<summary>Weights" not in out
        assert out.endswith("```sh\nkvcs diff --only training\n```\n")

    def test_no_weight_is_read_that_is_not_shown(self) -> None:
        Path("models/a/layers/dense/bias.npy").unlink()
        assert kvcs("diff", "models/a", "--only", "training").err == ""

    @pytest.mark.parametrize("given", ["weight", "", "weights,"])
    def test_none_of_them(self, given: str) -> None:
        assert refused("diff", "--only", given).startswith("--only wants some of interface, ")


class TestLayers:
    def test_some(self) -> None:
        done = kvcs("diff", "--layers", "encoder/*", "--name-only")
        assert done.lines == ["models/deep/b  encoder/dense"]

    @pytest.mark.parametrize("glob", ["encodr/*", ""])
    def test_none(self, glob: str) -> None:
        message = f"--layers {glob!r} matches no layer on either side"
        assert refused("diff", "--layers", glob) == message


class TestDirectories:
    @pytest.mark.parametrize(
        ("arguments", "models"),
        [
            (["--", "models"], ["models/a", "models/deep/b"]),
            (["HEAD", "--", "models/deep"], ["models/deep/b"]),
            (["--", "models/a", "models/deep/b"], ["models/a", "models/deep/b"]),
            (["--"], ["models/a", "models/deep/b"]),
            (["--", "."], ["models/a", "models/deep/b"]),
            (["--", "other"], []),
        ],
    )
    def test_limit_the_models(self, arguments: list[str], models: list[str]) -> None:
        done = kvcs("diff", "--summary", "--width", "200", *arguments)
        assert [line.split()[1] for line in done.lines[:-1]] == models

    def test_are_those_of_the_current_directory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir("models")
        assert kvcs("diff", "--summary", "--", "deep").lines[0].startswith("~ models/deep/b ")

    def test_that_hold_no_model(self) -> None:
        message = "models/z holds no model on either side"
        assert refused("diff", "HEAD", "--", "models", "models/z") == message

    def test_with_a_model(self) -> None:
        assert refused("diff", "HEAD:models/a", "--", "models").startswith(
            "HEAD:models/a is a MODEL: what stands before -- is a revision"
        )

    def test_a_revision_that_is_called_as_a_directory(self, repository: Path) -> None:
        git(repository, "branch", "models")
        assert (
            kvcs("diff", "models", "--summary", "--", "models/a").lines[0].startswith("~ models/a ")
        )

    def test_what_stands_beside_models_is_nothing_to_them(self) -> None:
        Path("link").symlink_to("models")
        Path(os.fsdecode(b"no-utf-8-\xff")).write_bytes(b"")
        commit_all(Path(), "A link, and a name that is not UTF-8")
        assert kvcs("diff", "HEAD~1..HEAD", "--summary").code == 0

    def test_too_many_revisions(self) -> None:
        assert refused("diff", "a", "b", "c", "--", "d").startswith("expected at most two ")


class TestLayouts:
    def test_a_summary(self) -> None:
        done = kvcs("diff", "--summary", "--width", "84")
        assert done.lines == [
            "~ models/a         FINE-TUNE: architecture identical; 1 training setting changed,",
            "      ┆ weights of 1 layer. params 15",
            "~ models/deep/b    FINE-TUNE: architecture identical; weights of 1 layer. params 21",
            "Models: 2 changed, 0 added, 0 removed, 1 unchanged, 0 not compared",
        ]  # fmt: skip

    def test_a_summary_of_all(self) -> None:
        assert "= other/c" in kvcs("diff", "--summary", "--all").out

    @pytest.mark.parametrize(("operands", "code"), [(["models/a"], 1), (["other/c"], 0)])
    def test_quietly(self, operands: list[str], code: int) -> None:
        assert kvcs("diff", "--quiet", *operands) == (code, "", "")

    def test_quietly_in_any_format(self) -> None:
        assert kvcs("diff", "--quiet", "--format", "json") == (1, "", "")

    def test_everything(self) -> None:
        lines = kvcs("diff", "models/a", "--all").lines
        assert "      image   # the same layer by name, 0.95" in lines

    def test_models_are_parted(self) -> None:
        lines = kvcs("diff").lines
        assert lines.count("") == 1
        assert lines[lines.index("") + 1].startswith("HEAD:models/deep/b → ")

    def test_stat_names_the_models(self) -> None:
        assert kvcs("diff", "--stat").lines[:2] == ["models/a", " dense | *   weights"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--stat", "--quiet"], "--stat and --quiet cannot be printed at once: give one of"),
            (["--stat", "--format", "json"], "--stat is printed as text: leave out --format json"),
        ],
    )
    def test_not_two(self, options: list[str], message: str) -> None:
        assert refused("diff", *options).startswith(message)


class TestWidth:
    def test_given(self) -> None:
        lines = kvcs("diff", "--width", "40").lines
        assert max(map(len, lines)) <= 40
        assert "      ┆ " in "\n".join(lines)

    def test_of_no_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("COLUMNS")
        long = " # ".join(["x" * 30] * 9)
        store(Path("models/a"), small(name=long))
        assert 80 < max(map(len, kvcs("diff", "models/a").lines)) <= 100

    def test_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "50")
        assert max(map(len, kvcs("diff").lines)) <= 50

    def test_too_narrow(self) -> None:
        assert "39 is not in the range x>=40" in refused("diff", "--width", "39")

    @pytest.mark.parametrize("columns", [44, 80])
    def test_of_a_terminal(self, columns: int) -> None:
        lines = in_terminal(columns, "diff", "--color", "never").splitlines()
        assert max(map(len, lines)) <= columns
        assert "".join(lines).count("models/deep/b") == 2

    def test_nothing_is_lost_where_lines_are_broken(self) -> None:
        whole = kvcs("diff", "--width", "10000").out.split()
        broken = kvcs("diff", "--width", "40").out.replace("┆", "").split()
        assert "".join(broken) == "".join(whole)


class TestColours:
    def test_on_a_terminal(self) -> None:
        assert "\x1b[34m" in in_terminal(100, "diff")  # blue, of weights

    def test_not_where_no_color_is_set(self) -> None:
        assert "\x1b[34m" not in in_terminal(100, "diff", NO_COLOR="1")

    def test_not_without_a_terminal(self) -> None:
        assert "\x1b" not in kvcs("diff").out

    def test_always(self) -> None:
        assert "\x1b[34m" in kvcs("diff", "--color", "always").out

    def test_never(self) -> None:
        assert "\x1b" not in in_terminal(100, "diff", "--color", "never")

    def test_the_words_are_the_same(self) -> None:
        coloured = kvcs("diff", "--color", "always").out
        for code in ("\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[0m"):
            coloured = coloured.replace(code, "")
        assert coloured == kvcs("diff").out


class TestProgress:
    def test_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ours, theirs = pty.openpty()
        with os.fdopen(theirs, "w") as terminal:
            monkeypatch.setattr("sys.stderr", terminal)
            with weights_progress() as report:
                report(LEAST // 2, LEAST)
        assert b"comparing weights" in _read(ours)
        os.close(ours)

    def test_not_of_a_few_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ours, theirs = pty.openpty()
        with os.fdopen(theirs, "w") as terminal:
            monkeypatch.setattr("sys.stderr", terminal)
            with weights_progress() as report:
                report(1, LEAST - 1)
        assert _read(ours) == b""
        os.close(ours)

    def test_nowhere_else(self, capsys: pytest.CaptureFixture[str]) -> None:
        with weights_progress() as report:
            report(LEAST // 2, LEAST)
        assert capsys.readouterr() == ("", "")

    def test_what_is_reported(self) -> None:
        told: list[tuple[int, int]] = []
        compared("HEAD:models/a", "models/a", report=lambda *step: told.append(step))
        assert told == [(24, 24)]  # three floats of either side
