"""`python -m fuzz SECONDS [TARGET]...`: one target after the other, each for so long."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from fuzz import TARGETS

# What libFuzzer ends with, where it is the fault of a library: in HDF5, 70 is a loop without end.
KNOWN = {"h5_file": (70,)}


def main() -> int:
    """Run targets; return how many of them found something."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("seconds", type=int, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz"), help="kept between runs")
    given = parser.parse_args()
    found = 0
    for target in given.targets or TARGETS:
        if target not in TARGETS:
            parser.error(f"there is no target {target}: choose from {', '.join(TARGETS)}")
        # Each in a process of its own: libFuzzer ends the one it runs in.
        command = [sys.executable, "-m", "fuzz.running", target]
        done = subprocess.run([*command, str(given.seconds), str(given.corpus)], check=False)
        failed = done.returncode not in (0, *KNOWN.get(target, ()))
        print(f"{target}: {'FOUND SOMETHING' if failed else 'nothing found'}")
        found += failed
    return found


if __name__ == "__main__":
    sys.exit(main())
