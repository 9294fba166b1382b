"""Live Keras models: the one place that imports Keras.

`capture` describes a live model as data, `restore` builds a live model from such data. Importing
this package imports Keras and its backend, which takes seconds; whoever needs no live model must
not import it.
"""

from __future__ import annotations

from kvcs.errors import KvcsError

OLDEST_KERAS = (3, 6)

try:
    import keras
except ModuleNotFoundError as error:
    raise KvcsError(
        f"a live model needs Keras and a backend, and {error.name} is not installed: "
        "pip install 'kvcs[tensorflow]' (or [jax], [torch])"
    ) from None

if tuple(int(part) for part in keras.__version__.split(".")[:2]) < OLDEST_KERAS:
    raise KvcsError(f"kvcs needs Keras 3.6 or newer, this is {keras.__version__}: upgrade keras")
