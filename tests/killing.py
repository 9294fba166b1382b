"""Work that is killed at one step after the other, and what is found after each.

    python tests/killing.py JOB TOP FIRST STRIDE alone|together
    python tests/killing.py JOB TOP SEED COUNT anytime

A step is a call to the operating system that can have changed something, in whatever thread. The
work runs in a child that dies by SIGKILL after step FIRST, another one after FIRST + STRIDE, and so
on, until one comes to its end. Alone, and the git programs it started live on, and are waited for;
or together with them. Or so many children die at any time, in the middle of a git program for
example. After each, the job's own checks look at what is there, and the same work is done once
more. Prints a JSON list with one object for each child.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from cli import small, store
from gitrepo import git

from kvcs.commands.checkout import checkout
from kvcs.commands.commit import commit_directories
from kvcs.commands.digest import digest
from kvcs.commands.export import export
from kvcs.commands.setup.init import init, undo
from kvcs.commands.verify import verify
from kvcs.errors import KvcsError
from kvcs.spec import LayerSpec, StoredModel
from kvcs.workdir import replacing

sys.path.append(str(Path(__file__).parent.parent))
from fuzz import models

STEPS = frozenset(
    ("open", "write", "close", "rename", "replace", "link", "unlink", "remove", "mkdir", "rmdir",
     "symlink", "truncate", "ftruncate", "fsync", "flock", "chmod", "fchmod", "utime", "sendfile",
     "copy_file_range", "fork_exec", "waitpid", "flush", "readinto")
)  # fmt: skip
MODEL = Path("models/m")
OUTPUT = Path("out.keras")
Found: TypeAlias = list[dict[str, Any]]
USERS_HOOK = b"#!/bin/sh\nexit 0 # mine\n"


def die_after(last: int, alone: bool) -> None:
    """Die after so many steps."""
    counting, steps = threading.Lock(), 0

    def step(frame: Any, event: str, arg: Any) -> None:
        nonlocal steps
        if event == "c_return":
            owner = getattr(arg, "__module__", None) or type(arg.__self__).__module__
            modules = ("posix", "fcntl", "_io", "_posixsubprocess")
            if owner not in modules or arg.__name__ not in STEPS:
                return
        elif event != "return" or frame.f_code is not replacing.exchange.__code__:
            return  # the call of an exchange goes through ctypes, which shows no events
        with counting:
            steps += 1
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL) if alone else os.killpg(0, signal.SIGKILL)

    threading.setprofile(step)
    sys.setprofile(step)


# --- jobs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """What is killed: its beginning, the work, and what must hold after it was killed."""

    begin: Callable[[], None]
    work: Callable[[], object]
    check: Callable[[], dict[str, Any]]
    healed: Callable[[], None]


def model(value: float, units: int = 3) -> None:
    """Write the model in one of two versions, which differ in all but one of their tensors."""
    store(MODEL, wide(units), bias=value)


def wide(units: int) -> StoredModel:
    """Return a model with a layer of any width."""
    found = small()
    image, dense = found.model.layers
    assert isinstance(dense.layer, LayerSpec)
    tensors = {
        "bias": changed(dense.layer.tensors["bias"], shape=(units,)),
        "kernel": changed(dense.layer.tensors["kernel"], shape=(4, units)),
    }
    layer = changed(dense.layer, tensors=tensors, config={"units": units, "activation": "linear"})
    layers = (image, changed(dense, layer=layer))
    return changed(found, model=changed(found.model, layers=layers))


def commit() -> None:
    """Save and commit, as `kvcs.commit` does but for Keras."""
    model(2.0, WIDE[0])
    commit_directories([MODEL], "Second", {})


WIDE = [3]  # units in the version that is committed; many make it go through a pack


def begin_repository() -> None:
    git(Path(), "init", "--quiet")
    model(1.0)
    Path("notes.txt").write_text("mine")
    Path("other.txt").write_text("first")
    git(Path(), "add", "models", "other.txt")
    git(Path(), "commit", "--quiet", "--message", "First")
    git(Path(), "add", "notes.txt")  # staged, and not to be committed by kvcs
    Path("other.txt").write_text("second")  # neither


def begin_checkout() -> None:
    model(1.0)
    exported = Path("source.keras")
    exported.write_bytes(models.keras_file())
    export(str(exported), "exported")
    OUTPUT.write_bytes(b"old")


def check_output() -> dict[str, Any]:
    data = OUTPUT.read_bytes()
    return {"whole": data == b"old" or zipfile.ZipFile(OUTPUT).testzip() is None, "size": len(data)}


def nothing_beside_the_output() -> None:
    assert sorted(path.name for path in Path().glob(".kvcs-*")) == []
    assert zipfile.ZipFile(OUTPUT).testzip() is None


def check_model() -> dict[str, Any]:
    report = verify(MODEL)
    return {
        "directory": digest(MODEL) if report else "",
        "problems": list(map(str, report.problems)),
    }


def check_repository() -> dict[str, Any]:
    fsck = subprocess.run(["git", "fsck", "--full", "--strict"], capture_output=True, text=True)
    said = [line for line in (fsck.stdout + fsck.stderr).splitlines() if "dangling" not in line]
    status = git(Path(), "status", "--porcelain")
    committed = verify(f"HEAD:{MODEL.as_posix()}")
    return {
        **check_model(),
        "fsck": [fsck.returncode, [line for line in said if not line.startswith("notice")]],
        "others": sorted(line for line in status.splitlines() if "models" not in line),
        "committed": digest(f"HEAD:{MODEL.as_posix()}") if committed else "",
        "commits": git(Path(), "rev-list", "--count", "HEAD"),
    }


def is_committed() -> None:
    """After the work was done once more: all is there, and nothing else."""
    assert verify(f"HEAD:{MODEL.as_posix()}")
    assert digest(f"HEAD:{MODEL.as_posix()}") == digest(MODEL)
    assert git(Path(), "status", "--porcelain", "--", "models") == ""
    assert git(Path(), "status", "--porcelain").split("\n") == ["A  notes.txt", " M other.txt"]
    assert git(Path(), "rev-list", "--count", "HEAD") == "2"
    left = [
        path.name for path in Path(".git").iterdir() if "kvcs" in path.name or "lock" in path.name
    ]
    assert left == []
    assert not [*Path(".git/objects/pack").glob("tmp_pack_*"), *Path(".git").rglob("tmp_idx_*")]
    nothing_beside_the_model()


def nothing_beside_the_model() -> None:
    assert [path.name for path in MODEL.parent.iterdir()] == [MODEL.name]


def begin_with_hook() -> None:
    begin_repository()
    Path(".gitattributes").write_text("*.txt text\n")
    Path(".git/hooks").mkdir(exist_ok=True)
    Path(".git/hooks/pre-commit").write_bytes(USERS_HOOK)
    Path(".git/hooks/pre-commit").chmod(0o755)


def begin_set_up() -> None:
    begin_with_hook()
    init(local=True)


def settings() -> dict[str, bytes]:
    """Return all that `kvcs init` may write."""
    hooks = sorted(Path(".git/hooks").iterdir())
    paths = [Path(".gitattributes"), Path(".git/config"), *hooks]
    found = {path.as_posix(): path.read_bytes() for path in paths if path.exists()}
    return {path: data for path, data in found.items() if not path.endswith(".sample")}


def check_settings() -> dict[str, Any]:
    """Whatever hook git finds leads to the user's, and attributes are the old or the new ones."""
    hook = Path(".git/hooks/pre-commit")
    runs = subprocess.run([hook.absolute()], capture_output=True, check=False).returncode
    kept = USERS_HOOK in (hook.read_bytes(), _read(".git/hooks/pre-commit.before-kvcs"))
    attributes = _read(".gitattributes").splitlines()
    return {
        "hook": [runs, kept, os.access(hook, os.X_OK)],
        "attributes": len(attributes),
        "first": attributes[0].decode(),
        "status": git(Path(), "status", "--porcelain", "--", "models"),
    }


