"""Commands on a disk that takes so much and no more, and what is found after each.

    python tests/filling.py limit|disk JOB TOP STRIDE

With `limit` no file can grow beyond a size, one size after the other. With `disk`, TOP is a small
file system, which is filled up but for some pages. STRIDE leaves out sizes. Goes on until the
command has room enough. Prints a JSON list with one object for each try.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cli import kvcs, small, store
from gitrepo import git
from killing import MODEL, WIDE, wide

from kvcs.commands.digest import digest
from kvcs.commands.verify import verify

OUTPUT = Path("out.keras")
LIMITS = (
    *(0, 1, 30, 40, 41, 60, 100, 137, 140, 150, 180, 200, 220, 256, 300, 400, 500, 600, 800),
    *(1000, 1200, 1500, 2000, 3000, 5000, 10_000, 20_000, 100_000, 500_000, 640_127, 640_128),
    10**7,
)
PAGE = 4096


def begin() -> None:
    """Commit a model, and change it; write a file to be exported, and one to be overwritten."""
    sys.path.append(str(Path(__file__).parent.parent))
    from fuzz import models

    git(Path(), "init", "--quiet")
    store(MODEL, small(), bias=1.0)
    git(Path(), "add", "models")
    git(Path(), "commit", "--quiet", "--message", "First")
    Path("source.keras").write_bytes(models.keras_file())
    OUTPUT.write_bytes(b"old")


def export() -> list[str]:
    return ["export", "source.keras", str(MODEL)]


def commit() -> list[str]:
    store(MODEL, wide(WIDE[0]), bias=2.0)
    return ["commit", str(MODEL), "--message", "Second"]


def check_out() -> list[str]:
    kvcs("export", "source.keras", "exported")
    return ["checkout", "exported", "-o", str(OUTPUT)]


JOBS: dict[str, Callable[[], list[str]]] = {
    "export": export, "commit": commit, "commit-large": commit, "checkout": check_out,
}  # fmt: skip


def state() -> dict[str, Any]:
    """Return all that a refused command must leave as it was, and what it must not leave."""
    own = [*Path().rglob("*kvcs-*"), *Path(".git").glob("index.*")]
    locks = list(Path(".git").rglob("*.lock"))
    packs = list(Path(".git/objects").rglob("tmp_pack*"))
    return {
        "digest": digest(MODEL) if verify(MODEL) else "damaged",
        "head": git(Path(), "rev-parse", "HEAD"),
        "index": git(Path(), "ls-files", "--stage"),
        "output": OUTPUT.read_bytes()[:3].decode(),
        "left": sorted(map(str, (*own, *locks, *packs))),
    }


def limited(arguments: list[str], limit: int | None) -> list[Any]:
    """Run a command in a child; return its exit code and what it printed on stderr."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            done = kvcs(*arguments)
            os.write(write, json.dumps([done.code, done.err]).encode())
        except BaseException as error:
            os.write(write, json.dumps([99, repr(error)]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        found: list[Any] = json.loads(answer.read())
    os.waitpid(child, 0)
    return found


@contextlib.contextmanager
def filled(top: Path, pages: int) -> Iterator[None]:
    """Fill the file system of a directory, but for some pages."""
    filler = top / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(PAGE))
    os.truncate(filler, max(0, filler.stat().st_size - pages * PAGE))
    try:
        yield
    finally:
        filler.unlink()


def tries(how: str, stride: int) -> list[int]:
    """Return bytes of a file, or free pages; the last are enough for all."""
    if how == "limit":
        return [*LIMITS[:-1:stride], LIMITS[-1]]
    return [*range(0, 40, stride), *range(40, 4000, 40)]


def main(how: str, name: str, top: Path, stride: int) -> None:
    """Run a command with ever more room, until it has enough."""
    start = top / "start"
    start.mkdir()
    os.chdir(start)
    begin()
    if name == "commit-large":
        WIDE[0] = 40_000
    arguments = JOBS[name]()
    found = []
    for room in tries(how, stride):
        place = top / "place"
        shutil.copytree(start, place, symlinks=True)
        os.chdir(place)
        git(place, "status")  # which writes the index
        before = state()
        with filled(top, room) if how == "disk" else contextlib.nullcontext():
            code, said = limited(arguments, room if how == "limit" else None)
        after = state()
        changed = {key: [before[key], after[key]] for key in before if before[key] != after[key]}
        again = limited(arguments, None)
        found.append({"room": room, "code": code, "said": said, "changed": changed, "again": again,
                      "left": state()["left"]})  # fmt: skip
        os.chdir(top)
        shutil.rmtree(place)
        if code == 0:
            break
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
