"""`python -m kvcs`."""

from kvcs.cli import run

run()
