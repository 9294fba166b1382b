"""What becomes of each layer of Keras 2: the table.

A rule says which keys of a layer's config Keras 3 takes as they are, which it calls otherwise, and
which are left out since they are without effect. A key that no rule mentions is refused: it may
mean something that Keras 3 does not do. The keys are those of Keras 2.0 to 2.15 and tf_keras 2.21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Stands for all values of a key that is left out whatever it says.
ANY: Final = ("any",)

# Keys that every layer of Keras 2 can have.
COMMON = frozenset({"name", "trainable", "dtype", "activity_regularizer"})

# Left out of every layer: the shape of its input is said by the model, and a layer of Keras 3 is
# never dynamic.
EVERYWHERE: Mapping[str, tuple[Any, ...]] = {
    "batch_input_shape": ANY,
    "input_shape": ANY,
    "input_dim": ANY,
    "batch_size": ANY,
    "dynamic": (False, None),
    "experimental_autocast": (True,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How the config of one class is carried over.

    Attributes:
        keys: keys that Keras 3 takes as they are, besides `COMMON`.
        name: the class in Keras 3, if it has another name there.
        renamed: keys that have another name in Keras 3.
        dropped: keys without effect, and the values for which that is so.
        needed: keys without which Keras 2 and Keras 3 do different things.
        single: keys that may hold a list of one number, where Keras 3 wants the number.
        nested: keys that hold layers.
        added: what Keras 3 has to be told.
        refused: why there is no such layer in Keras 3, and what to do.
    """

    keys: frozenset[str] = frozenset()
    name: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    single: frozenset[str] = frozenset()
    nested: frozenset[str] = frozenset()
    added: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""


def _rule(
    keys: str = "", *, needed: str = "", single: str = "", nested: str = "", **rest: Any
) -> Rule:
    return Rule(
        keys=frozenset(f"{keys} {needed} {single} {nested}".split()),
        needed=frozenset(needed.split()),
        single=frozenset(single.split()),
        nested=frozenset(nested.split()),
        **rest,
    )


def _refused(why: str) -> Rule:
    return Rule(refused=why)


def _weights(*names: str) -> str:
    """Return the three keys that each kind of weight has."""
    parts = ("initializer", "regularizer", "constraint")
    return " ".join(f"{name}_{part}" for name in names for part in parts)


_DENSE = f"activation use_bias {_weights('kernel', 'bias')}"
_WINDOW = "kernel_size strides padding data_format dilation_rate"
_CONV = f"filters {_WINDOW} {_DENSE}"
_NO_GROUPS = {"groups": (1,)}
# What the bases of these classes put into their configs, and they do not use.
_NO_KERNEL = {**_NO_GROUPS, **dict.fromkeys(_weights("kernel").split(), ANY)}
_DEPTHWISE = f"{_WINDOW} depth_multiplier activation use_bias {_weights('depthwise', 'bias')}"
_SEPARABLE = f"filters {_DEPTHWISE} {_weights('pointwise')}"

_CELL = f"units {_DENSE} {_weights('recurrent')} dropout recurrent_dropout"
_SEQUENCE = "return_sequences return_state go_backwards stateful unroll"
# Keras 3 has the batch in the first axis. Which of two equal ways a step is computed is its choice.
_LOOP: Mapping[str, tuple[Any, ...]] = {"time_major": (False,), "implementation": ANY}
_NO_CONSTANTS = {"num_constants": (0, None)}
_CONV_LSTM = (
    f"filters {_WINDOW} {_DENSE} {_weights('recurrent')} unit_forget_bias dropout "
    "recurrent_dropout return_sequences return_state go_backwards stateful"
)
_RNN = {**_LOOP, **_NO_CONSTANTS}
_CONV_RNN = {**_RNN, "unroll": (False,)}

_SCALED = f"epsilon center scale {_weights('beta', 'gamma')}"
_BATCH_NORM = _rule(
    f"momentum {_SCALED} moving_mean_initializer moving_variance_initializer",
    single="axis",
    dropped={
        "renorm": (False,),
        "renorm_clipping": ANY,
        "renorm_momentum": ANY,
        "fused": ANY,
        "virtual_batch_size": (None,),
        "adjustment": (None,),
    },
)
_NO_FLAG = {"trainable": ANY}  # it has no weights, and its constructor takes no such key
_LOOKUP = "max_tokens num_oov_indices mask_token oov_token vocabulary invert output_mode sparse"
_LOOKUP_REST = "pad_to_max_tokens idf_weights"
_SIZE = {"vocabulary_size": ANY}
_RNG = {"rng_type": ANY}
_FILLED = "fill_mode fill_value interpolation seed"

_LAMBDA = (
    "it holds a function of TensorFlow or the bytecode of some version of Python, which cannot be "
    "carried over: make a layer class of it, and build the model with that"
)
_CUDNN = (
    "its weights are laid out for cuDNN: load the model in Keras 2, build it with {} in its place, "
    "and save it again"
)

