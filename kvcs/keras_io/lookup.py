"""The vocabularies of lookup layers, any token in them, as a list in JSON.

Keras writes one token a line. So it splits tokens at line breaks, of which Unicode has many, drops
empty ones at the end, and cannot read back padded weights of `tf_idf`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras.src.layers.preprocessing.index_lookup import IndexLookup

from kvcs import canon
from kvcs.errors import FormatError, RestoreError, SaveError
from kvcs.npy import Array

VOCABULARY = "vocabulary.json"
IDF_WEIGHTS = "idf_weights"  # the key of its `save_own_variables`


def is_lookup(part: Any) -> bool:
    """Tell the layers that hold a vocabulary of their own."""
    return isinstance(part, IndexLookup)


def is_wrapper(part: Any) -> bool:
    """Tell the layers whose vocabulary is that of a lookup layer inside."""
    return isinstance(part, keras.layers.TextVectorization)


def settings(part: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a layer without the path of a vocabulary's file, which may be gone."""
    named = (is_lookup(part) or is_wrapper(part)) and isinstance(config.get("vocabulary"), str)
    return {**config, "vocabulary": None} if named else dict(config)


def saved_vocabulary(part: Any) -> dict[str, bytes]:
    """Return the vocabulary as an asset, unless the config holds it or there is none.

    Raises:
        SaveError: a token is no text.
    """
    if part.input_vocabulary is not None and not isinstance(part.input_vocabulary, str):
        return {}
    try:
        tokens = _tokens(part)
    except UnicodeDecodeError as error:
        raise SaveError(
            f"a token of {type(part).__name__} {part.name!r} is not UTF-8 ({error})"
        ) from error
    if len(tokens) == part._token_start_index():
        return {}
    return {VOCABULARY: canon.dumps(tokens)}


def _tokens(part: Any) -> list[Any]:
    kind = str if part.vocabulary_dtype == "string" else int
    return [kind(token) for token in part.get_vocabulary(include_special_tokens=True)]


def load_vocabulary(part: Any, assets: Mapping[str, bytes], idf_weights: Array | None) -> None:
    """Give a lookup layer the vocabulary that was saved.

    Raises:
        RestoreError: it is not there, or the layer does not take it as it is.
    """
    try:
        tokens = canon.loads(assets[VOCABULARY])
        if not isinstance(tokens, list):  # the path of a file, which Keras would read
            raise TypeError(f"expected a list of tokens, got {type(tokens).__name__}")
        given = {} if idf_weights is None else {"idf_weights": idf_weights[: len(tokens)]}
        part.set_vocabulary(tokens, **given)
    except (LookupError, FormatError, TypeError, ValueError) as error:
        raise RestoreError(
            f"{type(part).__name__} {part.name!r} cannot take its vocabulary: {error}"
        ) from error
    if _tokens(part) != tokens:
        raise RestoreError(f"{type(part).__name__} {part.name!r} changes the tokens it is given")
