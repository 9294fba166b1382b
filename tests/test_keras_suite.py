"""The short form of the acceptance suite: some of Keras' own tests, through kvcs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_models_of_keras_own_tests_come_back(tmp_path: Path) -> None:
    suite = Path(__file__).parent / "keras_suite"
    run = [sys.executable, "-W", "ignore", str(suite), "--short", "-n0"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
