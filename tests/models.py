"""Small live models, one for each kind of thing that has to survive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers, ops

Data = Any


@dataclass(frozen=True)
class Case:
    """A model, data to call it on, and the custom classes it needs to come back."""

    name: str
    build: Callable[[], keras.Model]
    data: Callable[[], Data]
    custom_objects: dict[str, Any] = field(default_factory=dict)
    compile: dict[str, Any] | None = None


CASES: dict[str, Case] = {}


def case(
    data: Callable[[], Data],
    custom_objects: dict[str, Any] | None = None,
    compile: dict[str, Any] | None = None,  # noqa: A002
) -> Callable[[Callable[[], keras.Model]], Callable[[], keras.Model]]:
    """Register a builder as a case."""

    def register(build: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
        CASES[build.__name__] = Case(build.__name__, build, data, custom_objects or {}, compile)
        return build

    return register


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(size=shape).astype("float32")


def integers(*shape: int, below: int = 7) -> np.ndarray:
    return np.random.default_rng(1).integers(0, below, size=shape).astype("int32")


@case(lambda: floats(4, 8, 8, 1), compile={"loss": "sparse_categorical_crossentropy"})
def convolutional() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-3)),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="classes"),
        ]
    )


@case(lambda: floats(4, 5))
def sequential_without_input() -> keras.Model:
    model = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    model(floats(2, 5))
    return model


@case(
    lambda: {"age": floats(4, 1), "words": integers(4, 6)},
    compile={"loss": {"score": "mse", "label": "mae"}, "loss_weights": {"score": 0.3, "label": 1}},
)
def named_inputs_and_outputs() -> keras.Model:
    words = keras.Input((6,), name="words", dtype="int32")
    age = keras.Input((1,), name="age")
    x = layers.Embedding(7, 4)(words)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Concatenate()([x, age])
    outputs = {"score": layers.Dense(1, name="score")(x), "label": layers.Dense(2, name="label")(x)}
    return keras.Model({"words": words, "age": age}, outputs, name="two_heads")


@case(lambda: [floats(4, 3), floats(4, 3)])
def shared_layer() -> keras.Model:
    one, other = keras.Input((3,)), keras.Input((3,))
    tower = layers.Dense(4, activation="tanh")
    return keras.Model([one, other], layers.Subtract()([tower(one), tower(other)]))


@case(lambda: floats(4, 3))
def nested_called_twice() -> keras.Model:
    inner_input = keras.Input((3,))
    x = layers.Dense(3)(inner_input)
    inner = keras.Model(inner_input, layers.Activation("relu")(x), name="inner")
    head = keras.Sequential([layers.Dense(4), layers.Dropout(0.5), layers.Dense(2)], name="head")
    inputs = keras.Input((3,))
    return keras.Model(inputs, head(inner(inner(inputs))))


@case(lambda: floats(4, 3))
def layer_shared_by_two_submodels() -> keras.Model:
    """Keras' own files cannot hold this: loading them fails."""
    trunk = layers.Dense(3, name="trunk")
    a_in, b_in = keras.Input((3,)), keras.Input((3,))
    a = keras.Model(a_in, layers.ReLU()(trunk(a_in)), name="a")
    b = keras.Model(b_in, layers.Softmax()(trunk(b_in)), name="b")
    inputs = keras.Input((3,))
    return keras.Model(inputs, [a(inputs), b(inputs)])


@case(lambda: floats(4, 6))
def operations_as_layers() -> keras.Model:
    inputs = keras.Input((6,))
    x = ops.reshape(inputs, (-1, 2, 3))
    x = x[:, 0] * 2.0 + ops.mean(x, axis=(1,))
    x = ops.concatenate([x, ops.where(x > 0.5, x, ops.zeros_like(x))], axis=-1)
    return keras.Model(inputs, ops.einsum("bi,ij->bj", x, np.arange(12.0).reshape(6, 2)))


@case(lambda: integers(4, 5))
def recurrent_with_masking() -> keras.Model:
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 4, mask_zero=True)(inputs)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True, dropout=0.2))(x)
    x = layers.TimeDistributed(layers.Dense(4))(x)
    return keras.Model(inputs, layers.GRU(2)(x))


