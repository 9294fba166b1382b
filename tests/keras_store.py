"""`save` and `load` as Keras' own acceptance suite wants them."""

from __future__ import annotations

from typing import Any

import kvcs


def save(model: Any, directory: str) -> None:
    kvcs.save(model, directory)


def load(directory: str, **options: Any) -> Any:
    return kvcs.load(directory, **options)
