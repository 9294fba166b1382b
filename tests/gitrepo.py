"""Real git for tests: run it, fill directories, and look at everything a commit can disturb."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def git(directory: Path, *arguments: str, stdin: bytes = b"", status: int = 0) -> str:
    """Run git in a directory and return its output; it must end with the given status."""
    done = subprocess.run(["git", *arguments], cwd=directory, input=stdin, capture_output=True)
    assert done.returncode == status, done.stderr.decode()
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


def write(directory: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def commit_all(directory: Path, message: str = "Change") -> str:
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", message)
    return git(directory, "rev-parse", "HEAD")


def begin(template: Path, places: Sequence[Path], make: Callable[[], object]) -> None:
    """Fill some directories as `make` does; it is called once, and the other tests get copies.

    Args:
        template: where the copies come from, below the fixture `templates`; of one test's own
            process, and of all tests that begin alike.
        places: the directories.
        make: fills them.
    """
    if template.exists():
        for number, place in enumerate(places):
            shutil.copytree(template / str(number), place, symlinks=True, dirs_exist_ok=True)
        return
    make()
    for number, place in enumerate(places):
        shutil.copytree(place, template / str(number), symlinks=True)


def hook(directory: Path, name: str, script: str) -> None:
    path = directory / ".git" / "hooks" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def state(directory: Path) -> tuple[bytes, str, list[str]]:
    """Return the index to the byte, git's view of every change, and the files git works with."""
    index = Path(git(directory, "rev-parse", "--path-format=absolute", "--git-path", "index"))
    content = index.read_bytes() if index.exists() else b""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "status", "--porcelain=v2", "--branch", "--ignored"]
    status = subprocess.check_output(command, cwd=directory, env=environment, text=True)
    return content, status, sorted(path.name for path in index.parent.glob("*index*"))
