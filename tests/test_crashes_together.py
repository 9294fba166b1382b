"""Several processes at once on one directory and one repository: never half of two models."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from cli import small, store
from gitrepo import commit_all, git

import kvcs
from kvcs.commands import commit
from kvcs.errors import RepositoryError

START = """
    import json, sys
    from pathlib import Path
    import kvcs
    from cli import small, store
    from kvcs.commands.commit import commit_directories
    from kvcs.errors import KvcsError

    model, number, turns = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    said, done = [], 0
"""
# Bias and kernel say the same number, so that half of one model and half of another would show.
WRITE = """
    for turn in range(turns):
        try:
            store(model, small(), bias=number * 1000 + turn)
            if sys.argv[4] == "commit":
                done += commit_directories([model], f"{number}: {turn}", {}) is not None
            else:
                done += 1
        except KvcsError as error:
            said.append(str(error))
    print(json.dumps([done, said]))
"""
READ = """
    while done < turns:
        for operand in (str(model), f"HEAD:{model.as_posix()}"):
            try:
                report = kvcs.verify(operand)
                assert report, report.problems
                kvcs.digest(operand)
                done += 1
            except KvcsError as error:
                said.append(str(error))
    print(json.dumps([done, said]))
"""
AGAIN = (
    "was replaced while it was read; try again",  # of a reader, or of who was about to commit
    "A model was replaced while it was committed; commit again when that is done.",
    "another git is at work in this repository",
    "was changed by another program while it was committed",
    "cannot lock ref",
)


def started(script: str, *arguments: object) -> subprocess.Popen[str]:
    text = textwrap.dedent(START) + textwrap.dedent(script)
    command = [sys.executable, "-W", "error", "-c", text, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def results(processes: list[subprocess.Popen[str]]) -> list[tuple[int, list[str]]]:
    """Wait for all; return how often each did its work, and what it said otherwise."""
    found = []
    for process in processes:
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        found.append(tuple(json.loads(out)))
    return found


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "--quiet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    for name in "abcd":
        store(Path("models", name), small())
    commit_all(tmp_path)
    return tmp_path


def check_whole(top: Path) -> None:
    """Every version in the history is one that somebody wrote, and nothing is left behind."""
    assert git(top, "fsck", "--full", "--no-dangling") == ""
    for version in git(top, "rev-list", "HEAD").split():
        names = git(top, "ls-tree", "--name-only", f"{version}:models").split()
        assert all(kvcs.verify(f"{version}:models/{name}") for name in names)
    assert sorted(path.name for path in Path("models").iterdir()) == list("abcd")
    assert [path.name for path in Path(".git").glob("*index*")] == ["index"]
    assert list(Path(".git").rglob("*.lock")) == []


@pytest.mark.parametrize("writers", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_saves_and_readers(top: Path, writers: int) -> None:
    started_all = [started(WRITE, "models/a", number, 8, "save") for number in range(writers)]
    started_all += [started(READ, "models/a", 0, 8) for _ in range(2)]
    found = results(started_all)
    assert found[:writers] == [(8, [])] * writers  # they wait for each other
    assert all(line.endswith(AGAIN[0]) for _, said in found[writers:] for line in said)
    assert kvcs.verify("models/a")


@pytest.mark.parametrize("writers", [2, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("same", [True, False], ids=["one model", "a model each"])
def test_commits_and_readers(top: Path, writers: int, same: bool) -> None:
    names = ["a" if same else "abcd"[number % 4] for number in range(writers)]
    started_all = [
        started(WRITE, f"models/{name}", number, 4, "commit") for number, name in enumerate(names)
    ]
    started_all += [started(READ, "models/a", 0, 4) for _ in range(2)]
    found = results(started_all)
    for _, said in found:
        assert all(any(known in line for known in AGAIN) for line in said), said
    check_whole(top)
    commits = int(git(top, "rev-list", "--count", "HEAD")) - 1
    assert commits == sum(done for done, _ in found[:writers])
    assert 0 < commits <= 4 * writers
    names = [Path("models", name) for name in "abcd"]
    for name in names:
        store(name, small(), bias=-1.0)
    assert commit.commit_directories(names, "Last", {})  # who comes last has no trouble
    assert git(top, "status", "--porcelain") == ""


def test_a_save_in_the_middle_of_a_commit(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checksums are of one model, and the files of another: which is whole, and not damaged."""
    store(Path("models/a"), small(), bias=1.0)
    recorded = commit._recorded

    def then_replaced(directory: Path) -> object:
        found = recorded(directory)
        store(Path("models/a"), small(), bias=2.0)
        return found

    monkeypatch.setattr(commit, "_recorded", then_replaced)
    with pytest.raises(RepositoryError, match="was replaced while it was committed; commit again"):
        commit.commit_directories([Path("models/a")], "Second", {})
    assert git(top, "rev-list", "--count", "HEAD") == "1"
