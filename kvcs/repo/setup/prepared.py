"""The file in which git prepares the message of a commit: message, then comments, then a cut."""

from __future__ import annotations

import codecs
import os
from collections.abc import Sequence
from dataclasses import dataclass

from kvcs.repo.program import GitProgram
from kvcs.repo.setup.settings import get

# Behind this line git cuts everything off.
_SCISSORS = b" ------------------------ >8 ------------------------"

# What git picks from when `core.commentChar` is `auto`.
_AUTOMATIC = (b"#", b";", b"@", b"!", b"$", b"%", b"^", b"&", b"|", b":")


@dataclass(frozen=True, slots=True)
class Prepared:
    """The lines of such a file.

    Attributes:
        body: the message.
        comments: lines below it that git takes away.
        cut: the line behind which git cuts everything off, and what follows; often nothing.
        mark: what a comment begins with.
    """

    body: tuple[bytes, ...]
    comments: tuple[bytes, ...]
    cut: tuple[bytes, ...]
    mark: bytes

    def with_comment(self, lines: Sequence[str]) -> bytes:
        """Return the file with more comments, where git is sure to take them away."""
        more = [self.mark + b" " + line.encode("utf-8", "surrogateescape") for line in lines]
        if not self.cut:
            return _joined(self.body, [b""], more, [self.mark], _without_blank(self.comments))
        # How git cleans up is not told to a hook; below the cut it does not matter.
        at = next((n for n, line in enumerate(self.cut) if not line.startswith(self.mark)), None)
        cut = self.cut[:at], () if at is None else self.cut[at:]
        return _joined(self.body, self.comments, cut[0], [self.mark], more, cut[1])

    def with_text(self, git: GitProgram, lines: Sequence[str]) -> bytes | None:
        """Return the file with more text, in front of trailers; None where it adds nothing."""
        if not self.body and os.environ.get("GIT_EDITOR") == ":":
            return None  # git will refuse the empty message, and should
        encoding = _known_encoding(get(git, "i18n.commitEncoding") or "utf-8")
        more = [line.encode(encoding, "backslashreplace") for line in lines]
        more = [line for line in more if line not in self.body]
        if not more:
            return None
        at = self._trailers(git)
        text, trailers = _trimmed(self.body[:at]), self.body[at:]
        below = [b"", *trailers] if trailers else []
        rest = [b"", *_without_blank(self.comments)] if self.comments else []
        return _joined(text or [b""], [b""], more, below, rest, self.cut)

    def _trailers(self, git: GitProgram) -> int:
        """Return where the last paragraph begins, if it is one of trailers."""
        if b"" not in self.body:
            return len(self.body)
        options = ("--only-trailers", "--only-input", "--no-divider")
        found = git.check("interpret-trailers", *options, stdin=_joined(self.body)).output
        last = len(self.body) - self.body[::-1].index(b"")
        return last if found.strip() else len(self.body)


def take_apart(git: GitProgram, content: bytes) -> Prepared | None:
    """Take such a file apart; None where no one can tell what its comments begin with."""
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    ends = [n for n, line in enumerate(lines) if line.endswith(_SCISSORS)]
    at = ends[0] if ends else len(lines)
    mark = _mark(git, lines[:at], lines[at].removesuffix(_SCISSORS) if ends else b"")
    if mark is None:
        return None
    end = at
    while end and (not lines[end - 1].strip() or lines[end - 1].startswith(mark)):
        end -= 1
    return Prepared(tuple(lines[:end]), tuple(lines[end:at]), tuple(lines[at:]), mark)


def _mark(git: GitProgram, lines: Sequence[bytes], of_cut: bytes) -> bytes | None:
    setting = get(git, "core.commentString") or get(git, "core.commentChar") or "#"
    if setting != "auto":
        return setting.encode("utf-8", "surrogateescape")
    if of_cut:
        return of_cut
    last = next((line for line in reversed(lines) if line.strip()), b"")
    return last[:1] if last[:1] in _AUTOMATIC else None


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


def _without_blank(lines: Sequence[bytes]) -> Sequence[bytes]:
    start = next((n for n, line in enumerate(lines) if line.strip()), len(lines))
    return lines[start:]


def _trimmed(lines: Sequence[bytes]) -> list[bytes]:
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _joined(*parts: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for part in parts for line in part)
