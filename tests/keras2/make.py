"""Make the Keras 2 fixtures: one `.h5` file per model, and what Keras 2 predicts with it.

Run in an environment of its own, `pip install tf_keras tensorflow` and then `python make.py`, in
this directory. It writes each function below as `<name>.h5`, one model as `.keras`, and all
inputs and predictions to `predictions.npz`.
"""

from __future__ import annotations

import numpy as np
import tf_keras as keras
from tf_keras import layers

RANDOM = np.random.default_rng(2)


def mlp():
    """A classifier, compiled with short names."""
    model = keras.Sequential(
        [
            layers.Dense(5, activation="relu", input_shape=(4,), kernel_regularizer="l2"),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax", kernel_constraint=keras.constraints.MaxNorm(3)),
        ]
    )
    model.compile("adam", "mse", metrics=["mae", "accuracy"])
    model.fit(floats(6, 4), floats(6, 3), verbose=0)
    return model


def convolutional():
    """An optimizer of before TF 2.11, and metrics as objects."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(3, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.MaxPooling2D(),
            layers.ZeroPadding2D(((1, 0), (0, 1))),
            layers.Conv2D(4, 3, strides=2, activation="elu"),
            layers.SpatialDropout2D(0.1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    model.compile(
        keras.optimizers.legacy.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="hits")],
    )
    return model


def shared():
    """One layer called twice, and merges."""
    one, other = keras.Input((3,), name="one"), keras.Input((3,), name="other")
    dense = layers.Dense(4, "tanh", name="both")
    a, b = dense(one), dense(other)
    merged = [layers.Add()([a, b]), layers.Multiply()([a, b]), layers.Dot(1)([a, b])]
    x = layers.Concatenate()(merged)
    first = layers.Dense(2, name="first")(x)
    second = layers.Dense(1, name="second")(layers.Subtract()([a, b]))
    model = keras.Model([one, other], [first, second], name="siblings")
    model.compile(
        "rmsprop",
        {"first": "mse", "second": "mae"},
        loss_weights={"first": 1.0, "second": 0.5},
        metrics={"first": ["mse"]},
    )
    return model


def nested():
    """A functional and a Sequential model inside, the first called twice, and frozen layers."""
    inner_input = keras.Input((4,))
    x = layers.Dense(4, activation="relu")(inner_input)
    x = layers.BatchNormalization()(x)
    frozen = layers.Dense(4)
    frozen.trainable = False
    inner = keras.Model(inner_input, layers.Add()([frozen(x), x]), name="inner")
    tail = keras.Sequential([layers.Dense(4, input_shape=(4,)), layers.Dense(4)], name="tail")
    inputs = keras.Input((4,))
    x = tail(inner(inputs))
    y = inner(x)
    late = keras.Sequential([keras.Input((4,)), layers.BatchNormalization(), layers.Dense(2)])
    late.trainable = False
    return keras.Model(inputs, [late(y), inner(y), y])


def recurrent():
    """Two directions, three kinds of cells, states handed on."""
    inputs = keras.Input((5, 3))
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(inputs)
    x = layers.Bidirectional(
        layers.GRU(3, return_sequences=True),
        backward_layer=layers.GRU(3, return_sequences=True, go_backwards=True, reset_after=False),
        merge_mode="sum",
    )(x)
    x = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True)(x)
    x, h, c = layers.LSTM(4, return_sequences=True, return_state=True)(x)
    x = layers.LSTM(4, return_sequences=True)(x, initial_state=[h, c])
    x = layers.GRU(3, return_sequences=True, reset_after=False)(x)
    x = layers.GRU(4)(x, initial_state=h)
    return keras.Model(inputs, layers.SimpleRNN(2)(layers.RepeatVector(3)(x)))


def embedding():
    """Words with a mask."""
    return keras.Sequential(
        [
            layers.Embedding(20, 4, mask_zero=True, input_length=6),
            layers.LSTM(3, return_sequences=True),
            layers.Masking(0.5),
            layers.Bidirectional(layers.GRU(2)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def attention():
    """A block of a transformer; tensors among the keyword arguments, and arithmetic."""
    query, memory = keras.Input((4, 6)), keras.Input((5, 6))
    x = layers.LayerNormalization(epsilon=1e-6)(query)
    x = x + layers.MultiHeadAttention(2, 3)(x, memory, use_causal_mask=False)
    y = layers.MultiHeadAttention(2, 3, value_dim=4)(query=x, value=memory, key=memory)
    x = layers.LayerNormalization(axis=[1, 2])(x + y)
    x = layers.Attention(use_scale=True)([x, memory])
    x = layers.AdditiveAttention()([x, memory])
    x = layers.Dense(4, activation="gelu")(x)
    return keras.Model([query, memory], layers.GlobalAveragePooling1D()(x))


def separable():
    """Convolutions of all kinds."""
    inputs = keras.Input((9, 9, 3))
    x = layers.SeparableConv2D(4, 3, depth_multiplier=2, activation="relu")(inputs)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Conv2DTranspose(3, 2, strides=2)(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(layers.Cropping2D(1)(x))
    x = layers.Conv2D(4, 3, groups=1, dilation_rate=2)(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Reshape((-1, 4))(x)
    x = layers.Conv1D(3, 3, padding="causal")(x)
    x = layers.SeparableConv1D(3, 3)(x)
    x = layers.Conv1DTranspose(2, 3)(layers.MaxPooling1D(2)(x))
    return keras.Model(inputs, layers.Flatten()(x))


def time_distributed():
    """A wrapper round a layer and round a model."""
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)])
    inputs = keras.Input((5, 4))
    one = layers.TimeDistributed(layers.Dense(3, activation="relu"))(inputs)
    other = layers.TimeDistributed(inner)(inputs)
    return keras.Model(inputs, layers.Concatenate()([one, other]))


def mixed():
    """Mixed precision."""
    policy = keras.mixed_precision.Policy("mixed_float16")
    inputs = keras.Input((4,))
    x = layers.Dense(8, activation="relu", dtype=policy)(inputs)
    x = layers.BatchNormalization(dtype=policy)(x)
    return keras.Model(inputs, layers.Dense(2, dtype="float32")(x))


def activations():
    """Layers that are activations, and normalisations."""
    inputs = keras.Input((6, 4))
    x = layers.LeakyReLU(0.1)(inputs)
    x = layers.PReLU(shared_axes=[1])(x)
    x = layers.ThresholdedReLU(0.2)(layers.ELU(0.7)(x))
    x = layers.GroupNormalization(2)(x)
    x = layers.UnitNormalization()(x)
    x = layers.Activation("swish")(layers.Dense(4, "softplus")(x))
    x = layers.BatchNormalization(axis=1, scale=False)(x)
    x = layers.ReLU(negative_slope=0.1, threshold=0.05)(x)
    x = layers.Rescaling(2.0, 0.5)(layers.Normalization(axis=-1)(x))
    return keras.Model(inputs, layers.Softmax(axis=1)(layers.Permute((2, 1))(x)))


def arithmetic():
    """Functions of TensorFlow and operators, which Keras 2 makes layers of."""
    import tensorflow as tf

    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    x = (a + b) * 2.0 - b / 3.0
    x = 1.0 - tf.math.abs(-x) ** 2
    x = tf.concat([x, tf.nn.relu(a)], axis=-1)
    x = tf.math.maximum(x, 0.25) + tf.reduce_mean(x, axis=1, keepdims=True)
    x = tf.sqrt(tf.exp(x) + 1.0)
    y = tf.reshape(x, [-1, 2, 4])[:, 1, ::2]
    z = tf.transpose(tf.expand_dims(y, 1), [0, 2, 1])[..., 0]
    return keras.Model([a, b], [y, z, tf.math.sigmoid(tf.squeeze(z[:, :1], -1)), x[:, -3:]])


FIXTURES = (
    mlp, convolutional, shared, nested, recurrent, embedding, attention, separable,
    time_distributed, mixed, activations, arithmetic,
)  # fmt: skip


def floats(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def data_for(model):
    if model.inputs[0].shape.rank == 2 and model.layers[0].__class__.__name__ == "Embedding":
        return [RANDOM.integers(0, 20, size=(2, 6)).astype("float32")]
    return [floats(2, *tensor.shape[1:]) for tensor in model.inputs]


def randomise(model):
    """Give every weight another value; those of fresh biases, for one, are all the same."""
    for weight in model.weights:
        if weight.dtype.is_floating:
            value = RANDOM.uniform(-0.6, 0.6, size=weight.shape)
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()  # it computes with what it had at first, until told


def main():
    kept = {}
    for make in FIXTURES:
        keras.backend.clear_session()
        model, name = make(), make.__name__
        randomise(model)
        model.save(f"{name}.h5")
        data = data_for(model)
        found = model(data[0] if len(data) == 1 else data, training=False)
        for number, array in enumerate(data):
            kept[f"{name}/input/{number}"] = array
        for number, array in enumerate(found if isinstance(found, list) else [found]):
            kept[f"{name}/output/{number}"] = np.asarray(array)
        if make is convolutional:
            model.save(f"{name}.keras")
    np.savez_compressed("predictions.npz", **kept)


if __name__ == "__main__":
    main()
