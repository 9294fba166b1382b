"""A reader and verifier of format 1, written from docs/format.md alone: no kvcs, no NumPy.

A stored model is a dict from path to bytes; `Reader(files).problems` is what is wrong with it.
"""

from __future__ import annotations

import json
import re
import struct
from hashlib import sha256
from math import prod
from typing import Any

INVISIBLE = re.compile(
    "[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
ITEMS = {"|b1": "?", "|i1": "b", "<i2": "h", "<i4": "i", "<i8": "q", "<u2": "H", "<u4": "I",
         "<u8": "Q", "<f2": "e", "<f4": "f", "<f8": "d", "<c8": "ff", "<c16": "dd"}  # fmt: skip
STORED = {"bool": "|b1", "int8": "|i1", "complex64": "<c8", "complex128": "<c16", "bfloat16": "<u2"}
STORED |= {f"{k}{8 * n}": f"<{k[0]}{n}" for k in ("int", "uint", "float") for n in (2, 4, 8)}
SMALL = ("8_e3m4", "8_e4m3", "8_e4m3b11fnuz", "8_e4m3fn", "8_e4m3fnuz", "8_e5m2", "8_e5m2fnuz",
         "8_e8m0fnu", "6_e2m3fn", "6_e3m2fn", "4_e2m1fn")  # fmt: skip
DTYPES = {*STORED, "uint8", "int2", "int4", "uint2", "uint4"} | {f"float{kind}" for kind in SMALL}
TAGS = {"$tuple", "$set", "$frozenset", "$dict", "$float", "$complex", "$bytes", "$slice", "$range",
        "$ellipsis", "$array", "$scalar", "$class", "$tensor", "$variable"}  # fmt: skip
PART = {"class_name", "module", "registered_name", "config"}  # and perhaps a build_config
LAYER = PART | {"tensors"}
OF_LAYER = {"build_config", "parts", "tied", "extra", "frozen", "assets"}
MODEL = LAYER | {"format", "checksum", "build", "layers"}
OF_MODEL = OF_LAYER | {"inputs", "outputs", "name", "keras_version", "files", "live_names"}
PARTS = {"training.json": "", "state.json": "state/", "optimizer/index.json": "optimizer/"}


def canonical(value: Any) -> bytes:
    return layout(value, "\n").encode() + b"\n"


def layout(value: Any, indent: str) -> str:
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False)
        return INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
    if not isinstance(value, list | dict):
        return json.dumps(value)  # a float is written by repr
    below, (left, right) = indent + "  ", "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, dict):
        lines = [f"{layout(key, '')}: {layout(value[key], below)}" for key in sorted(value)]
    elif len(value) <= 16 and not any(isinstance(item, str | list | dict) for item in value):
        return f"[{', '.join(layout(item, '') for item in value)}]"
    else:
        lines = [layout(item, below) for item in value]
    return left + below + f",{below}".join(lines) + indent + right if lines else left + right


def depth(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inside), default=0)


def digest(value: Any) -> str:
    return sha256(value if isinstance(value, bytes) else canonical(value)).hexdigest()


def has_keys(value: dict[str, Any], always: set[str], optional: set[str]) -> None:
    assert always <= value.keys() <= always | optional


def check_described(layer: dict[str, Any]) -> None:
    """Check the keys and the values of a `layer.json` or `model.json`."""
    model = "format" in layer
    has_keys(layer, MODEL if model else LAYER, OF_MODEL if model else OF_LAYER)
    for part in layer.get("parts", {}).values():
        has_keys(part, PART, {"build_config"})
    for described in [layer, *layer.get("parts", {}).values()]:
        check_value(described["config"])
        check_value(described.get("build_config"))
    for call in [call for entry in layer.get("layers", []) for call in entry["calls"]]:
        has_keys(call, {"args", "kwargs", "outputs"}, set())
        check_value([call["args"], call["kwargs"]])
    check_value([layer.get("inputs"), layer.get("outputs")])


