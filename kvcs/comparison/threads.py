"""Two things done at the same time, where most of the work is done outside of Python."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

LARGE = 1 << 16  # elements of a tensor; below it a thread costs more than it saves


def both(one: Callable[[], T], other: Callable[[], T]) -> tuple[T, T]:
    """Return what two functions return; if both fail, the error of the first one is raised."""
    second = _thread().submit(other)
    try:
        first = one()
    finally:
        second.exception()  # wait: nothing goes on behind the caller's back
    return first, second.result()


@lru_cache(maxsize=1)
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "kvcs-comparison")
