"""A model as data becomes a `.keras` archive that Keras reads; the same model, the same bytes."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import h5py
import numpy as np

from kvcs.errors import SaveError
from kvcs.keras_files import NeedsKerasError, tables, vocabulary
from kvcs.keras_files.archive import ASSETS, CONFIG, METADATA, WEIGHTS
from kvcs.keras_files.config import config_json
from kvcs.keras_files.plan import Plan, plan_optimizer, planned
from kvcs.keras_files.reading import STRANGE
from kvcs.npy import Array
from kvcs.spec import MISSING, StoredModel

Contents = Mapping[str, Callable[[], Array | bytes]]
LONG_AGO = (1980, 1, 1, 0, 0, 0)
DATE_SAVED = "1980-01-01@00:00:00"
COPY_BYTES = 1 << 20


def write(stored: StoredModel, contents: Contents, path: Path) -> None:
    """Write a `.keras` file.

    Args:
        stored: the model as data.
        contents: its tensors and assets by path; each is read once.
        path: the file to write.

    Raises:
        NeedsKerasError: only Keras can write it.
        SaveError: Keras has no way to store it.
        OSError: the file cannot be written.
    """
    version = stored.keras_version or ".".join(map(str, (*tables.keras_version(), 0)))
    if not () < tables.version_of(version) <= tables.keras_version():
        raise NeedsKerasError(f"it was described by Keras {version}")
    try:
        text, plan = _planned(stored)
    except STRANGE as error:
        raise NeedsKerasError(f"a config in it is not as Keras writes it ({error!r})") from error
    metadata = {"keras_version": version, "date_saved": DATE_SAVED}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(_member(METADATA), json.dumps(metadata))
        archive.writestr(_member(CONFIG), text)
        with tempfile.TemporaryFile(dir=path.parent) as file:
            _write_arrays(file, plan, contents)
            _copy(file, archive)
        for name, key in plan.vocabularies.items():
            words = vocabulary.to_text(bytes(contents[key]()), key)
            archive.writestr(_member(f"{ASSETS}{name}"), words)


def _planned(stored: StoredModel) -> tuple[str, Plan]:
    """Return the config as JSON, and where each array will stand."""
    config = config_json(stored)
    plan = planned(stored, config)
    if stored.optimizer is not MISSING and stored.training is not MISSING:
        _check_policy(stored)
        plan_optimizer(plan, stored, stored.optimizer, config)
    return json.dumps(config), plan


def _check_policy(stored: StoredModel) -> None:
    policy = stored.model.config.get("dtype")
    name = policy.get("config", {}).get("name") if isinstance(policy, dict) else policy
    if stored.model.build != "class" and name == "mixed_float16":
        raise SaveError(
            "a .keras file does not hold the dtype policy of the model itself, and Keras would not "
            "take the variables of an optimizer that scales the loss: save it without its optimizer"
        )


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, LONG_AGO)


def _copy(file: IO[bytes], archive: zipfile.ZipFile) -> None:
    member = _member(WEIGHTS)
    member.file_size = file.seek(0, 2)
    file.seek(0)
    with archive.open(member, "w") as target:
        while block := file.read(COPY_BYTES):
            target.write(block)


def _write_arrays(file: IO[bytes], plan: Plan, contents: Contents) -> None:
    with h5py.File(file, "w") as target:
        for group, name in plan.names.items():
            target.require_group(f"{group}/vars" if group else "vars").attrs["name"] = name
        for path, key in plan.arrays.items():
            array = contents[key]()
            assert not isinstance(array, bytes)
            bfloat16 = array.dtype.name == "bfloat16"
            data = array.view("V2") if bfloat16 else array
            dataset = target.create_dataset(path, data=np.asarray(data), track_times=False)
            if bfloat16:
                dataset.attrs["dtype"] = "bfloat16"
