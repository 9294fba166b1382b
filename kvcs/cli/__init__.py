"""The command line: arguments in, a command called, its result printed, an exit code out.

Exit codes: 0 done; 1 damage found, or what a command was asked to find out (a difference, no such
model, something missing); 2 could not run, with one line that says what to do; 130 interrupted; 141
nobody reads the output any more. Only errors that kvcs raises on purpose become
such a line: a bug keeps its traceback (and exits with 2, for 1 would say that damage was found).

| module                                     | its job                                  |
|--------------------------------------------|------------------------------------------|
| `program.py`                               | `run`: the streams, errors, the exit code |
| `group.py`                                 | `kvcs` itself, and all of its commands   |
| `models.py`, `comparing.py`, …             | the commands: options and what is printed |
| `options.py`, `output.py`                  | what several commands share              |
"""

from __future__ import annotations

from kvcs.cli.program import run

__all__ = ["run"]
