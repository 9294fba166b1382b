"""The files by which a step tells GitHub what came out: its outputs, and the job's summary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kvcs.errors import KvcsError


def tell(environment: Mapping[str, str], outputs: Mapping[str, str], summary: str) -> None:
    """Append to the files that GitHub named; elsewhere, do nothing.

    Raises:
        KvcsError: they cannot be written.
    """
    lines = "".join(assignment(name, value) for name, value in outputs.items())
    for variable, text in (("GITHUB_OUTPUT", lines), ("GITHUB_STEP_SUMMARY", summary)):
        if environment.get(variable):
            _append(Path(environment[variable]), text)


def assignment(name: str, value: str) -> str:
    """Return an output as lines between delimiters, of which none stands in the value."""
    delimiter = "kvcs"
    while delimiter in value:
        delimiter += "_"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise KvcsError(f"{path} cannot be written: {error.strerror}") from None
