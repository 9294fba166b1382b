"""The real Mermaid, in one Node process for all diagrams that a module has read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PLACE = Path(__file__).parent / "mermaid"

with_mermaid = pytest.mark.skipif(
    shutil.which("node") is None or not (PLACE / "node_modules" / "mermaid").is_dir(),
    reason="Mermaid is not installed: run `npm ci` in tests/mermaid.",
)


@dataclass(frozen=True)
class Mermaid:
    """The process; it reads diagrams one by one."""

    process: subprocess.Popen[str]

    def read(self, diagram: Sequence[str]) -> dict[str, Any]:
        """Return what Mermaid understood, or `error`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{json.dumps(chr(10).join(diagram))}\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


@contextmanager
def running() -> Iterator[Mermaid]:
    """Start the process, and end it."""
    with subprocess.Popen(
        ["node", "parse.mjs"], cwd=PLACE, text=True, encoding="utf-8",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        yield Mermaid(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def shown(label: str) -> str:
    """Return a label as the browser shows it; Mermaid has put its numbers between marks."""
    lines = label.replace("<br>", "\n")
    return re.sub("ﬂ°°([0-9]+)¶ß", lambda found: chr(int(found[1])), lines)
