"""The commits that touched a model."""

from __future__ import annotations

from dataclasses import dataclass

from kvcs.repo.place import pathspec
from kvcs.repo.program import GitProgram

# One record per field and commit. Trailers are separated by a character that no commit message
# can have sensibly, since %x00 already ends the field.
_BETWEEN_TRAILERS = "\x1e"
_FIELDS = ("%H", "%h", "%an", "%aI", "%s", "%(trailers:only=true,unfold=true,separator=%x1e)")

# Settings of the user that would change what `git log` prints or follows.
_PLAIN = ("-c", "log.showSignature=false", "-c", "log.follow=false")


@dataclass(frozen=True)
class Version:
    """One commit that touched a model.

    Attributes:
        hash: the full hash.
        abbrev: the hash as short as is unique here.
        author: the author's name.
        date: the author's date, strict ISO 8601 with its offset from UTC.
        subject: the first paragraph of the message, in one line.
        trailers: key and value of each trailer, in order.
    """

    hash: str
    abbrev: str
    author: str
    date: str
    subject: str
    trailers: tuple[tuple[str, str], ...]


def read_history(git: GitProgram, path: str, revision: str, limit: int | None) -> list[Version]:
    """Return the newest `limit` commits reachable from a full hash that touched the path."""
    done = git.check(
        *_PLAIN,
        "log",
        "-z",
        "--encoding=UTF-8",
        "--no-color",
        "--format=" + "%x00".join(_FIELDS),
        *([] if limit is None else [f"--max-count={limit}"]),
        revision,
        "--",
        pathspec(path),
    )
    texts = [record.decode("utf-8", "replace") for record in done.records]
    size = len(_FIELDS)
    return [_version(*texts[at : at + size]) for at in range(0, len(texts), size)]


def _version(
    commit: str, abbrev: str, author: str, date: str, subject: str, trailers: str
) -> Version:
    lines = [line for line in trailers.split(_BETWEEN_TRAILERS) if line]
    return Version(commit, abbrev, author, date, subject, tuple(_trailer(line) for line in lines))


def _trailer(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()
