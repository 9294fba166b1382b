from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from directories import NEW, OLD, beside, content, one_buffer_each, put, run
from gitrepo import git

from kvcs.errors import OperandError
from kvcs.workdir import Buffer, Directory, replace, staging


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "models/m", OLD)
    return tmp_path / "models/m"


# Forks one child after the other. Each dies one step later than the one before, a step being a
# call to the operating system, in whatever thread, that can have changed something. Steps of two
# threads come in any order, but as many come before the exchange in every child.
KILLED = """
    import os, signal, sys, threading
    from pathlib import Path
    from kvcs.workdir import replace, replacing

    top, old, new, exchange = Path(sys.argv[1]), *map(eval, sys.argv[2:])
    if not exchange:
        replacing.exchange = lambda one, other: False
    put = lambda root, files: replace(root, [(p, [d]) for p, d in files.items()])
    harmless = {"fspath", "stat", "lstat", "fstat", "scandir", "lseek", "read", "isatty"}
    counting, steps = threading.Lock(), []

    def die_at(last):
        def step(frame, event, arg):
            if event == "c_return":
                owner = getattr(arg, "__module__", None) or type(arg.__self__).__module__
                if owner not in ("posix", "fcntl", "_io") or arg.__name__ in harmless:
                    return
                name = arg.__name__
            elif event == "return" and frame.f_code is replacing.exchange.__code__:
                name = "exchange"  # its call goes through ctypes, which shows no events
            else:
                return
            with counting:
                steps.append((name, threading.get_ident() == threading.main_thread().ident))
                if len(steps) == last:
                    os.kill(os.getpid(), signal.SIGKILL)
        threading.setprofile(step)
        sys.setprofile(step)

    last, killed = 0, True
    while killed:
        last += 1
        root = top / f"{last:03}" / "m"
        root.parent.mkdir()
        child = os.fork()
        if not child:
            if old:
                put(root, old)
            die_at(last)
            put(root, new)
            sys.setprofile(None)
            print(steps.count(("fsync", False)), flush=True)
            os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
"""


def staged_by_git_add(directory: Path) -> set[str]:
    git(directory, "add", ".")
    return set(git(directory, "ls-files", "-z").split("\0")) - {""}


@pytest.mark.parametrize(
    ("start", "exchange"),
    [(OLD, True), (OLD, False), ({}, True)],
    ids=["exchange", "two renames", "new place"],
)
def test_a_kill_at_any_point_leaves_the_old_or_the_new(
    tmp_path: Path, start: dict[str, bytes], exchange: bool
) -> None:
    done = run(KILLED, tmp_path, start, NEW, exchange)
    assert (done.returncode, done.stderr) == (0, "")
    written = [path for path, data in NEW.items() if start.get(path) != data]
    assert done.stdout == f"{len(written)}\n"  # so many steps were an fsync beside the main thread
    places = [place / "m" for place in sorted(tmp_path.iterdir())]
    seen = [content(place) for place in places]
    first_new = seen.index(NEW)
    assert first_new > 20
    assert seen[first_new:] == [NEW] * len(seen[first_new:])
    between = [files for files in seen[:first_new] if files != start]
    assert between == ([] if exchange else [{}])  # the moment between two renames
    check_that_git_adds_only_models(tmp_path)

    for place in places:
        if place.exists() or start:
            assert Directory(place) in (start, NEW)
        put(place, {"model.json": b"next"})
        assert content(place) == {"model.json": b"next"}
        assert beside(place) == []


def check_that_git_adds_only_models(top: Path) -> None:
    assert any(beside(place) for place in top.glob("*/m"))
    git(top, "init", "--quiet")
    strange = [top / path for path in staged_by_git_add(top) if "/m/" not in path]
    # Just after it was made, the wrapper's .gitignore is still empty.
    assert {path.name for path in strange} <= {".gitignore"}
    assert {path.read_bytes() for path in strange} <= {b""}


def test_git_add_sees_nothing_of_a_save_under_way(root: Path) -> None:
    git(root.parent, "init", "--quiet")

    def files() -> Iterator[tuple[str, Sequence[Buffer]]]:
        yield from one_buffer_each(NEW)
        assert any(name.startswith(".kvcs-") for name in beside(root))
        assert staged_by_git_add(root.parent) == {"m/" + path for path in OLD}

    replace(root, files())
    assert staged_by_git_add(root.parent) == {"m/" + path for path in NEW}


