"""The house keeps its own rules: style, types and the direction of imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "."], id="lint"),
        pytest.param(["ruff", "format", "--check", "."], id="format"),
        pytest.param(["mypy"], id="types"),
        pytest.param(["importlinter.cli", "lint"], id="imports"),
    ],
)
def test_holds(command: list[str]) -> None:
    script = "import sys; from importlinter.cli import lint_imports_command as f; sys.exit(f())"
    run = ["-c", script] if command[0] == "importlinter.cli" else ["-m", *command]
    done = subprocess.run(
        [sys.executable, *run], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