class Block(layers.Layer):
    """A transformer block: a custom layer made of layers, in attributes and in a list."""

    def __init__(self, width: int, heads: int = 2, rate: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width, self.heads, self.rate = width, heads, rate
        self.attention = layers.MultiHeadAttention(heads, width // heads, dropout=rate)
        self.feed_forward = [layers.Dense(2 * width, activation="gelu"), layers.Dense(width)]
        self.norms = {"before": layers.LayerNormalization(), "after": layers.LayerNormalization()}

    def build(self, input_shape: Any) -> None:
        self.attention.build(input_shape, input_shape)
        self.feed_forward[0].build(input_shape)
        self.feed_forward[1].build((*input_shape[:-1], 2 * self.width))
        for norm in self.norms.values():
            norm.build(input_shape)
        self.scale = self.add_weight(shape=(), initializer="ones")  # without a name of its own
        super().build(input_shape)

    def call(self, x: Any, training: Any = None) -> Any:
        x = x + self.attention(self.norms["before"](x), x, training=training)
        return self.norms["after"](x + self.scale * self.feed_forward[1](self.feed_forward[0](x)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "heads": self.heads, "rate": self.rate}


@case(lambda: integers(4, 5), custom_objects={"Block": Block})
def transformer() -> keras.Model:
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(7, 8)(inputs)
    x = Block(8, name="first")(x)
    x = Block(8, rate=0.0)(x)
    return keras.Model(inputs, layers.Dense(7, name="logits")(x))


class Autoencoder(keras.Model):
    """A subclassed model whose parts are models given to its constructor."""

    def __init__(self, encoder: Any, decoder: Any, noise: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.noise = layers.GaussianNoise(noise)
        self.rate = noise

    def call(self, x: Any, training: Any = None) -> Any:
        return self.decoder(self.noise(self.encoder(x), training=training))

    def get_config(self) -> dict[str, Any]:
        config = {"encoder": self.encoder, "decoder": self.decoder, "noise": self.rate}
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Autoencoder:
        for part in ("encoder", "decoder"):
            config[part] = keras.saving.deserialize_keras_object(config[part])
        return cls(**config)


@case(lambda: floats(4, 6), custom_objects={"Autoencoder": Autoencoder}, compile={"loss": "mse"})
def subclassed_with_models() -> keras.Model:
    encoder = keras.Sequential([keras.Input((6,)), layers.Dense(3, activation="relu")])
    inputs = keras.Input((3,))
    decoder = keras.Model(inputs, layers.Dense(6)(inputs))
    model = Autoencoder(encoder, decoder)
    model(floats(2, 6))
    return model


class Stack(keras.Model):
    """A subclassed model that builds its layers in lists, and owns a weight."""

    def __init__(self, sizes: Any = (4, 3), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = sizes
        self.hidden = [layers.Dense(size, activation="relu") for size in sizes]
        self.out = layers.Dense(1)
        self.offset = self.add_weight(shape=(1,), name="offset")

    def call(self, x: Any) -> Any:
        for layer in self.hidden:
            x = layer(x)
        return self.out(x) + self.offset

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": self.sizes}


@case(lambda: floats(4, 6), custom_objects={"Stack": Stack}, compile={"loss": "mse"})
def subclassed_with_lists() -> keras.Model:
    model = Stack((5, 4, 3))
    model(floats(2, 6))
    return model


@case(lambda: np.array(["the cat sat", "a dog", "the the"], dtype=object))
def text() -> keras.Model:
    vectorize = layers.TextVectorization(max_tokens=12, output_sequence_length=4)
    vectorize.adapt(["the cat sat on the mat", "a dog ate the cat"])
    return keras.Sequential(
        [
            keras.Input((), dtype="string"),
            vectorize,
            layers.Embedding(12, 4),
            layers.GlobalMaxPooling1D(),
            layers.Dense(2),
        ]
    )


@case(lambda: floats(4, 3), compile={"loss": "mse"})
def frozen_backbone() -> keras.Model:
    backbone = keras.Sequential([keras.Input((3,)), layers.Dense(4)], name="backbone")
    backbone.trainable = False
    return keras.Sequential([keras.Input((3,)), backbone, layers.Dense(2)])


@case(lambda: floats(4, 3), compile={"loss": "mse"})
def mixed_precision() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, dtype="mixed_bfloat16"),
            layers.Dense(2, dtype="bfloat16"),
        ]
    )


@case(lambda: floats(4, 5, 3))
def models_inside_layers() -> keras.Model:
    """Wrapped models: what they own is found although no attribute leads to their layers."""
    inner_input = keras.Input((3,))
    x = layers.Dense(4)(inner_input)
    inner = keras.Model(inner_input, layers.Dense(3, name="out")(x))
    row = keras.Sequential([layers.Dense(3), layers.BatchNormalization()])
    inputs = keras.Input((5, 3))
    x = layers.TimeDistributed(inner)(inputs)
    return keras.Model(inputs, layers.TimeDistributed(row)(x))


@case(lambda: floats(2, 5, 3))
def stateful() -> keras.Model:
    model = keras.Sequential(
        [keras.Input((5, 3), batch_size=2), layers.LSTM(2, stateful=True), layers.Dense(1)]
    )
    model(floats(2, 5, 3))
    return model


class Letters(layers.Layer):
    """Attributes that some file systems cannot tell apart."""

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(3,), name="w")
        self.W = self.add_weight(shape=(3,), name="W")
        self._w = {"a": self.add_weight(shape=(3,)), "A": self.add_weight(shape=(3,))}

    def call(self, x: Any) -> Any:
        return x * self.w + self.W * self._w["a"] - self._w["A"]


@case(lambda: floats(4, 3), custom_objects={"Letters": Letters})
def names_alike() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), Letters()])


