"""What comes out of an operation of `keras.ops` in a graph: shape and dtype.

As in `symbolic`, this is needed only for what no layer takes.
"""

from __future__ import annotations

from kvcs.keras_files.symbolic import Config, is_float
from kvcs.spec import SymbolicTensor, Value


def outputs(name: str, config: Config, args: list[Value]) -> tuple[SymbolicTensor, ...] | None:
    """Return what an operation yields when it is called so; None if that is not known."""
    tensors = [one for one in args if isinstance(one, SymbolicTensor)]
    if not tensors:
        return None
    first = tensors[0]
    if name == "Cast":
        return (SymbolicTensor(shape=first.shape, dtype=config["dtype"]),)
    if name in _UNARY and len(args) == 1 and is_float(first):
        return (first,)
    plain = all(isinstance(one, SymbolicTensor | float) for one in args)
    alike = all(one == first for one in tensors)
    if name in _BINARY and len(args) == 2 and plain and alike and is_float(first):
        return (first,)
    return None


def single(name: str) -> bool:
    """Tell whether an operation yields one tensor, whatever its shape."""
    return name in _UNARY or name in _BINARY or name in _SINGLE


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Of one output: of the shape and dtype of its input; of those of both inputs, if they are alike;
# and others.
_UNARY = _words("""
    Abs Absolute Arctan Cos Cosh Elu Erf Exp Expm1 Floor Gelu HardSigmoid HardSilu HardTanh
    LeakyRelu Log Log1p LogSigmoid LogSoftmax Negative Reciprocal Relu Relu6 Round Rsqrt Selu
    Sigmoid Sign Silu Sin Sinh Softmax Softplus Softsign Sqrt Square Tan Tanh
""")
_BINARY = _words("Add Divide Maximum Minimum Multiply Power Subtract TrueDivide")
_SINGLE = _words("""
    Amax Amin Any All Argmax Argmin Average BroadcastTo Cast Ceil Clip Concatenate Cumprod Cumsum
    Diagonal Dot DotProductAttention Einsum Equal ExpandDims Flip FloorDivide Full FullLike GetItem
    Glu Greater GreaterEqual Less LessEqual LogicalAnd LogicalNot LogicalOr Logsumexp Matmul Max
    Mean Min Mod Moveaxis Norm Normalize NotEqual OneHot OnesLike Pad Prod Repeat Reshape Resize
    Roll Sort Squeeze Stack Std StopGradient Sum Swapaxes Take TakeAlongAxis Tensordot Tile
    Transpose Tril Triu Var Where ZerosLike
""")
