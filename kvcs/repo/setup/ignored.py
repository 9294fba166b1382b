"""Rules by which git ignores files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kvcs.repo.program import GitProgram, decode


def rules_that_ignore(git: GitProgram, top: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the rules that leave out paths from the top of the work tree, with one path each."""
    names = "".join(f"{top / path}\0" for path in paths).encode("utf-8", "surrogateescape")
    # Also what git tracks already: the next file in its place would be left out.
    done = git.run("check-ignore", "--verbose", "--no-index", "-z", "--stdin", stdin=names)
    texts = [decode(record) for record in done.records]
    found: dict[str, str] = {}
    for at in range(0, len(texts), 4):
        source, line, pattern, path = texts[at : at + 4]
        if not pattern.startswith("!"):
            below = Path(path).relative_to(top).as_posix()
            found.setdefault(f"{pattern!r} in {source}, line {line}", below)
    return found