class Heads(layers.Layer):
    """A layer whose argument is a dict in which the order of the keys has a meaning."""

    def __init__(self, heads: dict[str, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = dict(heads)
        self.parts = [layers.Dense(units) for units in heads.values()]

    def build(self, input_shape: Any) -> None:
        for part in self.parts:
            part.build(input_shape)

    def call(self, x: Any) -> Any:
        return ops.concatenate([part(x) for part in self.parts], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "heads": self.heads}


@case(lambda: floats(4, 3), custom_objects={"Heads": Heads})
def order_of_a_dict() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, Heads({"b": 2, "a": 3})(inputs))


@case(lambda: floats(4, 3).astype("float16"))
def numpy_scalars_as_arguments() -> keras.Model:
    """A float of Python would leave the tensor what it is; one of NumPy has a dtype of its own."""
    inputs = keras.Input((3,), dtype="float16")
    x = ops.multiply(inputs, np.float32(2.1))
    return keras.Model(inputs, [x, ops.add(inputs, np.array(0.1)), ops.add(inputs, np.int8(3))])


@case(lambda: integers(4, 5))
def weights_as_arguments() -> keras.Model:
    """A language model whose output is its embedding once more."""
    inputs = keras.Input((5,), dtype="int32")
    embedding = layers.Embedding(7, 4)
    x = layers.Dense(4)(embedding(inputs))
    return keras.Model(inputs, ops.einsum("btd,vd->btv", x, embedding.embeddings))


@case(lambda: floats(4, 3), compile={"loss": "mse"})
def policies_of_containers() -> keras.Model:
    """The policy of a model decides what its inputs are cast to, and who scales the loss."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inner = keras.Sequential([keras.Input((3,)), layers.Dense(4, dtype="float32")])
        inputs = keras.Input((3,))
        return keras.Model(inputs, layers.Dense(2, dtype="float32")(inner(inputs)))
    finally:
        keras.config.set_dtype_policy("float32")


class Plain(layers.Layer):
    """A custom layer that leaves it to its first call to build what is inside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps = [layers.Dense(4), layers.BatchNormalization()]
        self.dropout = layers.Dropout(0.1)
        self.projection = layers.Dense(3, name="chosen")

    def call(self, x: Any, training: Any = None) -> Any:
        for step in self.steps:
            x = step(x)
        return self.projection(self.dropout(x, training=training))


class Half(Plain):
    """A custom layer with a build() that builds one of its layers and forgets the others."""

    def build(self, shape: Any) -> None:
        self.steps[0].build(shape)


@case(lambda: floats(4, 3), custom_objects={"Plain": Plain, "Half": Half})
def layers_built_by_the_first_call() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, Half()(Plain()(inputs)))


