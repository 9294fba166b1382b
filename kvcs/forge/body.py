"""Whether a comment that others could have written is harmless.

A workflow that runs for a fork does what the fork says, so what it made is anybody's text, about to
be published by a token that may write. It is taken only if it could have been written by kvcs: what
is said outside of code are plain words, and what others name stands in code.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kvcs.errors import ForgeError
from kvcs.forge.sticky import MARKER

if TYPE_CHECKING:
    from markdown_it.token import Token

LONGEST = 65_536  # characters that GitHub takes

_BLOCKS = (
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "hr",
    "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close",
    "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close",
    "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close",
)  # fmt: skip
_INLINE = (
    "code_inline", "softbreak", "strong_open", "strong_close", "em_open", "em_close",
)  # fmt: skip
_LANGUAGES = ("", "diff", "sh", "mermaid")
# Mentions, issues, commits, HTML, links, formulas; GitLab has more references, and would do what a
# line that begins with / says.
_ACTIVE = re.compile(
    r"[@#<>\[\]$~`]|[!%&^]\w|://|www\.|\bGH-\d|\b(?=[a-f]*\d)[0-9a-f]{7,64}\b|^\s*/",
    re.IGNORECASE | re.MULTILINE,
)
_FOLDED = re.compile(r"(<details( open)?><summary>[^<>@#&\[\]`$/]*</summary>|</details>)\s*")
# Statements that kvcs writes, with labels in which nothing is anything but text. Mermaid has many
# more, which link, load pictures, or configure Mermaid itself.
_LABEL = r'"(?:[^\x00-\x7f]|[A-Za-z0-9 ,._]|\#\d+;|<br>)*"'
_DRAWN = re.compile(
    rf"""
    flowchart\ (?:LR|TD)
    | n\d+[\[\](){{}}/]{{1,2}}{_LABEL}[\[\](){{}}/]{{1,2}}
    | n\d+\ (?:-->|==>|-\.->)(?:\|{_LABEL}\|)?\ n\d+
    | classDef\ [a-z]+\ [\w:\#,\ -]+
    | class\ n\d+(?:,n\d+)*\ [a-z]+
    """,
    re.VERBOSE | re.ASCII,
)


def read(path: Path) -> str:
    """Return the comment in a file of unknown origin.

    Raises:
        ForgeError: it is not there, too long, or not what kvcs writes.
    """
    try:
        # A link could name any file of this machine.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ForgeError(f"{path} is no file")
            content = file.read(4 * LONGEST + 1)
    except OSError as error:
        raise ForgeError(f"there is no comment in {path}: {error.strerror}") from None
    try:
        body = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ForgeError(f"the comment in {path} is not UTF-8, and not written by kvcs") from None
    refuse_active(body, str(path))
    return body


def refuse_active(body: str, name: str) -> None:
    """Refuse a comment that could do more than be read.

    Args:
        body: the comment.
        name: what to call it.

    Raises:
        ForgeError: there is something in it that kvcs does not write; the text says what.
    """
    if len(body) > LONGEST:
        raise ForgeError(f"the comment in {name} has more than {LONGEST:,} characters")
    if not all(char == "\n" or char.isprintable() for char in body):
        raise ForgeError(f"the comment in {name} holds characters that cannot be seen")
    first, _, rest = body.partition("\n")
    if first != MARKER:
        raise ForgeError(f"the comment in {name} does not begin with {MARKER}")
    for what in _active(rest):
        raise ForgeError(f"the comment in {name} holds {what}, which kvcs does not write")


def _active(text: str) -> Iterator[str]:
    """Yield what is more than words and code."""
    try:
        from markdown_it import MarkdownIt
    except ModuleNotFoundError:
        raise ForgeError("comments need markdown-it-py: pip install 'kvcs[ci]'") from None

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    for token in parser.parse(text):
        if token.type == "fence":
            yield from _fence(token)
        elif token.type == "html_block":
            if not _FOLDED.fullmatch(token.content):
                yield "HTML"
        elif token.type not in _BLOCKS:
            yield f"a {token.type}"
        yield from _line(token.children or [])


def _fence(token: Token) -> Iterator[str]:
    if token.info not in _LANGUAGES:
        yield "code in another language"
    if token.info == "mermaid" and not all(map(_DRAWN.fullmatch, token.content.splitlines())):
        yield "a graph with other statements"


def _line(tokens: list[Token]) -> Iterator[str]:
    inside = False
    for token in tokens:
        if token.type == "html_inline":
            if token.content != ("</code>" if inside else "<code>"):
                yield "HTML"
            inside = not inside
        elif token.type in ("text", "text_special"):
            if not inside and _ACTIVE.search(token.content):
                yield "a mention or a link"
        elif inside or token.type not in _INLINE:
            yield f"a {token.type}"
    if inside:
        yield "HTML"
