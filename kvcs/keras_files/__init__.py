"""Files that Keras saved, read and written without Keras.

A `.keras` archive holds the model's config as JSON, its arrays in HDF5 by numbered paths
(`layers/dense_1/vars/0`), and vocabularies. What the numbers mean is known for Keras' own classes
from `tables.json`, which `tools/keras_tables.py` writes from the installed Keras.

`reading.opened` turns such a file into a `StoredModel`, and is the way in; `writing.write` is the
way out. Whatever cannot be known for certain raises `NeedsKerasError`, and the caller asks Keras.
"""

from __future__ import annotations

from kvcs.errors import KvcsError


class NeedsKerasError(KvcsError):
    """Only Keras itself can tell what stands in the file, or write it; the text says why."""
