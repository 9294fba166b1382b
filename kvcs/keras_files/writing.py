"""A model as data becomes a `.keras` archive that Keras reads; the same model, the same bytes."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from kvcs.keras_files import NeedsKerasError, tables
from kvcs.keras_files.archive import ASSETS, CONFIG, METADATA, WEIGHTS
from kvcs.keras_files.config import config_json
from kvcs.keras_files.optimizer import slots
from kvcs.keras_files.place import Place, settle, surveyed
from kvcs.keras_files.weights import Part, parts
from kvcs.npy import Array
from kvcs.spec import MISSING, LayerSpec, ModelSpec, StoredModel, TensorSpec

Contents = Mapping[str, Callable[[], Array | bytes]]
LONG_AGO = (1980, 1, 1, 0, 0, 0)
DATE_SAVED = "1980-01-01@00:00:00"
COPY_BYTES = 1 << 20


@dataclass(slots=True)
class _Plan:
    """What goes into the archive: paths in it, and whence they come.

    Attributes:
        names: the name of the layer that each group belongs to.
        arrays: datasets, with the keys of `contents`.
        assets: files, with the keys of `contents`.
        trained: the trained weights, in Keras' order.
    """

    names: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)
    assets: dict[str, str] = field(default_factory=dict)
    trained: list[tuple[str, TensorSpec]] = field(default_factory=list)


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
    if tuple(map(int, version.split(".")[:2])) > tables.keras_version():
        raise NeedsKerasError(f"it was described by Keras {version}")
    config = config_json(stored)
    plan = _planned(stored, config)
    metadata = {"keras_version": version, "date_saved": DATE_SAVED}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(_member(METADATA), json.dumps(metadata))
        archive.writestr(_member(CONFIG), json.dumps(config))
        with tempfile.TemporaryFile(dir=path.parent) as file:
            _write_arrays(file, plan, contents)
            _copy(file, archive)
        for name, key in plan.assets.items():
            archive.writestr(_member(f"{ASSETS}{name}"), bytes(contents[key]()))


def _member(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, LONG_AGO)


def _copy(file: IO[bytes], archive: zipfile.ZipFile) -> None:
    member = _member(WEIGHTS)
    member.file_size = file.seek(0, 2)
    file.seek(0)
    with archive.open(member, "w") as target:
        while block := file.read(COPY_BYTES):
            target.write(block)


def _write_arrays(file: IO[bytes], plan: _Plan, contents: Contents) -> None:
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


def _planned(stored: StoredModel, config: Mapping[str, Any]) -> _Plan:
    root = surveyed(config)
    settle(root)
    plan = _Plan()
    for place, layer, path in _walk(root, stored.model, ""):
        plan.names[place.stored] = place.live_name
        inside = list(_parts(place))
        _plan_tensors(plan, inside, layer, path)
        _plan_assets(plan, inside, layer, path)
    if stored.optimizer is not MISSING and stored.training is not MISSING:
        _plan_optimizer(plan, stored, stored.optimizer, config)
    return plan


def _walk(place: Place, layer: LayerSpec, path: str) -> Iterator[tuple[Place, LayerSpec, str]]:
    yield place, layer, path
    if isinstance(layer, ModelSpec):
        for member, entry in zip(place.members, layer.layers, strict=True):
            assert isinstance(entry.layer, LayerSpec)
            below = f"{path}/{entry.path}" if path else entry.path
            if member.stored:
                yield from _walk(member, entry.layer, below)


def _parts(place: Place) -> Iterator[Part]:
    if place.build is None and not place.is_operation and place.cls.name != "InputLayer":
        yield from parts(place.given, "", place.stored)


def _plan_tensors(plan: _Plan, inside: list[Part], layer: LayerSpec, path: str) -> None:
    found = set()
    for part in inside:
        for weight in part.what.weights:
            name = part.below(weight.name)
            if name not in layer.tensors:
                raise NeedsKerasError(f"{path} has no {name}, which its class has")
            found.add(name)
            key = f"{path}/{layer.tensors[name].file}"
            plan.arrays[f"{part.stored}/{weight.path}"] = key
            if weight.trainable if part.trainable else weight.when_frozen:
                plan.trained.append((f"{path}/{name}", layer.tensors[name]))
    beyond = (layer.tensors.keys() - found) | layer.tied.keys()
    if beyond or any(layer.extra.values()):
        raise NeedsKerasError(f"{path or 'the model'} keeps more than its class does")


def _plan_assets(plan: _Plan, inside: list[Part], layer: LayerSpec, path: str) -> None:
    left = set(layer.assets)
    for part in inside:
        for key in part.what.extra:
            name = part.below("vocabulary.txt")
            if name not in left:
                continue
            left.discard(name)
            # TextVectorization saves what its lookup layer saves.
            for inner in ("",) if key == "." else ("", "_lookup_layer/"):
                plan.assets[f"{part.stored}/{inner}vocabulary.txt"] = f"{path}/assets/{name}"
    if left:
        raise NeedsKerasError(f"{path or 'the model'} has assets that its class does not save")


def _plan_optimizer(
    plan: _Plan, stored: StoredModel, kept: Mapping[str, TensorSpec], config: Mapping[str, Any]
) -> None:
    trained = plan.trained if stored.model.config.get("trainable", True) else []
    found = slots(config["compile_config"].get("optimizer"), trained, len(kept))
    if {slot.name for slot in found} != kept.keys():
        raise NeedsKerasError("its optimizer has other variables than Keras would make")
    for index, slot in enumerate(found):
        plan.arrays[f"optimizer/vars/{index}"] = f"optimizer/{kept[slot.name].file}"
