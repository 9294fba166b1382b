"""Commit messages and their trailers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kvcs.errors import RepositoryError
from kvcs.repo.program import GitProgram

_KEY = re.compile(r"[A-Za-z0-9-]+")


def compose(git: GitProgram, message: str, trailers: Sequence[tuple[str, str]]) -> bytes:
    """Return the message with the trailers in its trailer block.

    Raises:
        RepositoryError: for an empty message, and for trailers that would not read back.
    """
    if not message.strip():
        raise RepositoryError("The commit message is empty; say what this version of the model is.")
    text = message.rstrip("\n").encode("utf-8", "surrogateescape") + b"\n"
    if not trailers:
        return text
    # Without a divider, since "---" in a message is a line like any other. A '#' at its end is
    # no comment either, but git offers only to name another character for it.
    command = ("-c", "core.commentChar=\x01", "interpret-trailers", "--no-divider")
    arguments = [f"--trailer={_checked(key)}: {_one_line(key, value)}" for key, value in trailers]
    return git.check(*command, *arguments, stdin=text).output


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise RepositoryError(f"'{key}' cannot name a trailer: use letters, digits and '-' only.")
    return key


def _one_line(key: str, value: str) -> str:
    if len(value.splitlines()) > 1 or value.endswith(("\n", "\r")):
        raise RepositoryError(f"The value of trailer '{key}' has more than one line.")
    if not value.strip():
        raise RepositoryError(f"The value of trailer '{key}' is empty.")
    return value