def _read(path: str) -> bytes:
    return Path(path).read_bytes() if Path(path).exists() else b""


def is_set_up() -> None:
    found = settings()
    assert not [path for path in found if "kvcs-new" in path or path.endswith(".lock")]
    assert {path: found[path] for path in found if "config" not in path} == {
        path: data for path, data in EXPECTED.items() if "config" not in path
    }
    lines, wanted = (set(one[".git/config"].split(b"\n")) for one in (found, EXPECTED))
    assert lines == wanted
    undo()
    assert Path(".git/hooks/pre-commit").read_bytes() == USERS_HOOK
    assert _read(".gitattributes") == b"*.txt text\n"


EXPECTED: dict[str, bytes] = {}


def is_as_before() -> None:
    assert Path(".git/hooks/pre-commit").read_bytes() == USERS_HOOK
    assert _read(".gitattributes") == b"*.txt text\n"
    assert b"kvcs" not in _read(".git/config")


JOBS = {
    "save": Job(lambda: model(1.0), lambda: model(2.0), check_model, nothing_beside_the_model),
    "checkout": Job(
        begin_checkout,
        lambda: checkout("exported", OUTPUT),
        check_output,
        nothing_beside_the_output,
    ),
    "commit": Job(begin_repository, commit, check_repository, is_committed),
    "init": Job(begin_with_hook, lambda: init(local=True), check_settings, is_set_up),
    "undo": Job(begin_set_up, undo, check_settings, is_as_before),
}


