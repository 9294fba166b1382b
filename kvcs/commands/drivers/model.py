"""What `git diff` shows of a model: the driver that git calls with two versions of a manifest.

git runs it once for each `model.json` that changed, and gives up with all of `git diff` when it
fails. So what cannot be shown as a model is shown as text, and the shell that runs the driver shows
it where kvcs itself is missing or broken.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kvcs.commands.drivers.trees import ABSENT, Trees, Version
from kvcs.commands.operand import is_manifest
from kvcs.errors import KvcsError
from kvcs.tree.writer import MANIFEST

if TYPE_CHECKING:
    from kvcs.commands.drivers.trees import Found
    from kvcs.comparison import Diff


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the driver: two versions of a file."""

    old: Version
    new: Version


def parse(arguments: Sequence[str]) -> Call | None:
    """Read what git gives a driver; None for a path with a conflict, of which it gives no more.

    Raises:
        KvcsError: that is not what git gives.
    """
    if len(arguments) == 1:
        return None
    if len(arguments) < 7:
        raise KvcsError("expected PATH OLD-FILE OLD-HEX OLD-MODE NEW-FILE NEW-HEX NEW-MODE")
    path, old_file, old_id, _, new_file, new_id, _, *renamed = arguments
    new_path = renamed[0] if renamed else path
    return Call(Version(path, old_file, old_id), Version(new_path, new_file, new_id))


def shown(call: Call, *, colour: bool, ascii: bool) -> bytes:  # noqa: A002  (as the option)
    """Return what changed in a model, or a text diff and why it is no better one."""
    try:
        return semantic(call, colour=colour, ascii=ascii).encode("utf-8", "backslashreplace")
    except KvcsError as error:
        return text(call, str(error), colour=colour)
    except BaseException as error:  # whatever it is, git must go on
        return text(call, f"kvcs failed: {type(error).__name__}: {error}", colour=colour)


def text(call: Call, reason: str, *, colour: bool) -> bytes:
    """Return a text diff, and before it why it is no better one; nothing for an empty reason."""
    from kvcs.render.git import comment
    from kvcs.repo.textual import text_diff

    note = comment(reason, colour=colour).encode("utf-8", "backslashreplace") if reason else b""
    old, new = call.old, call.new
    return note + text_diff(old.file, new.file, old_name=old.path, new_name=new.path, colour=colour)


def semantic(call: Call, *, colour: bool, ascii: bool) -> str:  # noqa: A002
    """Return what changed in a model, under a header like git's own.

    Raises:
        KvcsError: the files are no manifests (then with an empty text), the model is damaged, or
            nowhere to be found.
    """
    from kvcs.render import git as render

    given = [side for side in (call.old, call.new) if side.exists]
    heads = [side.read() for side in given]
    others = [side for side, head in zip(given, heads, strict=True) if not is_manifest(head)]
    if others:
        of = f"{others[0].label} of {others[0].path}"
        known = len(others) < len(given)
        raise KvcsError(f"{of} is no manifest of a model, and the other one is" if known else "")
    there = call.new if call.new.exists else call.old
    around, inside, _ = f"/{there.path}".rpartition("/layers/")
    if inside and all(map(_is_inside, heads)):
        return render.inside(there.model, around.lstrip("/") or ".", colour=colour)
    with Trees() as trees:
        if not (call.old.exists and call.new.exists):
            names, stored = (there.model, there.label), trees.find(there).described
            return render.one_sided(
                *names, stored, added=there is call.new, colour=colour, ascii=ascii
            )
        diff, reasons = _compared(trees.find(call.old), trees.find(call.new))
    sides = (call.old.model, call.old.label), (call.new.model, call.new.label)
    return render.compared(diff, *sides, reasons, colour=colour, ascii=ascii)


def _is_inside(head: bytes) -> bool:
    """Tell the manifest of a model inside another by keys that only the outermost may have."""
    return b'\n  "keras_version": ' not in head and b'\n  "name": ' not in head


def _compared(old: Found, new: Found) -> tuple[Diff, list[str]]:
    """Compare two models, and say why weights could not be read."""
    from kvcs import comparison

    models = old.described, new.described
    contents = old.stored.contents(old.described), new.stored.contents(new.described)
    try:
        found = comparison.weighed_diff(*models, *contents)
    except MemoryError:
        return comparison.diff(*models), ["there is not enough memory for the weights"]
    return found, found.unread()


def tool(local: str, remote: str, merged: str) -> list[Call]:
    """Return the calls that one of `git difftool` stands for, which names files and no hashes.

    With `--dir-diff` they are two directories, in which every manifest is a call.
    """
    if not any(map(os.path.isdir, (local, remote))):
        return [_of_files(local, remote, merged)]
    found = {
        place.relative_to(top).as_posix()
        for top in map(Path, (local, remote))
        for place in top.rglob(MANIFEST)
    }
    return [_of_files(f"{local}/{path}", f"{remote}/{path}", path) for path in sorted(found)]


def _of_files(old: str, new: str, path: str) -> Call:
    return Call(*(Version(path, *_file_and_id(file)) for file in (old, new)))


def _file_and_id(file: str) -> tuple[str, str]:
    from kvcs.repo import Repository

    if file == os.devnull or not Path(file).exists():
        return os.devnull, ABSENT
    with Repository.discover() as repository:
        return file, repository.blob_id(Path(file))