LAYERS: Mapping[str, Rule] = {
    # Core
    "Dense": _rule(f"units {_DENSE}"),
    "EinsumDense": _rule(
        f"equation output_shape bias_axes activation {_weights('kernel', 'bias')}"
    ),
    "Embedding": _rule(
        f"input_dim output_dim {_weights('embeddings')} mask_zero",
        dropped={"input_length": ANY, "sparse": (False,)},
    ),
    "Masking": _rule("mask_value"),
    "Activation": _rule(needed="activation"),
    "Flatten": _rule("data_format"),
    "Reshape": _rule("target_shape"),
    "Permute": _rule("dims"),
    "RepeatVector": _rule("n"),
    "ActivityRegularization": _rule("l1 l2"),
    "Identity": _rule(),
    "Lambda": _refused(_LAMBDA),
    # Activations
    "ReLU": _rule("max_value negative_slope threshold"),
    "LeakyReLU": _rule(renamed={"alpha": "negative_slope"}),
    "ELU": _rule("alpha"),
    "PReLU": _rule(f"{_weights('alpha')} shared_axes"),
    "Softmax": _rule("axis", dropped={"robust_masking": (False,)}),
    # Both are x where x > theta, else 0.
    "ThresholdedReLU": _rule(name="ReLU", renamed={"theta": "threshold"}),
    # Convolutions
    "Conv1D": _rule(f"{_CONV} groups"),
    "Conv2D": _rule(f"{_CONV} groups"),
    "Conv3D": _rule(f"{_CONV} groups"),
    "Conv1DTranspose": _rule(f"{_CONV} output_padding", dropped=_NO_GROUPS),
    "Conv2DTranspose": _rule(f"{_CONV} output_padding", dropped=_NO_GROUPS),
    "Conv3DTranspose": _rule(f"{_CONV} output_padding", dropped=_NO_GROUPS),
    "DepthwiseConv1D": _rule(_DEPTHWISE, dropped=_NO_KERNEL),
    "DepthwiseConv2D": _rule(_DEPTHWISE, dropped=_NO_KERNEL),
    "SeparableConv1D": _rule(_SEPARABLE, dropped=_NO_KERNEL),
    "SeparableConv2D": _rule(_SEPARABLE, dropped=_NO_KERNEL),
    "LocallyConnected1D": _refused("Keras 3 has no locally connected layers: build it without"),
    "LocallyConnected2D": _refused("Keras 3 has no locally connected layers: build it without"),
    # Pooling and shapes of images
    **{
        f"{kind}Pooling{axes}D": _rule("pool_size strides padding data_format")
        for kind in ("Max", "Average")
        for axes in (1, 2, 3)
    },
    **{
        f"Global{kind}Pooling{axes}D": _rule("data_format keepdims")
        for kind in ("Max", "Average")
        for axes in (1, 2, 3)
    },
    "UpSampling1D": _rule("size"),
    "UpSampling2D": _rule("size data_format interpolation"),
    "UpSampling3D": _rule("size data_format"),
    "ZeroPadding1D": _rule("padding"),
    "ZeroPadding2D": _rule("padding data_format"),
    "ZeroPadding3D": _rule("padding data_format"),
    "Cropping1D": _rule("cropping"),
    "Cropping2D": _rule("cropping data_format"),
    "Cropping3D": _rule("cropping data_format"),
    # Recurrence
    "SimpleRNN": _rule(f"{_CELL} {_SEQUENCE}", dropped=_RNN),
    "LSTM": _rule(
        f"{_CELL} {_SEQUENCE} unit_forget_bias", needed="recurrent_activation", dropped=_RNN
    ),
    "GRU": _rule(f"{_CELL} {_SEQUENCE}", needed="recurrent_activation reset_after", dropped=_RNN),
    "SimpleRNNCell": _rule(_CELL, dropped=_LOOP),
    "LSTMCell": _rule(f"{_CELL} unit_forget_bias", needed="recurrent_activation", dropped=_LOOP),
    "GRUCell": _rule(_CELL, needed="recurrent_activation reset_after", dropped=_LOOP),
    "StackedRNNCells": _rule(nested="cells", dropped={"reverse_state_order": (False,)}),
    "RNN": _rule(f"{_SEQUENCE} zero_output_for_mask", nested="cell", dropped=_RNN),
    "ConvLSTM1D": _rule(_CONV_LSTM, needed="recurrent_activation", dropped=_CONV_RNN),
    "ConvLSTM2D": _rule(_CONV_LSTM, needed="recurrent_activation", dropped=_CONV_RNN),
    "ConvLSTM3D": _rule(_CONV_LSTM, needed="recurrent_activation", dropped=_CONV_RNN),
    "Bidirectional": _rule("merge_mode", nested="layer backward_layer", dropped=_NO_CONSTANTS),
    "TimeDistributed": _rule(nested="layer"),
    "SpectralNormalization": _rule("power_iterations", nested="layer"),
    "CuDNNLSTM": _refused(_CUDNN.format("LSTM")),
    "CuDNNGRU": _refused(_CUDNN.format("GRU")),
    # Normalisation
    "BatchNormalization": _BATCH_NORM,
    "SyncBatchNormalization": Rule(
        keys=_BATCH_NORM.keys,
        name="BatchNormalization",
        single=_BATCH_NORM.single,
        dropped=_BATCH_NORM.dropped,
        added={"synchronized": True},
    ),
    "LayerNormalization": _rule(f"axis {_SCALED}"),
    "GroupNormalization": _rule(f"groups axis {_SCALED}"),
    "UnitNormalization": _rule("axis"),
    "Normalization": _rule("axis mean variance invert"),
    # Merging
    **{name: _rule() for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")},
    "Concatenate": _rule("axis"),
    "Dot": _rule("axes normalize"),
    # Attention
    "Attention": _rule("use_scale score_mode dropout", dropped={"causal": (False,)}),
    "AdditiveAttention": _rule("use_scale dropout", dropped={"causal": (False,)}),
    "MultiHeadAttention": _rule(
        f"num_heads key_dim value_dim dropout use_bias output_shape attention_axes "
        f"{_weights('kernel', 'bias')}",
        dropped={
            "query_shape": ANY,
            "key_shape": ANY,
            "value_shape": ANY,
            "softmax_robust_masking": (False,),
        },
    ),
    # What regularises
    "Dropout": _rule("rate noise_shape seed", dropped=_RNG),
    "AlphaDropout": _rule("rate noise_shape seed", dropped=_RNG),
    **{
        f"SpatialDropout{axes}D": _rule(
            "rate seed", dropped={**_NO_FLAG, **_RNG, "noise_shape": (None,)}
        )
        for axes in (1, 2, 3)
    },
    "GaussianDropout": _rule("rate seed", dropped=_RNG),
    "GaussianNoise": _rule("stddev seed", dropped=_RNG),
    # Preprocessing
    "Rescaling": _rule("scale offset"),
    "Resizing": _rule("height width interpolation crop_to_aspect_ratio"),
    "CenterCrop": _rule("height width"),
    "RandomFlip": _rule("mode seed", dropped=_RNG),
    "RandomRotation": _rule(f"factor {_FILLED}", dropped=_RNG),
    "RandomTranslation": _rule(f"height_factor width_factor {_FILLED}", dropped=_RNG),
    "RandomZoom": _rule(f"height_factor width_factor {_FILLED}", dropped=_RNG),
    "RandomContrast": _rule("factor seed", dropped=_RNG),
    "RandomBrightness": _rule("factor value_range seed", dropped=_RNG),
    "RandomCrop": _refused(
        "when it predicts, that of Keras 2 crops the middle, and that of Keras 3 nothing: build "
        "the model with CenterCrop"
    ),
    "RandomHeight": _refused("Keras 3 has no layer that changes the size at random: leave it out"),
    "RandomWidth": _refused("Keras 3 has no layer that changes the size at random: leave it out"),
    "CategoryEncoding": _rule("num_tokens output_mode sparse"),
    "Discretization": _rule("bin_boundaries num_bins epsilon output_mode sparse", dropped=_NO_FLAG),
    "Hashing": _rule("num_bins salt mask_value output_mode sparse"),
    "HashedCrossing": _rule("num_bins output_mode sparse"),
    "StringLookup": _rule(f"{_LOOKUP} {_LOOKUP_REST} encoding", dropped=_SIZE),
    "IntegerLookup": _rule(f"{_LOOKUP} {_LOOKUP_REST} vocabulary_dtype", dropped=_SIZE),
    "TextVectorization": _rule(
        "max_tokens standardize split ngrams output_mode output_sequence_length "
        "pad_to_max_tokens vocabulary idf_weights sparse ragged encoding",
        dropped=_SIZE,
    ),
    **dict.fromkeys(
        ("TensorFlowOpLayer", "ClassMethod", "InstanceMethod", "InstanceProperty"),
        _refused(
            "it holds an operation of TensorFlow: make a layer class of it, and build the model "
            "with that"
        ),
    ),
    "DenseFeatures": _refused(
        "Keras 3 has no feature columns: use keras.utils.FeatureSpace, or preprocessing layers"
    ),
}

# Old names, of Keras 1, of the compatibility layers of TensorFlow 2, and of the documentation.
ALIASES: Mapping[str, str] = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "LSTMV2": "LSTM",
    "GRUV2": "GRU",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    **{f"AvgPool{axes}D": f"AveragePooling{axes}D" for axes in (1, 2, 3)},
    **{f"MaxPool{axes}D": f"MaxPooling{axes}D" for axes in (1, 2, 3)},
    **{f"GlobalAvgPool{axes}D": f"GlobalAveragePooling{axes}D" for axes in (1, 2, 3)},
    **{f"GlobalMaxPool{axes}D": f"GlobalMaxPooling{axes}D" for axes in (1, 2, 3)},
}

# Layers that take the first state beside the sequence.
RECURRENT = frozenset(
    {"SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}
)
