"""README and tutorial do what they say: every command and every block of Python is run.

A reader follows a document from top to bottom, with one shell and one Python session, both in
the same directory. Its blocks are

- ```console: lines with `$ ` are commands, the lines below them what they print;
- ```mermaid: a picture, of which the last command printed the text;
- ```python: run in order in one namespace. With `>>>` it shows results, which must be right; with
  a file's name as a comment in its first line it is that file, and so is each ```toml.

`…` (or `...`) in an output stands for anything in that line, in a line of its own for any lines.
Hashes are different on every machine: any one stands for all of the same length.
"""

from __future__ import annotations

import doctest
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cli import kvcs as kvcs_here

import kvcs
from kvcs.cli import group as cli

ROOT = Path(__file__).parent.parent
DOCUMENTS = (
    "README.md",
    "docs/tutorial.md",
    "docs/diff.md",
    "docs/report.md",
    "docs/rules.md",
    "docs/history.md",
    "docs/git.md",
    "docs/lfs.md",
)

# What a user types to set kvcs up. `.ci/run` runs the second, and tests/test_demo.py the demo.
INSTALL_AND_DEMO = (
    "python3 -m venv .venv && .venv/bin/pip install '.[tensorflow]' && .venv/bin/kvcs demo"
)
INSTALL_AND_TEST = (
    "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest"
)
INSTALL = "python3 -m venv .venv && .venv/bin/pip install '.[tensorflow]'"
ACTIVATE = ". .venv/bin/activate"
SET_UP = (INSTALL_AND_DEMO, INSTALL_AND_TEST, INSTALL, ACTIVATE)


@dataclass(frozen=True)
class Block:
    """One fenced block of a document.

    Attributes:
        kind: what stands behind the fence.
        text: what stands between the fences.
        place: file and line, for whoever has to mend it.
        line: the line of the fence.
    """

    kind: str
    text: str
    place: str
    line: int


def blocks(name: str) -> Iterator[Block]:
    text = (ROOT / name).read_text(encoding="utf-8")
    for found in re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(found[1], found[2], f"{name}:{line}", line)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Split what a terminal shows into commands and their outputs."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, output = re.split(r"(?<!\\)\n", part, maxsplit=1)
        yield command, output


def fits(expected: str, found: str) -> bool:
    """Tell whether a program printed what a document shows."""
    pattern = ""
    for line in plain(expected).splitlines():
        if line in ("…", "..."):
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(map(re.escape, re.split(r"…|\.\.\.", line))) + r"\n"
    return re.fullmatch(pattern, plain(found)) is not None


def plain(output: str) -> str:
    """Leave out of an output what differs between machines, and what nobody sees."""
    lines = [line.rstrip() for line in output.splitlines()]
    text = "".join(f"{line}\n" for line in lines)
    return re.sub(r"\b(?=[a-f]*[0-9])[0-9a-f]{7,64}\b", lambda found: "#" * len(found[0]), text)


