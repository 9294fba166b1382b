"""A quiet start: Keras imported without the notices that its backend prints on the way."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2


def quiet_start() -> None:
    """Import `kvcs.keras_io`, and with it Keras, without a word on stderr.

    For the command line, which has nothing to say about GPUs and instruction sets. When the
    import fails, what was printed on the way is shown, for it may say why.

    Raises:
        KvcsError: Keras is not installed, or too old.
    """
    with stderr_held_back():
        import kvcs.keras_io  # noqa: F401
    logging.getLogger("absl").setLevel(logging.ERROR)  # Keras' hints on legacy files


@contextmanager
def stderr_held_back() -> Iterator[None]:
    """Hold back all that the process writes to stderr; show it only if the body raises.

    Libraries in C++ write to the file descriptor itself, and TensorFlow does so before it reads
    `TF_CPP_MIN_LOG_LEVEL`: what `contextlib.redirect_stderr` does is not enough.
    """
    stderr = _second_name()
    if stderr is None:
        yield
        return
    # A file, since a pipe that nobody empties would fill up and stop the writer.
    with tempfile.TemporaryFile() as held:
        _flush()
        os.dup2(held.fileno(), STDERR)
        try:
            yield
        except Exception:
            _flush()
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            _flush()
            os.dup2(stderr, STDERR)
            os.close(stderr)


def _second_name() -> int | None:
    """Duplicate stderr; None where it is closed, as after `2>&-`, and nothing can be held back."""
    try:
        return os.dup(STDERR)
    except OSError:
        return None


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
