"""The scripts of the git hooks, which `kvcs init` copies into a repository."""

from __future__ import annotations

from pathlib import Path

HOOKS = ("pre-commit", "prepare-commit-msg", "post-checkout", "post-merge", "pre-push")


def script(name: str) -> bytes:
    """Return the script of one hook."""
    # A wheel holds them in the package; an editable installation is the project itself.
    inside, beside = Path(__file__).with_name("hooks"), Path(__file__).parents[2] / "hooks"
    return ((inside if inside.is_dir() else beside) / name).read_bytes()
