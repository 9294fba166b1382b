"""What Keras says, in one line."""

from __future__ import annotations

MAX_WORDS = 500


def reason(error: Exception) -> str:
    """Return the gist of an error of Keras: what it encountered, else its first paragraph."""
    # What follows is the whole config of the object.
    said = str(error).partition("Full object config:")[0]
    lines = [line.strip() for line in said.strip().splitlines()]
    encountered = [line for line in lines if line.startswith("Exception encountered")]
    if encountered:
        return encountered[-1][:MAX_WORDS]
    first = lines[: lines.index("")] if "" in lines else lines
    return " ".join(first)[:MAX_WORDS] or type(error).__name__
