"""The text diff of two files as git shows it, and whether git wants colours."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from kvcs.repo.program import GitProgram

NOTHING = os.devnull


def wants_colour(*, terminal: bool) -> bool:
    """Tell whether `git diff` would use colours; a pager that takes them counts as a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    word = "true" if terminal else "false"
    return _git().run("config", "--get-colorbool", "color.diff", word).text == "true"


def text_diff(old: str, new: str, *, old_name: str, new_name: str, colour: bool = False) -> bytes:
    """Return what `git diff` prints of two files, as if they had other names.

    Args:
        old, new: the files; `/dev/null` for none.
        old_name, new_name: their paths from the root of the work tree.
        colour: whether to use the colours that the user has set.
    """
    with tempfile.TemporaryDirectory(prefix="kvcs-") as top:
        sides = _copy(old, top, "a", old_name), _copy(new, top, "b", new_name)
        options = ("--no-ext-diff", "--no-textconv", "--no-prefix", "--no-renames")
        shown = f"--color={'always' if colour else 'never'}"
        done = _git().run("diff", "--no-index", *options, shown, "--", *sides)
        # git leaves the slash at the beginning out.
        return _renamed(done.output, os.fsencode(Path(top).as_posix().lstrip("/")) + b"/")


def _git() -> GitProgram:
    return GitProgram(Path().absolute())


def _copy(file: str, top: str, side: str, name: str) -> str:
    if file == NOTHING:
        return NOTHING
    place = Path(top, side, *(part for part in name.split("/") if part not in ("", ".", "..")))
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
    return str(place)


def _renamed(text: bytes, top: bytes) -> bytes:
    """Take the temporary directory out of the header, which ends where the first hunk begins."""
    lines = text.split(b"\n")
    end = next((at for at, line in enumerate(lines) if b"@@ " in line), len(lines))
    return b"\n".join([*(line.replace(top, b"") for line in lines[:end]), *lines[end:]])
