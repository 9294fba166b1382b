"""Live models of Keras and `.keras` files, judged by rules."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import kvcs

RULES = """
[[rules]]
rule = "safe-loading"
[[rules]]
rule = "frozen-layers"
layers = ["encoder"]
[[rules]]
rule = "finite-weights"
level = "warning"
"""


@pytest.fixture(autouse=True)
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return path


def model(*, frozen: bool = True, last: layers.Layer | None = None) -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4,))
    encoder = layers.Dense(3, name="encoder")
    encoder.trainable = not frozen
    return keras.Model(inputs, (last or layers.ReLU(name="last"))(encoder(inputs)), name="net")


def found(old: keras.Model, new: keras.Model, rules: Path) -> list[tuple[str, str, str]]:
    report = kvcs.check(old, new, rules=rules)
    assert all(finding.model == "the live model" for finding in report.findings)
    return [(finding.level, finding.rule, finding.layer) for finding in report.findings]


def test_the_same(rules: Path) -> None:
    assert found(model(), model(), rules) == []


def test_a_layer_that_is_trained_again(rules: Path) -> None:
    assert found(model(), model(frozen=False), rules) == [("error", "frozen-layers", "encoder")]


def test_a_lambda(rules: Path) -> None:
    new = model(last=layers.Lambda(lambda x: x, name="last"))
    assert found(model(), new, rules) == [("error", "safe-loading", "")]


def test_weights_that_are_no_numbers(rules: Path) -> None:
    new = model()
    kernel, bias = new.layers[1].get_weights()
    new.layers[1].set_weights([kernel, np.full_like(bias, np.nan)])
    assert found(model(), new, rules) == [
        ("error", "frozen-layers", "encoder"),
        ("warning", "finite-weights", "encoder"),
    ]


def test_files(rules: Path, tmp_path: Path) -> None:
    model().save("old.keras")
    model(frozen=False).save("new.keras")
    report = kvcs.check(tmp_path / "old.keras", "new.keras", rules=rules)
    assert report.status == "blocked"
    assert [finding.model for finding in report.findings] == ["new.keras"]
    assert report.findings[0].file == ""
