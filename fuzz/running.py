"""One target under libFuzzer, through atheris, which sees what branches of kvcs an input takes."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

MEMORY, LONGEST, LARGEST = 2048, 25, 65536  # megabytes, seconds for one input, bytes


def main(target: str, seconds: int, place: Path) -> None:
    """Fuzz one target; what it finds is written beside the corpus, and printed."""
    import atheris

    with atheris.instrument_imports(include=["kvcs", "fuzz"]):
        module = import_module(f"fuzz.{target}")
    corpus = place / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, example in enumerate(module.examples()):
        (corpus / f"example-{number}").write_bytes(example)
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={place}/{target}-",
        f"-rss_limit_mb={MEMORY}",
        f"-timeout={LONGEST}",
        f"-max_len={LARGEST}",
        "-print_final_stats=1",
    ]
    mutate = getattr(module, "mutated", None)
    given: dict[str, Any] = {"custom_mutator": _mutator(atheris, mutate)} if mutate else {}
    atheris.Setup([sys.argv[0], str(corpus), *options], module.one_input, **given)
    atheris.Fuzz()


def _mutator(atheris: Any, mutate: Any) -> Any:
    def mutator(data: bytes, most: int, seed: int) -> bytes:
        found = mutate(data, seed) if seed % 4 else None
        if found is None or len(found) > most:
            found = atheris.Mutate(data, most)
        return bytes(found)

    return mutator


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
