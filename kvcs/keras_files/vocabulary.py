"""Vocabularies of lookup layers: lines of text in a file of Keras, a list in JSON in kvcs."""

from __future__ import annotations

from collections.abc import Mapping

from kvcs import canon
from kvcs.errors import SaveError
from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.weights import Part
from kvcs.spec import Value

IN_KERAS, IN_KVCS = "vocabulary.txt", "vocabulary.json"
LOOKUP = "_lookup_layer"  # where TextVectorization keeps the layer that it saves, too


def places(part: Part) -> tuple[str, list[str]] | None:
    """Return where the vocabulary of a layer is: its asset, and the files that Keras writes."""
    if not part.what.extra:
        return None
    if part.what.extra == (".",):
        return part.below(IN_KVCS), [f"{part.stored}/{IN_KERAS}"]
    key = part.below(LOOKUP.lstrip("_"))
    return f"{key}/{IN_KVCS}", [f"{part.stored}/{inner}{IN_KERAS}" for inner in ("", f"{LOOKUP}/")]


def to_asset(text: bytes, config: Mapping[str, Value]) -> bytes:
    """Return what Keras wrote as an asset; nothing, if it holds special tokens only.

    Raises:
        NeedsKerasError: Keras would read other tokens than it wrote.
    """
    try:
        tokens: list[str] = text.decode().splitlines()
    except UnicodeDecodeError:
        raise NeedsKerasError("a vocabulary in it is not UTF-8") from None
    if "\n".join(tokens).encode() != text:
        raise NeedsKerasError("a vocabulary in it does not come back as it was")
    if len(tokens) == _special(config):
        return b""
    integers = config.get("vocabulary_dtype") in ("int32", "int64")
    return canon.dumps([int(token) if integers else token for token in tokens])


def _special(config: Mapping[str, Value]) -> int:
    """Count the tokens for what is masked and for what is not known."""
    if "num_oov_indices" not in config:  # TextVectorization
        return 2 if config.get("output_mode") == "int" else 1
    masks = config.get("mask_token") is not None and config.get("output_mode") == "int"
    return int(config["num_oov_indices"]) + masks


def to_text(asset: bytes, place: str) -> bytes:
    """Return an asset as Keras writes it.

    Raises:
        SaveError: Keras would read other tokens.
    """
    tokens = [str(token) for token in canon.loads(asset)]
    text = "\n".join(tokens)
    if text.splitlines() != tokens:
        raise SaveError(
            f"the vocabulary of {place!r} has a token with a line break, or an empty one at the "
            "end, and a .keras file holds one token a line: use kvcs.load instead"
        )
    return text.encode()