class Checker(doctest.OutputChecker):
    """Compares results of Python as the outputs of commands are compared."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return fits(want, got)


@dataclass
class Reader:
    """Somebody who does everything that a document says, and believes nothing."""

    namespace: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    seen: str = ""  # what the last command printed

    def follow(self, block: Block) -> None:
        if block.kind == "console":
            self.in_shell(block)
        elif block.kind == "mermaid":
            assert block.text in self.seen, f"{block.place}\n{self.seen}"
        elif found := re.match(r"# ([\w/]+\.py|\.kvcs\.toml)\n", block.text):
            Path(found[1]).write_text(block.text, encoding="utf-8")
        elif ">>> " in block.text:
            self.in_python(block)
        else:
            # So that a traceback shows the line of the document.
            source = "\n" * block.line + block.text
            exec(compile(source, ROOT / block.place.partition(":")[0], "exec"), self.namespace)

    def in_shell(self, block: Block) -> None:
        for command, expected in commands(block.text):
            if ".venv" in command:
                assert command in SET_UP, f"{block.place}: $ {command}"
                continue
            if command.startswith("cd "):
                os.chdir(shlex.split(command)[1])
                continue
            found = self.seen = printed(command)
            assert fits(expected, found), (
                f"{block.place}: $ {command}\n--- as documented\n{expected}--- in truth\n{found}"
            )

    def in_python(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(
            block.text, self.namespace, block.place, block.place, block.line
        )
        report: list[str] = []
        runner = doctest.DocTestRunner(Checker(), verbose=False)
        runner.run(test, out=report.append, clear_globs=False)
        self.namespace |= test.globs
        assert not report, f"{block.place}\n{''.join(report)}"


# What needs no process of its own: these start no Keras, which would know what Python has done.
HERE = {"blame", "commit", "diff", "digest", "doctor", "find", "init", "log", "show", "verify"}


def printed(command: str) -> str:
    """Return what the terminal shows when a command is typed."""
    words = shlex.split(command)
    if words[0] == "kvcs" and words[1] in HERE and not set(command) & set("|&;<>$`*?\\"):
        done = kvcs_here(*words[1:])
        return done.err + done.out
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode()


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    import keras

    keras.utils.clear_session()  # Keras goes on counting layers where other tests left off
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.syspath_prepend("")  # the current directory, as in a Python session
    known = set(sys.modules)
    yield Reader()
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_everything_in_it_is_true(name: str, reader: Reader) -> None:
    for block in blocks(name):
        reader.follow(block)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_block_is_one_that_can_be_run(name: str) -> None:
    kinds = [block.kind for block in blocks(name)]
    assert kinds
    assert set(kinds) <= {"console", "mermaid", "python", "toml"}
    assert (ROOT / name).read_text(encoding="utf-8").count("```") == 2 * len(kinds)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    document = ROOT / name
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (document.parent / link).exists()] == []


class TestReadme:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    def test_the_two_commands_that_set_all_up(self) -> None:
        typed = [command for block in blocks("README.md") for command, _ in commands(block.text)]
        assert [line for line in typed if line in SET_UP] == [INSTALL_AND_DEMO, INSTALL_AND_TEST]
        assert f"\n{INSTALL_AND_TEST}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    def test_every_command_is_in_the_table(self) -> None:
        listed = re.findall(r"^\| `kvcs ([a-z]+)(.*?)` \|", self.text, re.MULTILINE)
        shown = [name for name, command in cli.main.commands.items() if not command.hidden]
        assert sorted(name for name, _ in listed) == sorted(shown)

    def test_every_option_in_the_table_exists(self) -> None:
        for name, usage in re.findall(r"^\| `kvcs ([a-z]+)(.*?)` \|", self.text, re.MULTILINE):
            known = {option for each in cli.main.commands[name].params for option in each.opts}
            assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", usage)) <= known

    def test_every_function_is_in_the_table_with_its_signature(self) -> None:
        functions = [name for name in kvcs.__all__ if inspect.isfunction(getattr(kvcs, name))]
        listed = re.findall(r"^\| `kvcs\.(\w+)(\(.*?\))` \|", self.text, re.MULTILINE)
        assert dict(listed) == {name: signature(name) for name in functions}


def signature(name: str) -> str:
    """Return the parameters of a public function, without their types."""
    found = inspect.signature(getattr(kvcs, name))
    empty = inspect.Parameter.empty
    bare = [each.replace(annotation=empty) for each in found.parameters.values()]
    return str(found.replace(parameters=bare, return_annotation=empty)).replace("'", '"')


class TestFits:
    @pytest.mark.parametrize(
        ("expected", "found"),
        [
            ("", ""),
            ("one\n", "one  \n"),
            ("committed 1234567\n", "committed abcdef0\n"),
            ("took … s\n", "took 1.5 s\n"),
            ("one\n…\nfour\n", "one\ntwo\nthree\nfour\n"),
            ("one\n...\nfour\n", "one\nfour\n"),
        ],
    )
    def test_yes(self, expected: str, found: str) -> None:
        assert fits(expected, found)

    @pytest.mark.parametrize(
        ("expected", "found"),
        [
            ("", "one\n"),
            ("one\n", ""),
            ("one\n", "one\ntwo\n"),
            ("committed 1234567\n", "committed 12345678\n"),
            ("took … s\n", "took 1.5 s\nand more\n"),
            ("a.c\n", "abc\n"),
        ],
    )
    def test_no(self, expected: str, found: str) -> None:
        assert not fits(expected, found)