class Chain(keras.Model):
    """A subclassed model of such layers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plain, self.dense = Plain(), layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.dense(self.plain(x))


@case(
    lambda: floats(4, 3), custom_objects={"Plain": Plain, "Chain": Chain}, compile={"loss": "mse"}
)
def subclassed_with_unbuilt_layers() -> keras.Model:
    model = Chain()
    model(floats(2, 3))
    return model


@case(lambda: floats(4, 3), custom_objects={"Plain": Plain, "Chain": Chain})
def settings_changed_since() -> keras.Model:
    """What is in no constructor's arguments: the class builds it as it always does."""
    model = Chain()
    model.plain.projection.dtype_policy = keras.DTypePolicy("float64")
    model(floats(2, 3))
    model.dense.activation = keras.activations.relu
    model.plain.projection.activation = keras.activations.tanh
    model.plain.dropout.rate = 0.7
    model.plain.steps[1].epsilon = 0.5
    return model


class Scaled(keras.Model):
    """A functional model with an argument of its own."""

    def __init__(self, inputs: Any, outputs: Any, scale: float = 3.0, **kwargs: Any) -> None:
        super().__init__(inputs, outputs, **kwargs)
        self.scale = scale

    def call(self, x: Any, training: Any = None, mask: Any = None) -> Any:
        return super().call(x, training=training) * self.scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


@case(lambda: floats(4, 3), custom_objects={"Scaled": Scaled})
def functional_with_an_argument() -> keras.Model:
    inputs = keras.Input((3,))
    return Scaled(inputs, layers.Dense(2)(inputs), scale=7.0)


class Beside(keras.Model):
    """A functional model with a layer and a weight beside its graph."""

    def __init__(self, inputs: Any, outputs: Any, **kwargs: Any) -> None:
        super().__init__(inputs, outputs, **kwargs)
        self.extra = layers.Dense(2)
        self.factor = self.add_weight(shape=(2,), name="factor")

    def call(self, x: Any, training: Any = None, mask: Any = None) -> Any:
        return self.extra(super().call(x, training=training)) * self.factor


@case(lambda: floats(4, 3), custom_objects={"Beside": Beside})
def functional_with_a_layer_beside() -> keras.Model:
    inputs = keras.Input((3,))
    model = Beside(inputs, layers.Dense(4)(inputs))
    model(floats(2, 3))
    return model


@case(lambda: floats(4, 3))
def functions_as_arguments() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, ops.vectorized_map(ops.sum, inputs))


class Reusing(layers.Layer):
    """A layer that is given another one, which stands in the model as well."""

    def __init__(self, other: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.other = other

    def call(self, x: Any) -> Any:
        return ops.matmul(x, ops.transpose(self.other.embeddings))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "other": self.other}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Reusing:
        config["other"] = keras.saving.deserialize_keras_object(config["other"])
        return cls(**config)


@case(lambda: integers(4, 5), custom_objects={"Reusing": Reusing})
def layer_given_to_another() -> keras.Model:
    inputs = keras.Input((5,), dtype="int32")
    embedding = layers.Embedding(7, 4)
    return keras.Model(inputs, Reusing(embedding)(layers.Dense(4)(embedding(inputs))))


def randomized(model: keras.Model) -> keras.Model:
    """Give every float variable a value of its own, so that a fresh one would show."""
    random = np.random.default_rng(0)
    for variable in model.variables:
        if "float" in keras.backend.standardize_dtype(variable.dtype):
            variable.assign(random.uniform(0.1, 0.9, variable.shape).astype("float32"))
    return model


def built(name: str) -> keras.Model:
    """Build a case, with weights of its own; compiled, with slots, where the case says so."""
    this = CASES[name]
    model = randomized(this.build())
    if this.compile is not None:
        model.compile(optimizer=keras.optimizers.Adam(0.01), **this.compile)
        model.optimizer.build(model.trainable_variables)
        random = np.random.default_rng(2)
        for variable in model.optimizer.variables:
            if "float" in variable.dtype and variable.shape:
                variable.assign(random.uniform(0.1, 0.9, variable.shape))
    return model