def check_value(value: Any) -> None:
    """Check what stands for a Python value; that the content is canonical is left to others."""
    if isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            check_value(item)
    if not isinstance(value, dict) or not any(key.startswith("$") for key in value):
        return
    ((tag, content),) = value.items()
    assert tag in TAGS
    if tag == "$array":
        has_keys(content, {"dtype", "shape", "values"}, set())
        assert len(content["values"]) == prod(content["shape"])
        assert all(is_of(content["dtype"], item) for item in content["values"])
    elif tag == "$scalar":
        has_keys(content, {"dtype", "value"}, set())
        assert is_of(content["dtype"], content["value"])
    elif tag == "$class":
        has_keys(content, {"module", "class_name", "registered_name"}, set())
        assert isinstance(content["class_name"], str)
    elif tag == "$variable":
        assert isinstance(content, str)
        assert all(content.split("/"))
    elif tag == "$tensor":
        assert re.fullmatch(r".*(\[(0|[1-9][0-9]*)\]){2}", content, re.DOTALL)


def is_of(dtype: str, value: Any) -> bool:
    """Tell whether something can be an element of an array."""
    if dtype in ("str", "bool"):
        return type(value) is (str if dtype == "str" else bool)
    assert dtype in DTYPES
    if "int" in dtype:
        bits = int(dtype.strip("uint"))
        low, high = (0, 2**bits) if dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        return type(value) is int and low <= value < high
    if dtype.startswith("complex"):
        return isinstance(value, dict) and value.keys() == {"$complex"}
    if isinstance(value, dict):
        return value.keys() == {"$float"}
    if dtype not in ("float16", "float32"):
        return type(value) is float
    code = "<e" if dtype == "float16" else "<f"
    return type(value) is float and struct.unpack(code, struct.pack(code, value))[0] == value


def header(dtype: str, shape: list[int]) -> tuple[bytes, int]:
    """Return what a tensor's file begins with, and how long it is."""
    descr = STORED.get(dtype, "|u1")
    sizes = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
    said = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}".encode()
    said += b" " * (-(len(said) + 11) % 64) + b"\n"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said
    return head, len(head) + prod(shape) * struct.calcsize(f"<{ITEMS.get(descr, 'B')}")


def values(data: bytes, tensor: dict[str, Any]) -> list[Any]:
    """Return the elements of a tensor, flat; those that NumPy lacks by their bits."""
    head, _ = header(tensor["dtype"], tensor["shape"])
    item = ITEMS.get(STORED.get(tensor["dtype"], "|u1"), "B")
    found = struct.iter_unpack(f"<{item}", data[len(head) :])
    return [one[0] if len(one) == 1 else complex(*one) for one in found]


def checksum(manifest: dict[str, Any]) -> str:
    def bare(described: dict[str, Any]) -> dict[str, Any]:
        return {key: item for key, item in described.items() if key != "sha256"}

    kept = {key: manifest[key] for key in manifest.keys() - {"checksum", "live_names"}}
    kept["layers"] = [bare(entry) for entry in kept["layers"]]
    kept["tensors"] = {name: bare(tensor) for name, tensor in kept["tensors"].items()}
    kept |= {key: sorted(kept[key]) for key in ("files", "assets") if key in kept}
    return digest(kept)


