"""A saved model as data, and its arrays on call: what `kvcs.keras_io.capture` is to a live one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kvcs.keras_files import NeedsKerasError, vocabulary
from kvcs.keras_files.graph import Outputs, connections
from kvcs.keras_files.hdf5 import Arrays
from kvcs.keras_files.optimizer import slots
from kvcs.keras_files.place import Place, surveyed
from kvcs.keras_files.values import plain
from kvcs.keras_files.weights import Part, parts, tensors
from kvcs.npy import Array
from kvcs.renaming import canonical_config
from kvcs.spec import (
    MISSING,
    LayerEntry,
    LayerSpec,
    Missing,
    ModelSpec,
    StoredModel,
    TensorSpec,
    Value,
)

Content = Callable[[], Array | bytes]
TRAINING = "training.json"  # how live names refer to it


@dataclass(frozen=True, slots=True)
class Described:
    """A saved model as data, and what stands at every path: see `kvcs.tree.writer.files`."""

    model: StoredModel
    contents: Mapping[str, Content]


def described(
    config: Mapping[str, Any],
    keras_version: str,
    arrays: Arrays | None,
    assets: Mapping[str, Callable[[], bytes]],
    *,
    optimizer: bool = True,
) -> Described:
    """Describe a saved model, as the model would be described that Keras loads from it.

    Random seeds and other state are not in a file, and so not in the description; nor are the names
    that Keras makes up for the layers which a class builds.

    Args:
        config: the model as Keras serialises it.
        keras_version: the Keras that wrote it.
        arrays: its variables; None leaves them out of the description.
        assets: its other files.
        optimizer: also describe the optimizer's variables, where there are any.

    Raises:
        NeedsKerasError: something in it is not known for certain.
    """
    root = surveyed(config)
    work = _Description(arrays, dict(assets))
    training = work.training(config.get("compile_config"))
    spec, _ = work.model(root)
    variables = work.optimizer(training, root)
    work.check_all_used()
    if root.live_name != root.name:
        work.live_names["."] = root.live_name
    return Described(
        StoredModel(
            model=spec,
            name=root.name,
            keras_version=keras_version,
            training=training,
            optimizer=variables if optimizer else MISSING,
            live_names=dict(sorted(work.live_names.items())),
        ),
        work.contents,
    )


@dataclass(slots=True)
class _Description:
    """The describing of one model; collects what belongs to no single layer."""

    arrays: Arrays | None
    assets: dict[str, Callable[[], bytes]]
    contents: dict[str, Content] = field(default_factory=dict)
    live_names: dict[str, str] = field(default_factory=dict)
    trained: list[tuple[str, TensorSpec]] = field(default_factory=list)

    def training(self, config: Any) -> dict[str, Value] | Missing:
        """Describe what `compile()` was given."""
        if not config:
            return MISSING
        found, names = canonical_config(plain(config))
        self.live_names |= {f"{TRAINING}#{pointer}": name for pointer, name in names.items()}
        return found

    def model(self, place: Place) -> tuple[ModelSpec, Outputs]:
        """Describe a container, and tell what it yields."""
        layers: dict[str, LayerSpec] = {}
        yields: dict[str, Outputs] = {}
        for member in place.members:
            if member.build is None:
                layers[member.name] = self._own(member)
            else:
                layers[member.name], yields[member.name] = self.model(member)
            if member.live_name != member.name:
                self.live_names[member.path] = member.live_name
        calls, inputs, outputs, out = connections(place, yields)
        own = self._own(place)
        spec = ModelSpec(
            **{name: getattr(own, name) for name in LayerSpec.__dataclass_fields__},
            build=place.build or "class",
            layers=tuple(
                LayerEntry(name=one.name, path=one.segment, calls=called, layer=layers[one.name])
                for one, called in zip(place.members, calls, strict=True)
            ),
            inputs=inputs,
            outputs=outputs,
        )
        return spec, out

    def _own(self, place: Place) -> LayerSpec:
        config, inner_names = canonical_config(place.config)
        for pointer, name in inner_names.items():
            self.live_names[f"{place.path}#{pointer}"] = name
        bare = place.build is not None or place.is_operation or place.cls.name == "InputLayer"
        found = [] if bare else list(parts(place.given, "", place.stored))
        return LayerSpec(
            cls=place.cls,
            config=config,
            build_config=place.build_config,
            tensors=dict(sorted(self._tensors(place, found).items())),
            extra={
                part.below(key) if key != "." else part.key or ".": {}
                for part in found
                for key in part.what.extra
            },
            frozen=_frozen(found),
            assets=self._assets(place, found),
        )

    def _tensors(self, place: Place, found: list[Part]) -> dict[str, TensorSpec]:
        own: dict[str, TensorSpec] = {}
        if self.arrays is None:
            return own
        for part in found:
            for name, path, tensor in tensors(part, self.arrays):
                own[name] = tensor
                self.contents[place.below(f"{name}.npy")] = self.arrays.reader(path)
                self.trained.append((place.below(name), tensor))
        return own

    def _assets(self, place: Place, found: list[Part]) -> dict[str, str]:
        """Take the vocabularies of a layer."""
        own: dict[str, str] = {}
        for part in found:
            where = vocabulary.places(part)
            texts = (
                [self.assets.pop(path) for path in where[1] if path in self.assets] if where else []
            )
            if where is None or not texts:
                continue
            one, *others = [read() for read in texts]
            if any(other != one for other in others):
                raise NeedsKerasError("a layer in it has two vocabularies")
            data = vocabulary.to_asset(one, part.config)
            if data:
                own[where[0]] = ""
                self.contents[place.below(f"assets/{where[0]}")] = partial(bytes, data)
        return own

    def optimizer(
        self, training: Mapping[str, Value] | Missing, root: Place
    ) -> dict[str, TensorSpec] | Missing:
        """Describe the optimizer's variables."""
        if training is MISSING or self.arrays is None:
            return MISSING
        trained = [(place, one) for place, one in self.trained if one.trainable]
        if not root.config.get("trainable", True):
            trained = []
        count = len(self.arrays.below("optimizer/vars"))
        found = {}
        for index, slot in enumerate(slots(training.get("optimizer"), trained, count)):
            path = f"optimizer/vars/{index}"
            dtype, shape = self.arrays.describe(path)
            if shape != slot.shape:
                raise NeedsKerasError(f"{path} has not the shape of the weight it belongs to")
            file = f"{slot.name}.npy"
            self.contents[f"optimizer/{file}"] = self.arrays.reader(path)
            found[slot.name] = TensorSpec(
                file=file, dtype=dtype, shape=shape, trainable=slot.trainable
            )
        return found

    def check_all_used(self) -> None:
        """Tell what is left in the file, which would be lost."""
        left = [*(self.arrays.left_over() if self.arrays else ()), *self.assets]
        if left:
            raise NeedsKerasError(f"it holds {left[0]}, which belongs to no layer that is known")


def _frozen(found: list[Part]) -> tuple[str, ...]:
    frozen = [part.key for part in found if part.key and not part.trainable]
    inside = [part.below(key) for part in found if not part.trainable for key in part.what.frozen]
    return tuple(sorted([*frozen, *inside]))
