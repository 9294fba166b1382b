"""A file that was parsed by its skeleton is what parsing it alone gives, or is refused as it is."""

from __future__ import annotations

import pytest

from kvcs import canon
from kvcs.errors import FormatError
from kvcs.spec import ClassRef, LayerSpec, TensorSpec, Value
from kvcs.tree.layers import layer_from_json, layer_to_json
from kvcs.tree.skeletons import Parser

ONE, OTHER = "1" * 64, "2" * 64


def layer(digest: str, **config: Value) -> bytes:
    tensors = {
        name: TensorSpec(
            dtype="float32", shape=(2,), sha256=digest, file=f"{name}.npy", trainable=True
        )
        for name in ("bias", "kernel")
    }
    cls = ClassRef("keras.layers", "Dense", None)
    return canon.dumps(layer_to_json(LayerSpec(cls=cls, config=config, tensors=tensors)))


def parsed(parser: Parser, data: bytes) -> LayerSpec:
    return parser.parse(data, layer_from_json)[0]


def test_other_digests() -> None:
    parser = Parser()
    one, other = (parsed(parser, layer(digest, units=2)) for digest in (ONE, OTHER))
    assert one == layer_from_json(canon.loads(layer(ONE, units=2)))
    assert other == layer_from_json(canon.loads(layer(OTHER, units=2)))
    assert one.config is other.config


def test_a_setting_that_looks_like_a_digest() -> None:
    for first, second in ((ONE, OTHER), (OTHER, ONE)):
        parser = Parser()
        for digest in (first, second):
            found = parsed(parser, layer(digest, nested={"deep": {"sha256": digest}}))
            assert found.config == {"nested": {"deep": {"sha256": digest}}}


@pytest.mark.parametrize(
    "instead",
    [b'"sha256": ",', b'"sha256": "\0,', b'"sha256": "\0"', b'"sha256": "' + b"1" * 63 + b'",'],
    ids=["no digest", "the mark", "the mark, quoted", "too short"],
)
def test_no_digest_where_one_was(instead: bytes) -> None:
    parser = Parser()
    data = layer(ONE, units=2)
    parsed(parser, data)
    damaged = data.replace(b'"sha256": "%b",' % ONE.encode(), instead, 1)
    assert damaged != data
    with pytest.raises(FormatError):
        parsed(parser, damaged)


def test_a_digest_moved_to_another_place() -> None:
    """What two files have in common must not hide that one of them is no JSON."""
    parser = Parser()
    data = layer(ONE, nested={"deep": {"sha256": ""}})
    parsed(parser, data)
    moved = data.replace(b'"%b"' % ONE.encode(), b'"', 1)
    moved = moved.replace(b'"sha256": ""', b'"sha256": "%b""' % ONE.encode(), 1)
    with pytest.raises(FormatError):
        parsed(parser, moved)
