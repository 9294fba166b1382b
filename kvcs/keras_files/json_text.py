"""The JSON of `model.to_json()` of Keras 3 as data: a model without its weights."""

from __future__ import annotations

from kvcs.errors import RestoreError
from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.archive import parsed
from kvcs.keras_files.describing import described
from kvcs.keras_files.reading import STRANGE
from kvcs.spec import StoredModel


def model_of(text: str, what: str) -> StoredModel:
    """Describe the model that a JSON text describes.

    Args:
        text: the JSON.
        what: what to call it in errors.

    Raises:
        RestoreError: it describes no model.
        NeedsKerasError: only Keras can tell what it describes.
    """
    config = parsed(text, what)
    if "layers" not in config and not {"class_name", "config"} <= config.keys():
        raise RestoreError(
            f"{what} does not describe a Keras model: expected an object with the keys "
            "'class_name' and 'config', as model.to_json() returns, or with a list of 'layers'"
        )
    version = str(config.get("keras_version", ""))
    if "module" not in config or version.startswith(("1.", "2.")):
        raise NeedsKerasError("it was written by Keras 2, or by hand")
    try:
        return described(config, "", None, {}).model
    except STRANGE as error:
        raise NeedsKerasError(f"it is not as Keras writes it ({error!r})") from error
