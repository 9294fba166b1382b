"""Which files are stored as they are, and which ones git converts on their way in.

Attributes and settings can let git run a filter (such as Git LFS), change the ends of lines, the
encoding, or keywords. What such a file becomes, git alone decides; the others need no git to
become a blob.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from kvcs.repo.object_settings import Settings
from kvcs.repo.program import GitProgram

_ATTRIBUTES = ("text", "eol", "crlf", "filter", "ident", "working-tree-encoding")
_CONVERTING = ("filter", "ident", "working-tree-encoding")
_UNSET = ("unset", "unspecified")

# git's own look at the beginning of a file is as long.
_HEAD = 8000
_LARGE = 1 << 20


def stored_as_they_are(
    git: GitProgram, settings: Settings, files: Mapping[bytes, Path]
) -> set[bytes]:
    """Return which of some files `git add` would store as they are.

    Args:
        git: the program, to ask for attributes.
        settings: the settings of the repository.
        files: the files by their path in the repository.
    """
    if not files:
        return set()
    by_file = {bytes(place): path for path, place in files.items()}
    question = b"".join(name + b"\0" for name in by_file)
    answer = git.check("check-attr", "-z", "--stdin", *_ATTRIBUTES, stdin=question).records
    attributes: dict[bytes, dict[str, str]] = {}
    for name, attribute, value in _triples(answer):
        attributes.setdefault(name, {})[attribute.decode()] = value.decode("utf-8", "replace")
    return {
        path
        for name, path in by_file.items()
        if _is_kept(attributes.get(name, {}), settings, files[path])
    }


def _triples(records: list[bytes]) -> Iterable[tuple[bytes, bytes, bytes]]:
    return zip(*(iter(records),) * 3, strict=True)


def _is_kept(attributes: Mapping[str, str], settings: Settings, place: Path) -> bool:
    if any(attributes.get(name) not in _UNSET for name in _CONVERTING):
        return False
    lines = _lines(attributes, settings)
    if lines == "kept":
        return True
    if settings.is_on("core.safecrlf"):  # "warn" too: git has something to say
        return False
    with place.open("rb") as file:
        head = file.read(_HEAD)
        if lines == "guessed" and b"\0" in head:
            return True
        if place.stat().st_size > _LARGE:
            return False
        return b"\r" not in head + file.read()


def _lines(attributes: Mapping[str, str], settings: Settings) -> str:
    """Tell whether the ends of lines are kept, converted, or git guesses by the content."""
    text, eol, crlf = (attributes.get(name, "") for name in ("text", "eol", "crlf"))
    if text == "unset":
        return "kept"
    if text == "auto":
        return "guessed"
    if text != "unspecified" or eol not in _UNSET or crlf != "unspecified":
        return "converted"
    return "guessed" if settings.is_on("core.autocrlf") else "kept"
