"""A file that Keras saved, as data: read without Keras where that is certain, else through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, Protocol

from kvcs.commands.fetching import fetch
from kvcs.commands.operand import is_saved_file, opened
from kvcs.commands.quiet import quiet_start
from kvcs.errors import RestoreError
from kvcs.keras_files import NeedsKerasError
from kvcs.npy import Array
from kvcs.spec import MISSING, StoredModel
from kvcs.tree.writer import TRAINING


class Described(Protocol):
    """A model as data, and what stands at every path: see `kvcs.tree.writer.files`."""

    @property
    def model(self) -> StoredModel:
        """The model as data."""

    @property
    def contents(self) -> Mapping[str, Callable[[], Array | bytes]]:
        """Its tensors and assets, on call."""


@contextmanager
def opened_file(
    path: str,
    *,
    optimizer: bool = True,
    custom_objects: Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    compile: bool = True,  # noqa: A002  (Keras' own word for it)
    safe_mode: bool = True,
) -> Iterator[Described]:
    """Open a file that Keras saved; Keras is imported only when it alone can tell what is in it.

    Raises:
        RefusedError: Keras is needed, and something in the file is neither known nor given.
        RestoreError: the file is damaged, or Keras is needed and cannot load it or is not there.
    """
    from kvcs.keras_files import reading

    with ExitStack() as stack:
        found: Described
        try:
            found = stack.enter_context(reading.opened(path, optimizer=optimizer and compile))
            found = found if compile else _Stored(uncompiled(found.model), found.contents)
        except NeedsKerasError as error:
            start_keras_for(path, error)
            from kvcs.keras_files.inspecting import inspected
            from kvcs.keras_io.capture import capture
            from kvcs.keras_io.files import load_file

            model = load_file(
                path,
                inspected(path),
                custom_objects=custom_objects,
                allow=allow,
                compile=compile,
                safe_mode=safe_mode,
            )
            found = capture(model, optimizer=optimizer)
        yield found


@contextmanager
def opened_model(operand: str) -> Iterator[Described]:
    """Open a model directory, a revision or a file that Keras saved, without Keras.

    Raises:
        NeedsKerasError: Keras alone can tell what is in the file.
        KvcsError: there is no such model, or it is damaged.
    """
    if is_saved_file(operand):
        from kvcs.keras_files import reading

        with reading.opened(operand) as found:
            yield found
        return
    with opened(operand) as stored:
        fetch(stored.files)
        model = stored.model()
        yield _Stored(model, stored.contents(model))


@dataclass(frozen=True, slots=True)
class _Stored:
    model: StoredModel
    contents: Mapping[str, Callable[[], Array | bytes]]


def uncompiled(stored: StoredModel) -> StoredModel:
    """Leave out what `compile()` was given."""
    names = {
        key: name for key, name in stored.live_names.items() if not key.startswith(f"{TRAINING}#")
    }
    return replace(stored, training=MISSING, optimizer=MISSING, live_names=names)


def start_keras_for(what: str, reason: NeedsKerasError) -> None:
    """Import Keras quietly.

    Raises:
        RestoreError: it is not installed; the text says why it would be needed.
    """
    if find_spec("keras") is None:
        raise RestoreError(
            f"{what} needs Keras, which is not installed: {reason}. "
            "Install it with a backend: pip install 'kvcs[tensorflow]' (or [jax], [torch])"
        ) from reason
    quiet_start()
