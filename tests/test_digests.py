"""Digests: what they are blind to, and what changes which of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from golden import make
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Example, configs, stored_models, values

from kvcs.checksum import is_sha256, sha256
from kvcs.spec import (
    MISSING,
    Call,
    LayerEntry,
    LayerSpec,
    ModelSpec,
    SharedLayer,
    StoredModel,
    TensorRef,
    TensorSpec,
)
from kvcs.tree import reader, writer
from kvcs.tree.digests import Digests, digests

NAMES = ("architecture", "weights", "state", "whole")
GOLDEN = reader.read(make.files(), "golden")


def test_the_digests_of_the_golden_model_are_pinned() -> None:
    assert digests(GOLDEN) == Digests(
        architecture="sha256:257c9ae0648c632134e786faec5d18f52969061c649c4184683e0d37d1126d5d",
        weights="sha256:ba64de6b5c2017b47700d5f3e87fa3cdd42d182749b82189b2e1d3c8003cd232",
        state="sha256:4932ea7c1f78785ee46b4576a4e41aa05f2949cf10169fb03457443c6d77109f",
        whole="sha256:6e2fa14f3f4eeb6336aa7fc89ed27eabfa7daa7b1e44616d2d40fd98b7f5fbce",
    )


@given(stored_models())
@settings(max_examples=20)
def test_digests_are_the_same_before_and_after_storing(example: Example) -> None:
    parts = writer.files(example.model, example.contents)
    files = {path: b"".join(data) for path, data in parts}
    found = digests(reader.read(files, "a model"))
    assert found == digests(example.model)
    for name in NAMES:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", getattr(found, name))


def test_no_tensor_is_read() -> None:
    json_alone = {path: data for path, data in make.files().items() if make.is_json(path)}
    assert digests(reader.read(json_alone, "golden")) == digests(GOLDEN)


# --- what changes which --------------------------------------------------------------------------

Change = Callable[[StoredModel], StoredModel]


def layer(name: str, change: Callable[[Any], Any]) -> Change:
    """Change what stands at a name in the model."""

    def changed(stored: StoredModel) -> StoredModel:
        entries = list(stored.model.layers)
        (at,) = (index for index, entry in enumerate(entries) if entry.name == name)
        entries[at] = replace(entries[at], layer=change(entries[at].layer))
        return replace(stored, model=replace(stored.model, layers=tuple(entries)))

    return changed


def tensor(name: str, **fields: Any) -> Callable[[LayerSpec], LayerSpec]:
    """Change the description of one tensor of a layer."""

    def changed(layer: LayerSpec) -> LayerSpec:
        return replace(layer, tensors=described(layer.tensors, name, **fields))

    return changed


def described(tensors: Any, name: str, **fields: Any) -> dict[str, TensorSpec]:
    return {**tensors, name: replace(tensors[name], **fields)}


def config(**arguments: Any) -> Callable[[LayerSpec], LayerSpec]:
    return lambda layer: replace(layer, config={**layer.config, **arguments})


def model(**fields: Any) -> Change:
    return lambda stored: replace(stored, model=replace(stored.model, **fields))


def state(**fields: Any) -> Change:
    return lambda stored: replace(stored, state=replace(stored.state, **fields))


def inside_encoder(change: Callable[[Any], Any]) -> Change:
    def changed(encoder: ModelSpec) -> ModelSpec:
        first, *others = encoder.layers
        return replace(encoder, layers=(replace(first, layer=change(first.layer)), *others))

    return layer("encoder", changed)


def first_call(change: Callable[[Any], Any]) -> Change:
    """Change how `dense` is called."""

    def changed(stored: StoredModel) -> StoredModel:
        entries = list(stored.model.layers)
        call, *others = entries[1].calls
        entries[1] = replace(entries[1], calls=(change(call), *others))
        return replace(stored, model=replace(stored.model, layers=tuple(entries)))

    return changed


def without_dropout(encoder: ModelSpec) -> ModelSpec:
    return replace(encoder, layers=encoder.layers[:1])


def named(stored: StoredModel) -> StoredModel:
    entries = list(stored.model.layers)
    entries[-1] = replace(entries[-1], name="other")
    return replace(stored, model=replace(stored.model, layers=tuple(entries)))


OTHER = "0" * 64
ZERO = TensorRef("dense", 0, 0)
OTHER_SLOTS = described(GOLDEN.optimizer, "iterations", sha256=OTHER)
ARCHITECTURE, WEIGHTS, STATE, WHOLE = NAMES

CHANGES: list[tuple[str, Change, set[str]]] = [
    ("units", layer("dense", config(units=3)), {ARCHITECTURE}),
    ("1 is not 1.0", layer("dense", config(units=2.0)), {ARCHITECTURE}),
    ("1 is not true", inside_encoder(config(units=True)), {ARCHITECTURE}),
    ("build config", layer("dense", lambda it: replace(it, build_config=None)), {ARCHITECTURE}),
    ("class", layer("dense", lambda it: replace(it, cls=make.keras("Other"))), {ARCHITECTURE}),
    ("nested units", inside_encoder(config(units=3)), {ARCHITECTURE}),
    ("a layer less", layer("encoder", without_dropout), {ARCHITECTURE}),
    ("order", model(layers=GOLDEN.model.layers[::-1]), {ARCHITECTURE}),
    ("chosen name", named, {ARCHITECTURE}),
    ("connection", first_call(lambda call: replace(call, args=(ZERO,))), {ARCHITECTURE}),
    ("argument", first_call(lambda call: replace(call, kwargs={"mask": 1})), {ARCHITECTURE}),
    ("inputs", model(inputs=ZERO), {ARCHITECTURE}),
    ("outputs", model(outputs=ZERO), {ARCHITECTURE}),
    ("shared", layer("again", lambda _: SharedLayer(path="layers/dense")), {ARCHITECTURE}),
    ("weight", layer("dense", tensor("kernel", sha256=OTHER)), {WEIGHTS}),
    ("nested weight", inside_encoder(tensor("kernel", sha256=OTHER)), {WEIGHTS}),
    ("same bits", layer("Maß/custom", tensor("bits", dtype="uint4")), {WEIGHTS}),
    ("tie", layer("Maß/custom", lambda it: replace(it, tied={})), {WEIGHTS}),
    ("asset", layer("words", lambda it: replace(it, assets={"empty": OTHER})), {WEIGHTS}),
    ("seed", state(seeds={}), {STATE}),
    ("transient", state(tensors={}), {STATE}),
    ("slot", lambda it: replace(it, optimizer=OTHER_SLOTS), {STATE}),
    ("no slots", lambda it: replace(it, optimizer=MISSING), {STATE}),
    ("training", lambda it: replace(it, training={"loss": "mae"}), set()),
    ("not compiled", lambda it: replace(it, training=MISSING), set()),
    ("frozen variable", layer("dense", tensor("kernel", trainable=False)), set()),
    ("frozen part", layer("Maß/custom", lambda it: replace(it, frozen=())), set()),
    ("own keys", layer("Maß/custom", lambda it: replace(it, extra={})), set()),
]  # fmt: skip


def test_a_part_is_in_the_architecture() -> None:
    def changed(custom: LayerSpec) -> LayerSpec:
        part = replace(custom.parts["block"], config={"activation": "relu", "units": 3})
        return replace(custom, parts={**custom.parts, "block": part})

    test_a_change_changes_its_digest_and_the_whole(layer("Maß/custom", changed), {ARCHITECTURE})


@pytest.mark.parametrize(
    ("change", "changes"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_a_change_changes_its_digest_and_the_whole(change: Change, changes: set[str]) -> None:
    before, after = digests(GOLDEN), digests(change(GOLDEN))
    differing = {name for name in NAMES if getattr(before, name) != getattr(after, name)}
    assert differing == changes | {WHOLE}


# --- what changes none ---------------------------------------------------------------------------


def backwards(given: Any) -> Any:
    return dict(reversed(given.items()))


def listed(value: Any) -> Any:
    """Return a value with lists for tuples, as a `.keras` file has it."""
    if isinstance(value, dict):
        return {key: listed(item) for key, item in value.items()}
    return [listed(item) for item in value] if isinstance(value, list | tuple) else value


SAME: list[tuple[str, Change]] = [
    ("live names", lambda it: replace(it, live_names={})),
    ("Keras' version", lambda it: replace(it, keras_version="3.15.0")),
    ("order of arguments", layer("dense", lambda it: replace(it, config=backwards(it.config)))),
    ("order of tensors", layer("dense", lambda it: replace(it, tensors=backwards(it.tensors)))),
]


@pytest.mark.parametrize("change", [case[1] for case in SAME], ids=[case[0] for case in SAME])
def test_a_digest_is_blind_to(change: Change) -> None:
    assert digests(change(GOLDEN)) == digests(GOLDEN)


@given(configs, values(3), values(3))
def test_tuples_are_lists(config: dict[str, Any], inputs: Any, build_config: Any) -> None:
    """A `.keras` file no longer knows which it was, and has the same architecture and weights."""

    def one(form: Callable[[Any], Any]) -> Digests:
        own = {"config": form(config), "build_config": form(build_config)}
        entry = LayerEntry(
            name="custom",
            path="layers/custom",
            calls=(Call(args=(form(inputs),), kwargs=form(config), outputs=()),),
            layer=replace(make.CUSTOM, **own),
        )
        spec = replace(make.ROOT, **own, layers=(entry,), inputs=form(inputs), outputs=form(inputs))
        return digests(replace(GOLDEN, model=spec))

    assert one(listed) == one(lambda value: value)


# --- checksums -----------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=9), max_size=4))
def test_the_sha256_of_parts_is_that_of_the_whole(parts: list[bytes]) -> None:
    whole = hashlib.sha256(b"".join(parts)).hexdigest()
    assert sha256(parts) == sha256([memoryview(part) for part in parts]) == whole
    assert is_sha256(whole)


@pytest.mark.parametrize(
    "text",
    ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 63 + "\n", "0" * 64 + "\n", "٠" * 64],
)
def test_nothing_else_is_a_sha256(text: str) -> None:
    assert not is_sha256(text)
