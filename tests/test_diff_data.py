"""A diff as data: it can be applied, written and read, and is the same in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edits import edit, network, rebuilt
from hypothesis import given, settings
from strategies import Example, stored_models

from kvcs.comparison import (
    Diff,
    describe,
    diff,
    from_dict,
    patch,
    schema,
    to_dict,
    weighed_diff,
)
from kvcs.comparison.values import COUNTED, KINDS, NOTED
from kvcs.errors import FormatError, KvcsError
from kvcs.spec import StoredModel


def check(old: StoredModel, new: StoredModel, found: Diff) -> None:
    """Check what holds for each diff."""
    assert patch(describe(old), found) == dict(sorted(describe(new).items()))
    document = to_dict(found)
    assert from_dict(json.loads(json.dumps(document))) == found
    assert complaints(document, schema()) == []
    ids = [change.id for change in found.changes]
    assert len(set(ids)) == len(ids)
    causes = {change.consequence_of for change in found.changes} - {""}
    assert causes <= set(ids)


class TestAnyModels:
    @settings(max_examples=25)
    @given(stored_models(), stored_models())
    def test_a_diff_gives_the_other(self, old: Example, new: Example) -> None:
        check(old.model, new.model, diff(old.model, new.model))

    @settings(max_examples=25)
    @given(stored_models())
    def test_nothing_differs_from_itself(self, example: Example) -> None:
        found = diff(example.model, example.model)
        assert not found
        assert found.changes == ()
        check(example.model, example.model, found)


class TestEditedNetworks:
    @pytest.mark.parametrize("seed", range(25))
    def test_a_diff_gives_the_other(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        old = network(seed)
        new = old.copy()
        for _ in range(1 + seed % 8):
            edit(new, random)
        new = rebuilt(new, random)
        models = old.stored(), new.stored()
        check(*models, diff(*models))
        check(*models, weighed_diff(*models, old.contents(), new.contents()))
        check(models[1], models[0], diff(models[1], models[0]))

    def test_a_diff_of_other_models(self) -> None:
        found = diff(network(1).stored(), network(1).stored())
        with pytest.raises(KvcsError, match="this diff is one of another model: there is no layer"):
            patch(describe(network(2).stored()), found)


class TestDocument:
    def test_the_keys_of_a_summary(self) -> None:
        found = to_dict(diff(network(1).stored(), network(1).stored()))
        keys = """
            added removed replaced moved rescoped renamed connections_added connections_removed
            inputs_reordered containers_added containers_removed config shapes trainable training
            weights interface renumbered state notes
        """
        assert list(found["summary"]) == keys.split()

    def test_every_kind_that_is_no_detail_counts_somewhere(self) -> None:
        counted = {kind for kinds in (*COUNTED.values(), *NOTED.values()) for kind in kinds}
        assert set(KINDS) - counted == {"calls", "structure"}

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({}, "format: expected kvcs.diff/1, got None"),
            ({"format": "kvcs.diff/2"}, "format: expected kvcs.diff/1, got 'kvcs.diff/2'"),
            ({"format": "kvcs.diff/1"}, "not a diff: 'old'"),
        ],
    )
    def test_what_is_refused(self, document: dict[str, Any], message: str) -> None:
        with pytest.raises(FormatError) as caught:
            from_dict(document)
        assert str(caught.value) == message

    def test_an_unknown_kind_is_refused(self) -> None:
        document = to_dict(diff(network(1).stored(), network(2).stored()))
        document["changes"][0]["kind"] = "vanished"
        with pytest.raises(FormatError, match="unknown kind of change 'vanished'"):
            from_dict(document)

    def test_the_same_in_every_process(self) -> None:
        script = (
            "import json, numpy as np\n"
            "from edits import edit, network\n"
            "from kvcs.comparison import to_dict, weighed_diff\n"
            "old = network(8); new = old.copy(); random = np.random.default_rng(8)\n"
            "for _ in range(12): edit(new, random)\n"
            "found = weighed_diff(old.stored(), new.stored(), old.contents(), new.contents())\n"
            "print(json.dumps(to_dict(found)))\n"
        )
        outputs = set()
        for seed in ("0", "1", "2"):
            done = subprocess.run(
                [sys.executable, "-c", script],
                env={
                    **os.environ,
                    "PYTHONHASHSEED": seed,
                    "PYTHONPATH": str(Path(__file__).parent),
                },
                capture_output=True,
                text=True,
                check=True,
            )
            outputs.add(done.stdout)
        assert len(outputs) == 1


def complaints(value: Any, rules: Any, at: str = "$", root: Any = None) -> list[str]:
    """Check JSON by the part of JSON Schema that the schema uses."""
    root = rules if root is None else root
    if "$ref" in rules:
        return complaints(value, root["$defs"][rules["$ref"].rpartition("/")[2]], at, root)
    found = [f"{at}: a key that the checker does not know: {key}" for key in rules.keys() - KNOWN]
    if "const" in rules and value != rules["const"]:
        found.append(f"{at}: not {rules['const']!r}")
    if "enum" in rules and value not in rules["enum"]:
        found.append(f"{at}: {value!r} is none of {rules['enum']}")
    types = rules.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(TYPES[name](value) for name in types):
        return [*found, f"{at}: not of type {types}"]
    if isinstance(value, int | float) and value < rules.get("minimum", value):
        found.append(f"{at}: below the minimum")
    if isinstance(value, int | float) and value > rules.get("maximum", value):
        found.append(f"{at}: above the maximum")
    if isinstance(value, list) and "items" in rules:
        for index, item in enumerate(value):
            found += complaints(item, rules["items"], f"{at}[{index}]", root)
    if isinstance(value, dict) and "properties" in rules:
        found += [f"{at}: {key} is missing" for key in set(rules["required"]) - value.keys()]
        if not rules.get("additionalProperties", True):
            found += [f"{at}: {key} is unknown" for key in value.keys() - rules["properties"]]
        for key in value.keys() & rules["properties"].keys():
            found += complaints(value[key], rules["properties"][key], f"{at}.{key}", root)
    return found


KNOWN = {
    "$defs", "$schema", "additionalProperties", "const", "description", "enum", "items", "maximum",
    "minimum", "properties", "required", "title", "type",
}  # fmt: skip
TYPES: dict[str, Any] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
