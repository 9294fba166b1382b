"""What comes out of a layer that is called: shape and dtype, for Keras' own classes.

A file tells the shape of a tensor only where a layer takes it. What nobody takes, such as the
output of the model, is computed here; None says that the class, or the case, is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from kvcs.keras_files.values import policy
from kvcs.spec import SymbolicTensor, Value

Size: TypeAlias = "int | None"
Shape: TypeAlias = tuple[Size, ...]
Config: TypeAlias = Mapping[str, Value]
Rule: TypeAlias = Callable[[Config, Shape], "Shape | None"]


def outputs(
    name: str, config: Config, args: list[Value], kwargs: Config
) -> tuple[SymbolicTensor, ...] | None:
    """Return what a layer yields when it is called on these symbolic tensors."""
    if name in _MERGING and len(args) == 1 and isinstance(args[0], list):
        shape = _MERGING[name](config, [tensor.shape for tensor in args[0]])
        return None if shape is None else (_tensor(shape, policy(config)[0]),)
    if name in _ATTENTION and not any(
        kwargs.get(key) for key in ("return_attention_scores", "use_causal_mask")
    ):
        found: tuple[SymbolicTensor, ...] | None = _ATTENTION[name](config, args, kwargs)
        return found
    first = args[0] if args else None
    if not isinstance(first, SymbolicTensor) or first.shape is None:
        return None
    if name in _RECURRENT:
        return _recurrent(name, config, first.shape, kwargs)
    if name in _WRAPPERS:
        return _WRAPPERS[name](config, first)
    return _plain(name, config, first)


def _plain(name: str, config: Config, given: SymbolicTensor) -> tuple[SymbolicTensor, ...] | None:
    assert given.shape is not None
    if name in _LOOKUPS:
        shape = _LOOKUPS[name](config, given.shape)
        return None if shape is None else (_tensor(shape, "int64"),)
    if name == "Identity":
        return (given,)
    if name not in _SHAPES or not (is_float(given) or name in _ANY):
        return None
    shape = _SHAPES[name](config, given.shape)
    return None if shape is None else (_tensor(shape, policy(config)[0]),)


def _tensor(shape: Shape, dtype: str) -> SymbolicTensor:
    return SymbolicTensor(shape=shape, dtype=dtype)


def single(name: str, config: Config, kwargs: Config) -> bool:
    """Tell whether a layer, called so, yields one tensor, whatever its shape."""
    if config.get("return_state") or kwargs.get("return_attention_scores"):
        return False
    known = (_SHAPES, _LOOKUPS, _MERGING, _RECURRENT, _ATTENTION, _ALONE)
    return any(name in names for names in known)


def is_float(tensor: SymbolicTensor) -> bool:
    """Tell whether a layer casts a tensor to the dtype in which it computes."""
    return tensor.dtype.startswith(("float", "bfloat"))


def _same(config: Config, shape: Shape) -> Shape:
    return shape


def _last(key: str) -> Rule:
    return lambda config, shape: (*shape[:-1], config[key])


def _product(shape: Shape) -> Size:
    total = 1
    for size in shape:
        if size is None:
            return None
        total *= size
    return total


def _flatten(config: Config, shape: Shape) -> Shape:
    return (shape[0], _product(shape[1:]))


def _reshape(config: Config, shape: Shape) -> Shape | None:
    wanted = config["target_shape"]
    if -1 not in wanted:
        return (shape[0], *wanted)
    whole, rest = _product(shape[1:]), _product(tuple(size for size in wanted if size != -1))
    if whole is None or not rest:
        return None
    return (shape[0], *(whole // rest if size == -1 else size for size in wanted))


def _permute(config: Config, shape: Shape) -> Shape:
    return (shape[0], *(shape[axis] for axis in config["dims"]))


def _spatial(
    change: Callable[[Config, int, int], Size],
    channels: Callable[[Config, Shape], Size] = lambda config, shape: shape[-1],
) -> Rule:
    """Return a rule for layers that work along the axes between the batch and the channels."""

    def rule(config: Config, shape: Shape) -> Shape | None:
        if config.get("data_format", "channels_last") != "channels_last" or len(shape) < 3:
            return None
        sizes = [
            None if size is None else change(config, size, axis)
            for axis, size in enumerate(shape[1:-1])
        ]
        if any(size is not None and size < 0 for size in sizes):
            return None
        return (shape[0], *sizes, channels(config, shape))

    return rule


def _filters(config: Config, shape: Shape) -> Size:
    return int(config["filters"])


def _multiplied(config: Config, shape: Shape) -> Size:
    return None if shape[-1] is None else shape[-1] * int(config["depth_multiplier"])


def _at(value: Value, axis: int) -> Any:
    return value[axis] if isinstance(value, list | tuple) else value


def _windows(kernel: str) -> Callable[[Config, int, int], Size]:
    def change(config: Config, size: int, axis: int) -> Size:
        width, stride = _at(config[kernel], axis), _at(config["strides"], axis)
        wide = (width - 1) * _at(config.get("dilation_rate", 1), axis) + 1
        if config["padding"] in ("same", "causal"):
            return -(-size // int(stride))
        return (size - wide) // int(stride) + 1 if size >= wide else -1

    return change


def _upwards(config: Config, size: int, axis: int) -> Size:
    stride, width = _at(config["strides"], axis), _at(config["kernel_size"], axis)
    if config.get("output_padding") is not None or _at(config["dilation_rate"], axis) != 1:
        return -1
    return int(size * stride + (max(width - stride, 0) if config["padding"] == "valid" else 0))


def _around(sign: int, key: str) -> Callable[[Config, int, int], Size]:
    def change(config: Config, size: int, axis: int) -> Size:
        pair = config[key]
        if isinstance(pair[0], list | tuple):
            pair = pair[axis]
        return int(size + sign * (pair[0] + pair[1]))

    return change


def _times(config: Config, size: int, axis: int) -> Size:
    return int(size * _at(config["size"], axis))


def _global(config: Config, shape: Shape) -> Shape | None:
    if config.get("data_format") != "channels_last":
        return None
    if config.get("keepdims"):
        return (shape[0], *(1 for _ in shape[1:-1]), shape[-1])
    return (shape[0], shape[-1])


def _fixed_size(config: Config, shape: Shape) -> Shape | None:
    if config.get("data_format") != "channels_last" or len(shape) != 4:
        return None
    return (shape[0], config["height"], config["width"], shape[3])


def _broadcast(config: Config, shapes: list[Shape]) -> Shape | None:
    return shapes[0] if all(shape == shapes[0] for shape in shapes) else None


def _concatenate(config: Config, shapes: list[Shape]) -> Shape | None:
    axis = config["axis"] % len(shapes[0])
    sizes = [shape[axis] for shape in shapes]
    whole = None if None in sizes else sum(size for size in sizes if size is not None)
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    return (*shapes[0][:axis], whole, *shapes[0][axis + 1 :]) if len(rest) == 1 else None


def _text(config: Config, shape: Shape) -> Shape | None:
    if config.get("output_mode") != "int" or config.get("ragged") or len(shape) > 2:
        return None
    return (shape[0], config.get("output_sequence_length"))


def _lookup(config: Config, shape: Shape) -> Shape | None:
    return shape if config.get("output_mode") == "int" else None


def _recurrent(
    name: str, config: Config, shape: Shape, kwargs: Config
) -> tuple[SymbolicTensor, ...] | None:
    if len(shape) != 3 or kwargs.get("initial_state") is not None:
        return None
    whole, dtype = config.get("return_sequences"), policy(config)[0]
    out = _tensor((*shape[:2], config["units"]) if whole else (shape[0], config["units"]), dtype)
    states = _RECURRENT[name] if config.get("return_state") else 0
    return (out, *(_tensor((shape[0], config["units"]), dtype) for _ in range(states)))


def _multi_head(
    config: Config, args: list[Value], kwargs: Config
) -> tuple[SymbolicTensor, ...] | None:
    query = args[0] if args else kwargs.get("query")
    if not isinstance(query, SymbolicTensor) or query.shape is None or config.get("output_shape"):
        return None
    return (_tensor(query.shape, policy(config)[0]),)


def _dot_attention(
    config: Config, args: list[Value], kwargs: Config
) -> tuple[SymbolicTensor, ...] | None:
    if len(args) != 1 or not isinstance(args[0], list):
        return None
    query, value = args[0][0].shape, args[0][1].shape
    return (_tensor((*query[:-1], value[-1]), policy(config)[0]),)


def _bidirectional(config: Config, given: SymbolicTensor) -> tuple[SymbolicTensor, ...] | None:
    inner = config["layer"]
    found = outputs(inner["class_name"], inner["config"], [given], {})
    if found is None or len(found) != 1 or not found[0].shape or config["merge_mode"] is None:
        return None
    *sizes, last = found[0].shape
    if config["merge_mode"] == "concat" and last is not None:
        last *= 2
    return (_tensor((*sizes, last), found[0].dtype),)


def _time_distributed(config: Config, given: SymbolicTensor) -> tuple[SymbolicTensor, ...] | None:
    assert given.shape is not None
    inner = config["layer"]
    step = _tensor((given.shape[0], *given.shape[2:]), given.dtype)
    found = outputs(inner["class_name"], inner["config"], [step], {})
    if found is None or len(found) != 1 or not found[0].shape:
        return None
    return (_tensor((found[0].shape[0], given.shape[1], *found[0].shape[1:]), found[0].dtype),)


_WRAPPERS = {"Bidirectional": _bidirectional, "TimeDistributed": _time_distributed}
_AXES = ("1D", "2D", "3D")
_RANDOM = ("Brightness", "Contrast", "Flip", "Grayscale", "Hue", "Rotation", "Saturation",
           "Translation", "Zoom")  # fmt: skip
_SHAPES: dict[str, Rule] = {
    **dict.fromkeys(
        ("Activation", "ActivityRegularization", "AlphaDropout", "AutoContrast",
         "BatchNormalization", "Dropout", "ELU", "GaussianDropout", "GaussianNoise",
         "GroupNormalization", "Identity", "LayerNormalization", "LeakyReLU", "Masking",
         "Normalization", "PReLU", "RMSNormalization", "ReLU", "Rescaling", "Softmax",
         "UnitNormalization", *(f"SpatialDropout{axes}" for axes in _AXES),
         *(f"Random{what}" for what in _RANDOM)),
        _same,
    ),
    "Dense": _last("units"),
    "Embedding": lambda config, shape: (*shape, config["output_dim"]),
    "Flatten": _flatten,
    "Permute": _permute,
    "RepeatVector": lambda config, shape: (shape[0], config["n"], shape[1]),
    "Reshape": _reshape,
    "CenterCrop": _fixed_size,
    "RandomCrop": _fixed_size,
    "Resizing": _fixed_size,
    **{f"Conv{axes}": _spatial(_windows("kernel_size"), _filters) for axes in _AXES},
    **{f"Conv{axes}Transpose": _spatial(_upwards, _filters) for axes in _AXES},
    **{f"SeparableConv{axes}": _spatial(_windows("kernel_size"), _filters) for axes in _AXES[:2]},
    **{f"DepthwiseConv{axes}": _spatial(_windows("kernel_size"), _multiplied)
       for axes in _AXES[:2]},
    **{f"{kind}Pooling{axes}": _spatial(_windows("pool_size"))
       for kind in ("Average", "Max") for axes in _AXES},
    **{f"Global{kind}Pooling{axes}": _global for kind in ("Average", "Max") for axes in _AXES},
    **{f"UpSampling{axes}": _spatial(_times) for axes in _AXES},
    **{f"ZeroPadding{axes}": _spatial(_around(1, "padding")) for axes in _AXES},
    **{f"Cropping{axes}": _spatial(_around(-1, "cropping")) for axes in _AXES},
}  # fmt: skip
_ANY = ("Embedding",)  # takes indices, and yields what it computes in
_LOOKUPS: dict[str, Rule] = {
    "TextVectorization": _text,
    "StringLookup": _lookup,
    "IntegerLookup": _lookup,
}
_MERGING: dict[str, Callable[[Config, list[Shape]], Shape | None]] = {
    **dict.fromkeys(("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"), _broadcast),
    "Concatenate": _concatenate,
}
# Of one output, whose shape is not computed here.
_ALONE = (
    "CategoryEncoding", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Discretization", "Dot",
    "EinsumDense", "Hashing", "MelSpectrogram", "RNN", "ReversibleEmbedding", "TimeDistributed",
)  # fmt: skip
_RECURRENT = {"GRU": 1, "LSTM": 2, "SimpleRNN": 1}
_ATTENTION: dict[str, Callable[[Config, list[Value], Config], Any]] = {
    "Attention": _dot_attention,
    "AdditiveAttention": _dot_attention,
    "MultiHeadAttention": _multi_head,
    "GroupQueryAttention": _multi_head,
}
