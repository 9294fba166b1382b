"""What Keras says, in one line."""

from __future__ import annotations

import re

MAX_WORDS = 500
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def reason(error: Exception) -> str:
    """Return the gist of an error of Keras: what it encountered, else its first paragraph."""
    # What follows is the whole config of the object, or the arguments of a call.
    said = re.split(r"Full object config:|\n\s*Arguments received by", str(error))[0]
    lines = [line.strip() for line in _COLOUR.sub("", said).strip().splitlines()]
    encountered = [line for line in lines if line.startswith("Exception encountered: ")]
    if encountered:
        return encountered[-1][:MAX_WORDS]
    gist = [" ".join(paragraph) for paragraph in _paragraphs(lines)]
    if len(gist) > 1 and gist[0].startswith("Exception encountered when calling"):
        return f"{gist[0]} {gist[1]}"[:MAX_WORDS]
    return (gist[0] if gist else type(error).__name__)[:MAX_WORDS]


def _paragraphs(lines: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines:
        if line:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [paragraph for paragraph in found if paragraph]
