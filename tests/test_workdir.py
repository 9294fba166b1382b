from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvcs import workdir
from kvcs.errors import DamageError, OperandError, SaveError
from kvcs.workdir import Buffer, Directory, Replaced, owns, replace, replace_file

OLD = {
    "model.json": b"{}\n",
    "training.json": b"[]\n",
    "layers/dense/layer.json": b"{}",
    "layers/dense/kernel.npy": bytes(range(9)) * 9,
    "layers/text/assets/words/vocabulary.txt": b"a\nb\n",
}
NEW = {
    **{path: data for path, data in OLD.items() if path != "training.json"},
    "model.json": b'{"new": 1}\n',
    "layers/head/bias.npy": b"",
}

stored_paths = st.builds(
    lambda above, name: "/".join([*above, name]),
    st.lists(st.sampled_from(["layers", "a", "é", "optimizer", "assets"]), max_size=3),
    st.sampled_from(["layer.json", "state.json", "kernel.npy", "a-b.npy", "é.npy"]),
)
stored_models = st.dictionaries(stored_paths, st.binary(max_size=4), max_size=6).map(
    lambda files: {"model.json": b"{}", **files}
)


def one_buffer_each(files: Mapping[str, bytes]) -> Iterator[tuple[str, Sequence[Buffer]]]:
    for path, data in files.items():
        yield path, [data]


def put(root: Path, files: Mapping[str, bytes]) -> Replaced:
    return replace(root, one_buffer_each(files))


def content(root: Path) -> dict[str, bytes]:
    """Read a directory without kvcs, as any other program would."""
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def status(top: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in (top, *top.rglob("*")):
        at = path.lstat()
        found[str(path)] = at.st_ino, at.st_mtime_ns, at.st_ctime_ns
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "models/m", OLD)
    return tmp_path / "models/m"


def beside(root: Path) -> list[str]:
    return sorted(path.name for path in root.parent.iterdir() if path != root)


# Reading


