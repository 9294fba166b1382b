from __future__ import annotations

import errno
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import pytest
from directories import NEW, OLD, beside, content, put, run

from kvcs.errors import SaveError
from kvcs.workdir import Buffer, Replaced, disk, filesystem, replace, replacing, staging

MANY = {"model.json": b"{}", **{f"layers/{number}/kernel.npy": b"1" for number in range(100)}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "models/m", OLD)
    return tmp_path / "models/m"


@pytest.fixture(autouse=True)
def _no_thread_survives() -> Iterator[None]:
    yield
    assert "kvcs-disk" not in {thread.name for thread in threading.enumerate()}


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every file brought to the disk by itself, as large ones are."""
    monkeypatch.setattr(disk, "LARGE", 0)


OnFsync = Callable[[Callable[[int], object]], list[str]]


@pytest.fixture
def on_fsync(monkeypatch: pytest.MonkeyPatch) -> OnFsync:
    """Have something done before each fsync; the list tells which threads got one done."""

    def install(act: Callable[[int], object]) -> list[str]:
        fsync, done, calls = os.fsync, [], itertools.count()

        def act_and_fsync(fd: int) -> None:
            act(next(calls))
            fsync(fd)
            done.append(threading.current_thread().name)

        monkeypatch.setattr(os, "fsync", act_and_fsync)
        return done

    return install


def full(call: int) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.usefixtures("one_by_one")
def test_files_are_produced_while_others_reach_the_disk(root: Path, on_fsync: OnFsync) -> None:
    enough = threading.Event()
    done = on_fsync(lambda call: enough.wait(10) or pytest.fail("no more files came"))
    in_flight = []

    def files() -> Iterator[tuple[str, Sequence[Buffer]]]:
        for produced, (path, data) in enumerate(MANY.items()):
            in_flight.append(produced - len(done))
            if in_flight[-1] == disk.IN_FLIGHT:
                enough.set()
            yield path, [data]

    replace(root, files())
    assert max(in_flight) == disk.IN_FLIGHT
    assert done == ["kvcs-disk"] * len(MANY)
    assert content(root) == MANY


@pytest.mark.usefixtures("one_by_one")
def test_no_file_is_in_its_place_before_the_disk_has_it(
    root: Path, on_fsync: OnFsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = on_fsync(lambda call: time.sleep(0.01))
    reached = []

    def moved(new: Path, target: Path) -> bool:
        reached.append(len(done))
        return staging.moved(new, target)

    monkeypatch.setattr(replacing, "moved", moved)
    put(root, MANY)
    assert reached == [len(MANY)]


@pytest.mark.parametrize("at", [0, len(MANY) - 1], ids=["first", "last"])
@pytest.mark.usefixtures("one_by_one")
def test_a_disk_that_is_full_at_last_leaves_everything_as_it_was(
    root: Path, on_fsync: OnFsync, at: int
) -> None:
    on_fsync(lambda call: call < at or full(call))
    with pytest.raises(SaveError) as caught:
        put(root, MANY)
    sentence = f"could not write {root}: No space left on device; {root} is unchanged"
    assert str(caught.value) == sentence
    assert content(root) == OLD
    assert beside(root) == []


@pytest.mark.usefixtures("one_by_one")
def test_a_full_disk_ends_a_save_early(root: Path, on_fsync: OnFsync) -> None:
    on_fsync(full)
    produced = []

    def files() -> Iterator[tuple[str, Sequence[Buffer]]]:
        for path, data in MANY.items():
            produced.append(path)
            yield path, [data]

    with pytest.raises(SaveError, match="No space left on device"):
        replace(root, files())
    assert len(produced) <= disk.IN_FLIGHT + 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.usefixtures("one_by_one")
def test_no_time_is_spent_on_a_save_that_has_failed(
    root: Path, on_fsync: OnFsync, error: type[BaseException]
) -> None:
    failing = threading.Event()

    def dawdle(call: int) -> None:
        failing.wait(10)
        time.sleep(0.1)

    done = on_fsync(dawdle)

    def files() -> Iterator[tuple[str, Sequence[Buffer]]]:
        for path in itertools.islice(MANY, disk.IN_FLIGHT):
            yield path, [b"new"]
        failing.set()
        raise error

    with pytest.raises(error):
        replace(root, files())
    assert len(done) < disk.IN_FLIGHT
    assert content(root) == OLD
    assert beside(root) == []


# Many small files


@pytest.fixture
def syncs(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Collect which files were there at each sync of a whole file system."""
    monkeypatch.setattr(disk, "can_sync", lambda fd: True)
    found = []

    def sync(fd: int) -> None:
        (stage,) = root.parent.glob(".kvcs-*/new")
        found.append(set(content(stage)))

    monkeypatch.setattr(disk, "sync", sync)
    return found