# --- killing -------------------------------------------------------------------------------------


NEVER = 10**9


def killed(job: Job, last: int, alone: bool, delay: float | None = None) -> bool:
    """Do the work in a child that dies after a step, or some time; False when it came to its end.

    Args:
        job: the work.
        last: the step.
        alone: whether the git programs live on.
        delay: seconds after which the child and its git programs die.
    """
    child = os.fork()
    if not child:
        os.setsid()
        if last != NEVER:
            die_after(last, alone)
        job.work()
        sys.setprofile(None)
        os._exit(0)
    if delay is not None:
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):  # not its leader yet
            os.killpg(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    with contextlib.suppress(ChildProcessError):  # the git programs that it left behind
        while True:
            os.waitpid(-1, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"exit {status} at {last}"
    return os.WIFSIGNALED(status)


def after(job: Job) -> dict[str, Any]:
    """Look at what is there, do the work once more, and look at that."""
    found = job.check()
    try:
        job.work()
    except KvcsError as error:
        found["refused"] = str(error)
        for lock in Path(".git").rglob("*.lock"):  # of a git that was killed: what it says to do
            lock.unlink()
        job.work()
    job.healed()
    return found


@contextlib.contextmanager
def copied(start: Path) -> Iterator[None]:
    """Go to a fresh copy of the beginning."""
    place = start.with_name("place")
    shutil.copytree(start, place, symlinks=True)
    os.chdir(place)
    yield
    os.chdir(start)
    shutil.rmtree(place)


def at_steps(job: Job, start: Path, first: int, stride: int, alone: bool) -> Found:
    """Kill at every so many steps, until the work comes to its end."""
    found: Found = []
    last, going_on = first, True
    while going_on:
        with copied(start):
            going_on = killed(job, last, alone)
            found.append({"step": last, **after(job)})
        last += stride
    return found


def at_any_time(job: Job, start: Path, seed: int, count: int) -> Found:
    """Kill so many times, at any time that the work takes; the last time it comes to its end."""
    random = Random(seed)
    with copied(start):
        begin = time.monotonic()
        killed(job, NEVER, True)
        takes = time.monotonic() - begin
    found: Found = []
    for number in range(count + 1):
        delay = random.uniform(0, takes) if number < count else None
        with copied(start):
            killed(job, NEVER, False, delay)
            found.append({"step": number, **after(job)})
    return found


def main(name: str, top: Path, first: int, stride: int, how: str) -> None:
    """Kill a job again and again, and print what was found after each."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans come to us
    job = JOBS[name.partition("-")[0]]
    if name.endswith("-large"):
        WIDE[0] = 40_000
    start = top / "start"
    start.mkdir()
    os.chdir(start)
    job.begin()
    if name == "init":
        shutil.copytree(start, top / "done", symlinks=True)
        os.chdir(top / "done")
        init(local=True)
        EXPECTED.update(settings())
    if how == "anytime":
        found = at_any_time(job, start, first, stride)
    else:
        found = at_steps(job, start, first, stride, how == "alone")
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