class Reader:
    """Reads a stored model and checks it."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.problems = files, list[tuple[str, str]]()
        self.known, self.unread = set[str](), set[str]()
        self.tensors, self.layers = dict[str, Any](), dict[str, Any]()  # layers: parents first
        self.parts: dict[str, Any] = {}
        manifest = self.read("model.json", None)
        for path, sha in sorted((manifest or {}).get("files", {}).items()):
            found = self.parts[path] = self.read(path, sha)
            if found is None:
                self.unread |= {PARTS[path]} - {""}
            elif path == "state.json":
                self.list_tensors(found.get("tensors", {}), "")
            elif path == "optimizer/index.json":
                self.list_tensors(found, "optimizer/")
        if manifest is not None:
            self.model("", manifest)
            extra = sorted(files.keys() - self.known)
            unread = tuple(self.unread)
            self.problems += [("extra", path) for path in extra if not path.startswith(unread)]

    def read(self, path: str, sha: str | None) -> Any:
        """Read a JSON file; None if that cannot be done."""
        data = self.meet(path)
        try:
            if data is None:
                return None
            if sha and digest(data) != sha:
                self.problems.append(("altered", path))
            value = json.loads(data.decode())
            assert depth(value) <= 100
            assert canonical(value) == data  # else a key stands twice, or it is laid out otherwise
            if path.endswith("model.json"):
                assert value["format"] == 1
                assert value["checksum"] == checksum(value)
                names = value.get("live_names")
                assert names is None or names["checksum"] == digest(names["names"])
            if path.endswith(("model.json", "layer.json")):
                check_described(value)
            elif path == "training.json":
                check_value(value)
            return value
        except (
            AssertionError,
            ArithmeticError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
        ):
            self.problems.append(("invalid", path))
            return None

    def meet(self, path: str) -> bytes | None:
        if path in self.known or path not in self.files:
            self.problems.append(("invalid" if path in self.known else "missing", path))
        self.known.add(path)
        return self.files.get(path)

    def model(self, prefix: str, layer: dict[str, Any]) -> None:
        """Check what belongs to a model or layer, and what is below it."""
        self.layers[prefix.rstrip("/")] = layer
        self.list_tensors(layer["tensors"], prefix)
        for name, sha in layer.get("assets", {}).items():
            data = self.meet(f"{prefix}assets/{name}")
            if data is not None and digest(data) != sha:
                self.problems.append(("altered", f"{prefix}assets/{name}"))
        for entry in layer.get("layers", []):
            if "sha256" not in entry:
                continue
            below = f"{prefix}{entry['path']}/"
            here = [
                path for path in (f"{below}model.json", f"{below}layer.json") if path in self.files
            ]
            right = [path for path in here if digest(self.files[path]) == entry["sha256"]]
            nested = any(path.startswith(f"{below}layers/") for path in self.files)
            lost = f"{below}{'model' if nested else 'layer'}.json"
            found = self.read([*right, *here[::-1], lost][0], entry["sha256"])
            if found is None:
                self.unread.add(below)
            else:
                self.model(below, found)

    def list_tensors(self, tensors: dict[str, Any], prefix: str) -> None:
        for tensor in tensors.values():
            path = prefix + tensor["file"]
            self.tensors[path] = tensor
            data, (head, size) = self.meet(path), header(tensor["dtype"], tensor["shape"])
            if data is None:
                continue
            same, begins = digest(data) == tensor["sha256"], data[: len(head)] == head[: len(data)]
            if not same:
                kind = "truncated" if begins and len(data) < size else "altered"
                self.problems.append((kind, path))
            elif not begins or len(data) != size:
                self.problems.append(("invalid", path))

    def digests(self) -> dict[str, str]:
        """Return the four digests."""
        weights, flags = {}, []
        for place, layer in self.layers.items():
            tied, extra = layer.get("tied", {}), layer.get("extra", {})
            held = [brief(layer["tensors"]), tied, layer.get("assets", {})]
            weights |= {place: held} if any(held) else {}
            trainable = {name: tensor["trainable"] for name, tensor in layer["tensors"].items()}
            flags.append([place, [trainable, layer.get("frozen", []), extra]])
        slots = self.parts.get("optimizer/index.json")
        state = [self.parts.get("state.json", {"seeds": {}}), slots and brief(slots)]
        named = {"architecture": self.architecture(""), "weights": weights, "state": state}
        found = {name: f"sha256:{digest(value)}" for name, value in named.items()}
        whole = [*found.values(), self.parts.get("training.json"), flags]
        return {**found, "whole": f"sha256:{digest(whole)}"}

    def architecture(self, place: str) -> dict[str, Any]:
        layer, below = self.layers[place], f"{place}/" if place else ""
        found = part(layer)
        if "parts" in layer:
            found["parts"] = {key: part(inside) for key, inside in layer["parts"].items()}
        if "build" not in layer:
            return found
        entries = []
        for entry in layer["layers"]:
            calls = [[untupled(call["args"]), untupled(call["kwargs"])] for call in entry["calls"]]
            what = entry.get("shared") or self.architecture(below + entry["path"])
            entries.append([entry["name"], calls, what])
        whole = {key: untupled(layer.get(key)) for key in ("build", "inputs", "outputs")}
        return {**found, **whole, "layers": entries}


def part(layer: dict[str, Any]) -> dict[str, Any]:
    found = {"class": [layer[key] for key in ("module", "class_name", "registered_name")]}
    return found | {key: untupled(layer[key]) for key in ("config", "build_config") if key in layer}


def brief(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: [tensor["dtype"], tensor["sha256"]] for name, tensor in tensors.items()}


def untupled(value: Any) -> Any:
    if isinstance(value, list):
        return [untupled(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$tuple"}:
        return untupled(value["$tuple"])
    return {key: untupled(item) for key, item in value.items()}
