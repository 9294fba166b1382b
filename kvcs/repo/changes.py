"""What is staged, what a checkout or a merge brought, and what a push would send."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kvcs.repo.place import pathspec
from kvcs.repo.program import READING, GitProgram, decode

# Objects that a partial clone left out are not fetched only to look at them (git 2.45 and newer).
_NOT_LAZY = {**READING, "GIT_NO_LAZY_FETCH": "1"}

# Names a file in which `kvcs commit` tells its own hook what it has read a moment ago.
READ_BEFORE = "KVCS_READ_BEFORE"


@dataclass(frozen=True, slots=True)
class Change:
    """A file that differs.

    Attributes:
        path: from the root of the repository.
        object_id: what is there now; empty where the file is gone.
        mode: as git writes it, `100644`; `000000` where the file is gone.
    """

    path: str
    object_id: str
    mode: str


def staged(git: GitProgram) -> list[Change]:
    """Return what the index has otherwise than HEAD; all of it where nothing is committed."""
    head = git.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}").text or empty_tree(git)
    return _changes(git, ("diff-index", "--cached"), (head,))


def read_before() -> dict[str, str]:
    """Return the SHA-256 of tensors that the commit under way has read, by their objects in git."""
    try:
        words = Path(os.environ[READ_BEFORE]).read_text("ascii").split()
    except (KeyError, OSError, UnicodeError):
        return {}
    return dict(zip(words[::2], words[1::2], strict=False))


def between(git: GitProgram, old: str, new: str) -> list[Change]:
    """Return what one commit has otherwise than another; the null hash has nothing."""
    start = old if old.strip("0") else empty_tree(git)
    return _changes(git, ("diff-tree", "-r"), (start, new))


def altered(git: GitProgram, old: str, new: str) -> list[str]:
    """Return the paths of files that are other ones in a commit, or in the working tree, sorted.

    Args:
        git: the program.
        old: hash of a commit.
        new: hash of a commit; empty for the working tree. What git does not track is not looked at.
    """
    found = between(git, old, new) if new else _changes(git, ("diff-index",), (old,))
    return sorted(change.path for change in found)


def empty_tree(git: GitProgram) -> str:
    """Return the hash of the tree without files."""
    return git.check("hash-object", "-t", "tree", "--stdin").text


def indexed(git: GitProgram, *names: str) -> list[str]:
    """Return the path of each file of one of these names in the index."""
    patterns = [f":(top,glob)**/{name}" for name in names]
    done = git.check("ls-files", "-z", "--cached", "--full-name", "--", *patterns)
    return sorted({decode(path) for path in done.records})


def entries(git: GitProgram) -> dict[str, str]:
    """Return the object of each file in the index, by path from the root of the repository."""
    done = git.check("ls-files", "-z", "--stage", "--full-name", "--", ":(top)")
    split = (record.split(b"\t", 1) for record in done.records)
    return {decode(path): facts.decode().split(" ")[1] for facts, path in split}


def is_as_indexed(git: GitProgram, path: str) -> bool:
    """Tell whether the working tree has a file as the index has it."""
    listed = ("ls-files", "-z", "--modified", "--others", "--", pathspec(path))
    return not git.check(*listed).records


def skipped(git: GitProgram, path: str) -> tuple[int, int]:
    """Return how many files below a path a sparse checkout leaves out, and how many there are."""
    records = git.check("ls-files", "-z", "-t", "--cached", "--", pathspec(path)).records
    return sum(record.startswith(b"S ") for record in records), len(records)


def sizes(git: GitProgram, object_ids: Iterable[str]) -> dict[str, int]:
    """Return the sizes of objects in bytes; those that are not here are left out."""
    asked = list(dict.fromkeys(object_ids))
    if not asked:
        return {}
    lines = "".join(f"{each}\n" for each in asked).encode()
    command = ("cat-file", "--batch-check=%(objectname) %(objectsize)")
    answers = git.check(*command, stdin=lines, environment=_NOT_LAZY).text.splitlines()
    found = (answer.split(" ") for answer in answers)
    return {object_id: int(size) for object_id, size in found if size.isdigit()}


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push sends.

    Attributes:
        missing: objects that are neither here nor promised.
        files: object and path of each file that the remote does not have.
    """

    missing: tuple[str, ...]
    files: tuple[tuple[str, str], ...]


def pushed(git: GitProgram, remote: str, new: Sequence[str], old: Sequence[str]) -> Pushed:
    """Return what a push of commits to a remote sends, as far as is known here.

    Args:
        remote: its name or address.
        new: hashes of what is pushed.
        old: hashes that the remote has; those that are not here are left out.
    """
    here = sizes(git, [*old])
    # Only those of a remote with a name are remembered; an address has none.
    known = [f"--remotes={re.escape(remote)}"] if remote else []
    listed = git.check(
        *("rev-list", "--objects", "--missing=print", *new, "--not", *here, *known),
        environment=_NOT_LAZY,
    )
    missing, files = [], []
    for line in listed.output.split(b"\n"):
        object_id, _, path = line.partition(b" ")
        if object_id.startswith(b"?"):
            missing.append(decode(object_id[1:]))
        elif path:
            files.append((decode(object_id), decode(path)))
    return Pushed(() if is_partial(git) else tuple(missing), tuple(files))


def is_partial(git: GitProgram) -> bool:
    """Tell whether a remote has promised the objects that are not here."""
    pattern = r"^remote\..*\.(promisor|partialclonefilter)$"
    return git.run("config", "--get-regexp", pattern).status == 0


def _changes(git: GitProgram, command: Sequence[str], commits: Sequence[str]) -> list[Change]:
    options = ("--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules")
    fields = git.check(*command, *options, *commits).records
    return [_change(*fields[at : at + 2]) for at in range(0, len(fields), 2)]


def _change(facts: bytes, path: bytes) -> Change:
    _, mode, _, object_id, _ = facts.decode().split(" ")
    return Change(decode(path), object_id if object_id.strip("0") else "", mode)


def read_small(git: GitProgram, object_ids: Iterable[str], largest: int) -> dict[str, bytes]:
    """Return the contents of those objects that are here and smaller than so many bytes."""
    small = [each for each, size in sizes(git, object_ids).items() if size < largest]
    if not small:
        return {}
    lines = "".join(f"{each}\n" for each in small).encode()
    output = git.check("cat-file", "--batch", stdin=lines, environment=_NOT_LAZY).output
    found, at = {}, 0
    for object_id in small:
        end = output.index(b"\n", at)
        size = int(output[at:end].split(b" ")[2])
        found[object_id] = output[end + 1 : end + 1 + size]
        at = end + size + 2
    return found
