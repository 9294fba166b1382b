"""Where files of one name stand and stood, in all commits of a repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kvcs.repo.past.batch import read_objects
from kvcs.repo.place import pathspec
from kvcs.repo.program import GitProgram, decode

_PLAIN = ("-c", "log.showSignature=false", "-c", "log.follow=false")
_MARK = b"\x01"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one file.

    Attributes:
        commit: full hash of the commit.
        parents: how many parents the commit has.
        date, subject: of the commit, as in `kvcs.repo.past.history.Version`.
        path: the file, from the repository root.
        old, new: ids of its contents before and after; empty where it was not there.
    """

    commit: str
    parents: int
    date: str
    subject: str
    path: str
    old: str
    new: str


def read_edits(git: GitProgram, name: str, directory: str) -> list[Edit]:
    """Return every change of a file of some name, in all commits that refs lead to.

    A merge is there once for each parent from which it differs.

    Args:
        git: the repository.
        name: name of the file.
        directory: where it must stand, from the repository root.
    """
    where = pathspec(directory) if directory else f":(top,glob)**/{name}"
    done = git.check(
        *(*_PLAIN, "log", "-z", "--all", "--full-history", "--date-order", "-m", "--raw", "-r"),
        *("--no-abbrev", "--no-renames", "--encoding=UTF-8", "--no-color"),
        *("--format=%x01%H%x00%P%x00%aI%x00%s%x00", "--", where),
    )
    found = _edits(iter(done.output.split(b"\0")))
    return [edit for edit in found if edit.path.rpartition("/")[2] == name]


def _edits(fields: Iterator[bytes]) -> Iterator[Edit]:
    about: list[str] = []
    for field in fields:
        field = field.lstrip(b"\n")
        if field.startswith(_MARK):
            texts = [field[1:], *(next(fields) for _ in range(3))]
            about = [text.decode("utf-8", "replace") for text in texts]
        elif field.startswith(b":"):
            facts = field.decode().split(" ")
            old, new = (_id(mode, one) for mode, one in zip(facts[:2], facts[2:4], strict=True))
            commit, parents, date, subject = about
            yield Edit(
                commit=commit,
                parents=len(parents.split()),
                date=date,
                subject=subject,
                path=decode(next(fields)),
                old=old,
                new=new,
            )


def _id(mode: str, object_id: str) -> str:
    """Return the id of a file; none where there is no file."""
    return object_id if mode.lstrip(":").startswith("100") else ""


def refs_with(git: GitProgram, paths: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """Return the branches and tags that hold a file, by its path and the id of its content."""
    listed = git.check("for-each-ref", "--format=%(objectname) %(refname)")
    by_tip: dict[str, list[str]] = {}
    for line in listed.text.splitlines():
        tip, _, ref = line.partition(" ")
        by_tip.setdefault(tip, []).append(ref)
    # git takes a name in each line
    asked = {f"{tip}:{path}": (tip, path) for path in paths if "\n" not in path for tip in by_tip}
    found: dict[tuple[str, str], list[str]] = {}
    for name, answer in read_objects(git, asked).items():
        tip, path = asked[name]
        found.setdefault((path, answer.id), []).extend(by_tip[tip])
    return {key: sorted(refs) for key, refs in found.items()}


def abbreviations(git: GitProgram, commits: Iterable[str]) -> dict[str, str]:
    """Return hashes as short as is unique here, by the full ones."""
    hashes = sorted(set(commits))
    if not hashes:
        return {}
    plain = ("log", "--no-walk=unsorted", "--no-patch", "--format=%H %h", "--stdin")
    done = git.check(*_PLAIN, *plain, stdin="\n".join([*hashes, ""]).encode())
    return dict(line.split(" ") for line in done.text.splitlines())