@given(stored_models)
@settings(max_examples=30, deadline=None)
def test_a_directory_is_the_mapping_that_was_put_there(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as parent:
        put(Path(parent, "m"), files)
        directory = Directory(Path(parent, "m"))
        assert directory == files
        assert list(directory) == sorted(files)
        assert len(directory) == len(files)
        assert {path: directory.size(path) for path in directory} == {
            path: len(data) for path, data in files.items()
        }


@pytest.mark.parametrize(
    "path", ["", ".", "layers", "layers/dense", "layers//dense/layer.json", "../m/model.json", 7]
)
def test_what_is_not_listed_is_not_there(root: Path, path: str) -> None:
    directory = Directory(root)
    assert path not in directory
    assert str(root / "model.json") not in directory
    assert directory.get(path) is None
    with pytest.raises(KeyError):
        directory[str(root / "model.json")]
    with pytest.raises(KeyError):
        directory.size(path)


def test_a_file_is_read_when_it_is_asked_for(root: Path) -> None:
    directory = Directory(root)
    assert "layers/dense/layer.json" in directory
    (root / "layers/dense/layer.json").write_bytes(b"later")
    (root / "layers/dense/bias.npy").write_bytes(b"not listed")
    assert directory["layers/dense/layer.json"] == b"later"
    assert "layers/dense/bias.npy" not in directory


def test_nothing_happens_before_the_first_use(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "m")
    put(tmp_path / "m", OLD)
    assert directory == OLD


def test_no_reader_mixes_two_models(root: Path) -> None:
    directory = Directory(root)
    assert directory["model.json"] == OLD["model.json"]
    put(root, NEW)
    for path in ("model.json", "training.json"):  # changed and removed
        with pytest.raises(OperandError, match=r"m was replaced while it was read; try again$"):
            directory[path]


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(OperandError, match=r"nowhere/m: no such directory$"):
        len(Directory(tmp_path / "nowhere/m"))
    (tmp_path / "file").touch()
    with pytest.raises(OperandError, match=r"file is a file, not the directory of a model$"):
        list(Directory(tmp_path / "file"))


def test_a_link_to_a_directory_is_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert Directory(tmp_path / "link") == OLD


@pytest.mark.parametrize("kind", ["link", "broken link", "link to a directory", "fifo", "socket"])
def test_what_is_no_file_is_damage(root: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    strange = root / "layers/strange.npy"
    if kind == "fifo":
        os.mkfifo(strange)
    elif kind == "socket":
        monkeypatch.chdir(strange.parent)  # the address of a socket must be short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(strange.name)
    else:
        targets = {"link": "dense/kernel.npy", "broken link": "x", "link to a directory": "dense"}
        strange.symlink_to(targets[kind])
    with pytest.raises(DamageError, match=r"m/layers/strange\.npy is neither .*; remove it$"):
        list(Directory(root))
    with pytest.raises(SaveError, match=r"m/layers/strange\.npy is no part of a stored model"):
        put(root, NEW)


def test_a_file_that_cannot_be_read(root: Path) -> None:
    directory = Directory(root)
    assert "model.json" in directory
    (root / "model.json").unlink()
    with pytest.raises(OperandError, match=r"could not read .*m/model\.json: No such file"):
        directory["model.json"]
    (root / "model.json").symlink_to("training.json")
    with pytest.raises(OperandError, match=r"could not read .*m/model\.json: Too many levels"):
        directory["model.json"]


# Writing


@given(stored_models, stored_models)
@settings(max_examples=50, deadline=None)
def test_replace_makes_the_directory_what_was_asked(
    old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    with tempfile.TemporaryDirectory() as parent:
        root = Path(parent, "m")
        assert put(root, old) == Replaced(tuple(sorted(old)), (), ())
        done = put(root, new)
        assert content(root) == new
        assert done.kept == tuple(sorted(path for path in new if old.get(path) == new[path]))
        assert done.written == tuple(sorted(new.keys() - set(done.kept)))
        assert done.removed == tuple(sorted(old.keys() - new.keys()))
        assert put(root, new) == Replaced((), tuple(sorted(new)), ())
        assert beside(root) == []


def test_content_is_the_concatenation_of_buffers(root: Path) -> None:
    empty = memoryview(bytearray(8)).cast("B", (2, 4))[:0]
    numbers: Any = memoryview(bytearray(range(16))).cast("f", (2, 2))
    buffers: list[Buffer] = [b"ab", empty, bytearray(b"c"), numbers, b""]
    files: list[tuple[str, list[Buffer]]] = [("model.json", [b"{}"]), ("a.npy", buffers)]
    assert replace(root, files).written == ("a.npy", "model.json")
    assert content(root)["a.npy"] == b"abc" + bytes(range(16))
    assert replace(root, files).written == ()


@pytest.mark.parametrize("at", [0, workdir._CHUNK - 1, workdir._CHUNK, 2 * workdir._CHUNK])
def test_one_changed_byte_is_seen_wherever_it_is(tmp_path: Path, at: int) -> None:
    data = bytearray(2 * workdir._CHUNK + 1)
    files: list[tuple[str, list[Buffer]]] = [("a.npy", [b"header", data]), ("model.json", [b"{}"])]
    replace(tmp_path / "m", files)
    assert replace(tmp_path / "m", files).written == ()
    data[at] = 1
    assert replace(tmp_path / "m", files).written == ("a.npy",)
    assert content(tmp_path / "m")["a.npy"] == b"header" + data


def test_nothing_changed_nothing_touched(root: Path) -> None:
    before = status(root.parent)
    assert put(root, OLD) == Replaced((), tuple(sorted(OLD)), ())
    assert status(root.parent) == before


def test_unchanged_files_stay_the_same_files(root: Path) -> None:
    kernel = root / "layers/dense/kernel.npy"
    before = kernel.stat()
    assert put(root, NEW).kept == tuple(sorted(OLD.keys() & NEW.keys() - {"model.json"}))
    assert os.path.samestat(kernel.stat(), before)
    assert kernel.stat().st_mtime_ns == before.st_mtime_ns
    assert kernel.stat().st_nlink == 1


def test_unchanged_files_are_copied_where_links_are_impossible(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    kernel = root / "layers/dense/kernel.npy"
    before = kernel.stat()
    assert "layers/dense/kernel.npy" in put(root, NEW).kept
    assert content(root) == NEW
    assert kernel.stat().st_mtime_ns == before.st_mtime_ns


def test_stale_files_go_with_their_directories(root: Path) -> None:
    kept = {path: data for path, data in OLD.items() if not path.startswith("layers/dense")}
    assert put(root, kept).removed == ("layers/dense/kernel.npy", "layers/dense/layer.json")
    assert content(root) == kept
    assert not (root / "layers/dense").exists()


def test_modes_are_the_usual_ones(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        put(tmp_path / "m", OLD)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {0o640, 0o750}


def test_a_private_model_stays_private(root: Path) -> None:
    root.chmod(0o700)
    put(root, NEW)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    put(tmp_path / "m", NEW)
    assert content(tmp_path / "m") == NEW


def test_a_link_stays_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("models/m")
    put(tmp_path / "link", NEW)
    assert (tmp_path / "link").readlink() == Path("models/m")
    assert content(root) == NEW
    assert beside(root) == []


def test_one_file_is_in_memory_at_a_time(root: Path) -> None:
    class Data(bytearray):
        pass

    alive: list[weakref.ref[Data]] = []

    def files() -> Iterator[tuple[str, list[Buffer]]]:
        for path in (*OLD, "layers/head/bias.npy"):
            assert [data() for data in alive] == [None] * len(alive)
            data = Data(OLD.get(path, b"new"))
            alive.append(weakref.ref(data))
            buffers: list[Buffer] = [data]
            del data
            yield path, buffers
            del buffers

    assert replace(root, files()).written == ("layers/head/bias.npy",)


# Refusing


@pytest.mark.parametrize(
    "path",
    ["README.md", ".git/HEAD", "layers/dense/notes.txt", ".gitattributes", "weights.h5", "npy"],
)
def test_a_file_of_somebody_else_is_never_deleted(root: Path, path: str) -> None:
    assert not owns(path)
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("mine")
    before = status(root.parent)
    with pytest.raises(SaveError, match=rf"m/{path} is no part of a stored model, and would be"):
        put(root, NEW)
    assert status(root.parent) == before


def test_a_directory_that_is_no_model_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"mine")
    with pytest.raises(SaveError, match=r"is not empty and has no model\.json, so it is no stored"):
        put(tmp_path, NEW)
    assert content(tmp_path) == {"a.npy": b"mine"}


@pytest.mark.parametrize(
    "kind", ["file", "fifo", "broken link", "link to itself", "link to a file"]
)
def test_what_is_no_directory_is_not_replaced(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "m"
    if kind == "file":
        root.touch()
    elif kind == "fifo":
        os.mkfifo(root)
    else:
        (tmp_path / "file").touch()
        root.symlink_to({"broken link": "x", "link to itself": "m"}.get(kind, "file"))
    before = status(tmp_path)
    with pytest.raises(SaveError, match="m is not a directory; remove it, or choose another place"):
        put(root, NEW)
    assert status(tmp_path) == before


def test_what_appears_at_the_last_moment_is_not_deleted(tmp_path: Path) -> None:
    def files() -> Iterator[tuple[str, list[Buffer]]]:
        yield "model.json", [b"{}"]
        (tmp_path / "m").mkdir()
        (tmp_path / "m/thesis.tex").write_text("mine")

    with pytest.raises(SaveError, match=r"m is not empty and has no model\.json"):
        replace(tmp_path / "m", files())
    assert content(tmp_path) == {"m/thesis.tex": b"mine"}


@pytest.mark.parametrize(
    "path",
    ["", "/a.npy", "a//b.npy", "./a.npy", "a/../b.npy", "a/", "a\\b.npy", "\0.npy", "README.md"],
)
def test_an_unclean_path_is_a_bug(root: Path, path: str) -> None:
    with pytest.raises(ValueError, match="is no path of a file in a stored model"):
        put(root, {"model.json": b"changed", path: b""})
    assert content(root) == OLD
    assert beside(root) == []


@pytest.mark.parametrize("first", [OLD["model.json"], b"changed"])
def test_a_path_that_comes_twice_is_a_bug(root: Path, first: bytes) -> None:
    with pytest.raises(ValueError, match=r"'model\.json' comes twice"):
        replace(root, [("model.json", [first]), ("model.json", [b"{}"])])
    assert content(root) == OLD


# All or nothing


@pytest.mark.parametrize("start", [OLD, None])
def test_an_exception_of_the_iterable_leaves_everything_as_it_was(
    tmp_path: Path, start: dict[str, bytes] | None
) -> None:
    root = tmp_path / "some/models/m"
    if start:
        put(root, start)
    before = {path: at[0] for path, at in status(tmp_path).items()}

    def files() -> Iterator[tuple[str, Sequence[Buffer]]]:
        yield from one_buffer_each(NEW)
        raise OSError("a disk of somebody else")

    with pytest.raises(OSError, match=r"^a disk of somebody else$"):
        replace(root, files())
    assert {path: at[0] for path, at in status(tmp_path).items()} == before


def test_a_file_that_another_program_changes_meanwhile(root: Path) -> None:
    def files() -> Iterator[tuple[str, Sequence[Buffer]]]:
        yield "training.json", [OLD["training.json"]]
        (root / "training.json").write_bytes(b"edited")
        yield "model.json", [b"changed"]

    with pytest.raises(SaveError, match=r"training\.json was changed by another program"):
        replace(root, files())
    assert content(root) == {**OLD, "training.json": b"edited"}
    assert beside(root) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SaveError, match=r"could not write .*file: .*; .*file is unchanged"):
        put(tmp_path / "file/m", NEW)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_parent_without_permission(root: Path) -> None:
    root.parent.chmod(0o500)
    try:
        with pytest.raises(SaveError, match=r"could not write .*models: Permission denied; "):
            put(root, NEW)
    finally:
        root.parent.chmod(0o700)
    assert content(root) == OLD


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


FULL_DISK = """
    import resource, sys
    from pathlib import Path
    from kvcs.errors import SaveError
    from kvcs.workdir import replace, replace_file

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    place = Path(sys.argv[1])
    try:
        if place.is_file():
            replace_file(place, [bytes(200_000)])
        else:
            replace(place, [("model.json", [b"new"]), ("a.npy", [bytes(60_000)] * 2)])
    except SaveError as error:
        print(error)
"""


def test_a_full_disk_leaves_everything_as_it_was(root: Path) -> None:
    done = run(FULL_DISK, root)
    sentence = f"could not write {root}: File too large; {root} is unchanged\n"
    assert (done.stdout, done.stderr) == (sentence, "")
    assert content(root) == OLD
    assert beside(root) == []


# Forks one child after the other. Each dies one step later than the one before, a step being a
# call to the operating system that can have changed something.
KILLED = """
    import os, signal, sys
    from pathlib import Path
    from kvcs import workdir

    top, old, new, exchange = Path(sys.argv[1]), *map(eval, sys.argv[2:])
    if not exchange:
        workdir._exchange = lambda one, other: False
    put = lambda root, files: workdir.replace(root, [(p, [d]) for p, d in files.items()])
    harmless = {"fspath", "stat", "lstat", "fstat", "scandir", "lseek", "read", "isatty"}

    def die_at(last):
        steps = 0
        def step(frame, event, arg):
            nonlocal steps
            if event == "c_return":
                owner = getattr(arg, "__module__", None) or type(arg.__self__).__module__
                steps += owner in ("posix", "fcntl", "_io") and arg.__name__ not in harmless
            elif event == "return":  # its call goes through ctypes, which shows no events
                steps += frame.f_code is workdir._exchange.__code__
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL)
        sys.setprofile(step)

    last, killed = 0, True
    while killed:
        last += 1
        root = top / f"{last:03}" / "m"
        root.parent.mkdir()
        if old:
            put(root, old)
        child = os.fork()
        if not child:
            die_at(last)
            put(root, new)
            sys.setprofile(None)
            os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
"""


def git(directory: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=directory, check=True, capture_output=True, text=True
    ).stdout


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
    for wrapper, ignored in ((dead, workdir.IGNORE_ALL), (of_somebody, b"*.log\n")):
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
    (wrapper / ".gitignore").write_bytes(workdir.IGNORE_ALL)
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
    from kvcs import workdir

    root, name, exchange = Path(sys.argv[1]), sys.argv[2].encode(), eval(sys.argv[3])
    if not exchange:
        workdir._exchange = lambda one, other: False
    for turn in range(12):
        data = name + b"%d" % turn
        files = {"model.json": data, "a.npy": b"same", "b.npy": data, f"{turn}.npy": data}
        workdir.replace(root, [(path, [data]) for path, data in sorted(files.items())])
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


# One file


def test_replace_file(tmp_path: Path) -> None:
    path = tmp_path / "new/model.keras"
    replace_file(path, [b"ab", memoryview(b"c")])
    assert path.read_bytes() == b"abc"
    path.chmod(0o600)
    before = status(tmp_path)
    replace_file(path, [b"abc"])
    assert status(tmp_path) == before
    (tmp_path / "link").symlink_to(path)
    replace_file(tmp_path / "link", [])
    assert path.read_bytes() == b""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert beside(path) == []


def test_replace_file_replaces_only_files(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match=r"null is not a file; remove it, or choose another place$"):
        replace_file(Path(os.devnull), [b""])
    with pytest.raises(SaveError, match="is not a file"):
        replace_file(tmp_path, [b""])


def test_replace_file_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"old")
    done = run(FULL_DISK, path)
    sentence = f"could not write {path}: File too large; {path} is unchanged\n"
    assert (done.stdout, done.stderr) == (sentence, "")
    assert content(tmp_path) == {"model.keras": b"old"}