# Several at once


def test_a_save_under_way_is_not_swept_by_another(root: Path) -> None:
    other = root.with_name("other")

    def files() -> Iterator[tuple[str, Sequence[Buffer]]]:
        yield "model.json", [b"changed"]
        put(other, OLD)
        yield "a.npy", [b""]

    replace(root, files())
    assert content(root) == {"model.json": b"changed", "a.npy": b""}
    assert content(other) == OLD
    assert beside(root) == ["other"]


def test_only_what_kvcs_left_is_swept(root: Path) -> None:
    dead, of_somebody, empty = (root.with_name(f".kvcs-{name * 8}") for name in "abc")
    for wrapper, ignored in ((dead, staging.IGNORE_ALL), (of_somebody, b"*.log\n")):
        (wrapper / "new").mkdir(parents=True)
        (wrapper / ".gitignore").write_bytes(ignored)
        (wrapper / "new/model.json").write_bytes(b"half")
    empty.mkdir()
    put(root, NEW)
    assert beside(root) == [of_somebody.name]
    assert content(of_somebody) == {".gitignore": b"*.log\n", "new/model.json": b"half"}


def stranded(root: Path) -> Path:
    """Make what a writer leaves that dies between two renames."""
    wrapper = root.with_name(".kvcs-aaaaaaaa")
    (wrapper / "new").mkdir(parents=True)
    (wrapper / "old").mkdir()
    (wrapper / ".gitignore").write_bytes(staging.IGNORE_ALL)
    root.rename(wrapper / "old" / root.name)
    return wrapper


def test_a_reader_puts_a_stranded_directory_back(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    stranded(root)
    assert Directory(tmp_path / "link") == OLD
    assert beside(root) == []


def test_a_save_elsewhere_puts_a_stranded_directory_back(root: Path) -> None:
    stranded(root)
    put(root.with_name("other"), NEW)
    assert content(root) == OLD
    assert beside(root) == ["other"]


def test_a_stranded_directory_gives_way_to_a_newer_one(root: Path) -> None:
    wrapper = stranded(root)
    shutil.copytree(wrapper / "old/m", root)
    (root / "training.json").write_bytes(b"newer")
    put(root.with_name("other"), NEW)
    assert content(root) == {**OLD, "training.json": b"newer"}
    assert beside(root) == ["other"]


def test_a_directory_removed_on_purpose_does_not_come_back(root: Path) -> None:
    wrapper = stranded(root)
    (wrapper / "new").rmdir()  # both renames were done
    with pytest.raises(OperandError, match="no such directory"):
        list(Directory(root))


WRITER = """
    import sys
    from pathlib import Path
    from kvcs.workdir import replace, replacing

    root, name, exchange = Path(sys.argv[1]), sys.argv[2].encode(), eval(sys.argv[3])
    if not exchange:
        replacing.exchange = lambda one, other: False
    for turn in range(12):
        data = name + b"%d" % turn
        files = {"model.json": data, "a.npy": b"same", "b.npy": data, f"{turn}.npy": data}
        replace(root, [(path, [data]) for path, data in sorted(files.items())])
"""


def is_whole(files: Mapping[str, bytes]) -> bool:
    data = files["model.json"]
    turn = data.lstrip(b"abc").decode()
    return files == {"model.json": data, "a.npy": b"same", "b.npy": data, f"{turn}.npy": data}


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
def test_several_writers_and_a_reader(tmp_path: Path, exchange: bool) -> None:
    root = tmp_path / "models/m"
    script = textwrap.dedent(WRITER)
    writers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, str(root), name, str(exchange)],
            stderr=subprocess.PIPE,
        )
        for name in "abc"
    ]
    while any(writer.poll() is None for writer in writers):
        with contextlib.suppress(OperandError):  # replaced while it was read, or not there yet
            assert is_whole(dict(Directory(root)))
    assert [writer.communicate()[1] for writer in writers] == [b"", b"", b""]
    assert is_whole(content(root))
    assert beside(root) == []


def test_a_save_that_changes_nothing_sweeps_too(root: Path) -> None:
    """As after a kill behind the exchange: the old model is in the wrapper, and nobody needs it."""
    wrapper = root.with_name(".kvcs-aaaaaaaa")
    shutil.copytree(root, wrapper / "new")
    (wrapper / ".gitignore").write_bytes(staging.IGNORE_ALL)
    put(root, OLD)
    assert beside(root) == []