def test_of_many_small_files_none_is_brought_to_the_disk_by_itself(
    root: Path, on_fsync: OnFsync, syncs: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(new: Path, target: Path) -> bool:
        assert syncs
        return staging.moved(new, target)

    monkeypatch.setattr(replacing, "moved", moved)
    done = on_fsync(lambda call: None)
    put(root, MANY)
    assert syncs == [set(MANY)]
    assert done == []
    assert content(root) == MANY


def test_few_files_do_not_make_the_system_write_what_others_wrote(
    root: Path, on_fsync: OnFsync, syncs: list[set[str]]
) -> None:
    done = on_fsync(lambda call: None)
    few = dict(itertools.islice(MANY.items(), disk.FEW))
    put(root, few)
    assert len(done) == disk.FEW
    assert syncs == []


def test_small_files_where_the_file_system_cannot_be_trusted_with_them(
    root: Path, on_fsync: OnFsync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "can_sync", lambda fd: False)
    done = on_fsync(lambda call: None)
    put(root, MANY)
    assert len(done) == len(MANY)
    assert content(root) == MANY


def test_a_sync_that_fails_leaves_everything_as_it_was(
    root: Path, syncs: list[set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "sync", full)
    with pytest.raises(SaveError, match="No space left on device"):
        put(root, MANY)
    assert content(root) == OLD
    assert beside(root) == []


@pytest.mark.skipif(sys.platform != "linux", reason="no such call elsewhere")
def test_the_system_is_asked_to_sync(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        assert isinstance(filesystem.can_sync(file.fileno()), bool)
        filesystem.sync(file.fileno())
    with pytest.raises(OSError, match="Bad file descriptor"):
        filesystem.sync(-1)


def test_a_kind_of_file_system_that_nobody_knows() -> None:
    assert not filesystem.can_sync(-1)


def test_nothing_changed_no_thread(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: object) -> NoReturn:
        pytest.fail("a thread")

    monkeypatch.setattr(disk, "Thread", refuse)
    put(root, OLD)
    put(root, {path: OLD[path] for path in ("model.json", "training.json")})


@pytest.mark.parametrize("available", [0, 3])
@pytest.mark.usefixtures("one_by_one")
def test_where_threads_are_scarce(
    root: Path, on_fsync: OnFsync, monkeypatch: pytest.MonkeyPatch, available: int
) -> None:
    started = itertools.count()

    class Thread(threading.Thread):
        def start(self) -> None:
            if next(started) >= available:
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(disk, "Thread", Thread)
    done = on_fsync(lambda call: None)
    assert put(root, MANY).written == tuple(sorted(MANY))
    assert set(done) == {"kvcs-disk" if available else "MainThread"}
    on_fsync(full)
    with pytest.raises(SaveError, match="No space left on device"):
        put(root, NEW)
    assert content(root) == MANY


def test_a_save_at_the_end_of_the_program(root: Path) -> None:
    script = """
        import atexit, sys
        from pathlib import Path
        from kvcs.workdir import replace

        files = [(path, [data]) for path, data in eval(sys.argv[2]).items()]
        atexit.register(lambda: print(replace(Path(sys.argv[1]), files)))
    """
    done = run(script, root, MANY)
    written = Replaced(tuple(sorted(MANY)), (), tuple(sorted(OLD.keys() - MANY.keys())))
    assert (done.stdout, done.stderr) == (f"{written}\n", "")
    assert content(root) == MANY
