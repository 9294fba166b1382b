"""Make the Keras 2 fixtures: one `.h5` file per model, and what Keras 2 predicts with it.

Run in an environment of its own, `pip install tf_keras tensorflow` and then `python make.py`, in
this directory. It writes

    <name>.h5          the model of each function below, one of them as .keras too
    predictions.npz    what they predict: `<name>/input/0`, …, `<name>/output/0`, …
    layers.json        the JSON of a model for each of `LAYERS`, and shapes of arrays:
    layers.npy         one after the other: its input, its weights, and what it predicts
    training.json      the description of each optimizer, loss and metric of `TRAINING`
"""

from __future__ import annotations

import json
from pathlib import Path

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
    merged += [each()([a, b]) for each in (layers.Average, layers.Maximum, layers.Minimum)]
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


def structures():
    """Inputs and outputs that are a dict, one of whole numbers, and a list of one."""
    inputs = {
        "words": keras.Input((3,), dtype="int32", name="words"),
        "x": keras.Input((4,), name="x"),
    }
    embedded = layers.Flatten()(layers.Embedding(7, 2)(inputs["words"]))
    x = layers.Concatenate()([embedded, inputs["x"]])
    inner_input = keras.Input((10,))
    inner = keras.Model([inner_input], [layers.Dense(3)(inner_input)])
    x = inner(x)
    return keras.Model(inputs, {"one": layers.Dense(1, name="one")(x), "all": x})


FIXTURES = (
    mlp, convolutional, shared, nested, recurrent, embedding, attention, separable,
    time_distributed, mixed, activations, arithmetic, structures,
)  # fmt: skip


LINE, PLANE, SPACE = (6, 4), (6, 6, 4), (4, 4, 4, 2)
REGULAR = {"kernel_regularizer": keras.regularizers.L1L2(0.1, 0.2), "kernel_constraint": "non_neg"}

# Shape of the input, and layers that take it.
LAYERS = [
    *[((4,), layer) for layer in (
        layers.Dense(3, "selu", **REGULAR, kernel_initializer="he_normal"),
        layers.Dense(3, "gelu", bias_initializer=keras.initializers.Constant(0.5)),
        layers.Dense(3, "leaky_relu", kernel_initializer=keras.initializers.VarianceScaling()),
        layers.Dense(3, "mish", activity_regularizer=keras.regularizers.L1(0.1)),
        layers.Dense(3, "exponential", bias_constraint=keras.constraints.MinMaxNorm(0.1, 0.9)),
        layers.Dense(3, "softsign", kernel_initializer=keras.initializers.RandomUniform(-1, 1)),
        layers.Dense(3, "relu6", kernel_regularizer=keras.regularizers.OrthogonalRegularizer()),
        layers.Dense(3, "silu", kernel_initializer=keras.initializers.Identity(2.0)),
        layers.EinsumDense("ab,bc->ac", 3, bias_axes="c"),
        layers.RepeatVector(2), layers.ActivityRegularization(0.1, 0.2), layers.Dropout(0.5),
        layers.AlphaDropout(0.1), layers.GaussianDropout(0.1), layers.GaussianNoise(0.1),
        layers.Activation("softmax"), layers.Softmax(), layers.ELU(0.3), layers.Identity(),
        layers.BatchNormalization(momentum=0.8, center=False), layers.Masking(0.0),
        layers.UnitNormalization(),
        layers.CategoryEncoding(5), layers.Discretization([-0.5, 0.5]),
        layers.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0, 2, 1, 2]),
    )],
    *[(LINE, layer) for layer in (
        layers.Conv1D(2, 3, 2, "same", groups=2), layers.Conv1D(2, 2, dilation_rate=2),
        layers.Conv1DTranspose(2, 3, 2, "same"), layers.SeparableConv1D(2, 3, depth_multiplier=2),
        layers.DepthwiseConv1D(3, 2, depth_multiplier=2), layers.MaxPooling1D(2, 1, "same"),
        layers.AveragePooling1D(3, 2, "same"), layers.GlobalAveragePooling1D(keepdims=True),
        layers.GlobalMaxPooling1D(), layers.UpSampling1D(3), layers.ZeroPadding1D(2),
        layers.Cropping1D((1, 2)), layers.SpatialDropout1D(0.2), layers.PReLU(),
        layers.LSTM(3, go_backwards=True, unroll=True, unit_forget_bias=False, dropout=0.1),
        layers.GRU(3, return_sequences=True, go_backwards=True, recurrent_dropout=0.1),
        layers.SimpleRNN(3, use_bias=False), layers.RNN(layers.SimpleRNNCell(2)),
        layers.RNN([layers.GRUCell(2, reset_after=False), layers.LSTMCell(3)]),
        layers.Bidirectional(layers.SimpleRNN(2), merge_mode="ave"),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True), merge_mode="mul"),
        layers.Bidirectional(layers.RNN(layers.GRUCell(2))),
        layers.TimeDistributed(layers.BatchNormalization()), layers.LayerNormalization(1),
        layers.LayerNormalization(scale=False), layers.GroupNormalization(-1, axis=1),
        layers.BatchNormalization(axis=1), layers.Permute((2, 1)), layers.Reshape((3, -1)),
        layers.Flatten("channels_first"), layers.EinsumDense("abc,cd->abd", (None, 5)),
    )],
    *[(PLANE, layer) for layer in (
        layers.Conv2D(3, (2, 3), (2, 1), "same"), layers.Conv2D(4, 2, groups=2),
        layers.Conv2DTranspose(2, 3, 2, output_padding=1), layers.Conv2DTranspose(2, 3, 2, "same"),
        layers.SeparableConv2D(3, 2, 2), layers.DepthwiseConv2D(2, dilation_rate=2),
        layers.DepthwiseConv2D(3, 2, "same", 2), layers.MaxPooling2D(3, 2, "same"),
        layers.AveragePooling2D(3, 2, "same"), layers.GlobalMaxPooling2D(keepdims=True),
        layers.GlobalAveragePooling2D(), layers.UpSampling2D((2, 3)),
        layers.Cropping2D(((1, 0), (2, 1))),
        layers.UpSampling2D(3, interpolation="bilinear"), layers.Resizing(4, 9),
        layers.UpSampling2D(2, interpolation="bicubic"), layers.Resizing(4, 3, "nearest"),
        layers.Resizing(5, 3, crop_to_aspect_ratio=True), layers.CenterCrop(3, 4),
        layers.Rescaling([1.0, 2.0, 3.0, 4.0], -1.0), layers.BatchNormalization(),
        layers.LayerNormalization([1, 2, 3]), layers.ReLU(1.0, 0.1, 0.2), layers.LeakyReLU(),
        layers.ConvLSTM1D(2, 2, recurrent_activation="sigmoid", return_sequences=True),
        layers.RandomFlip(), layers.RandomRotation(0.1), layers.RandomZoom(0.1, 0.2),
        layers.RandomTranslation(0.1, 0.2), layers.RandomContrast(0.2),
        layers.RandomBrightness(0.2), layers.SpatialDropout2D(0.1), layers.Softmax([1, 2]),
    )],
    *[(SPACE, layer) for layer in (
        layers.Conv3D(2, 2, 2, "same"), layers.Conv3DTranspose(2, 2), layers.MaxPooling3D(),
        layers.AveragePooling3D(), layers.GlobalMaxPooling3D(), layers.GlobalAveragePooling3D(),
        layers.UpSampling3D(2), layers.ZeroPadding3D(1), layers.Cropping3D(1),
        layers.ConvLSTM2D(2, 2, recurrent_activation="sigmoid"), layers.SpatialDropout3D(0.1),
    )],
]  # fmt: skip

decay = keras.optimizers.schedules
TRAINING = {
    "optimizer": [
        keras.optimizers.SGD(0.1, 0.9, nesterov=True, weight_decay=0.1, clipnorm=1.0),
        keras.optimizers.Adam(decay.ExponentialDecay(0.1, 10, 0.9), use_ema=True),
        keras.optimizers.AdamW(decay.CosineDecay(0.1, 10)), keras.optimizers.RMSprop(centered=True),
        keras.optimizers.Adamax(decay.PolynomialDecay(0.1, 10)), keras.optimizers.Nadam(),
        keras.optimizers.Adagrad(decay.PiecewiseConstantDecay([1, 2], [0.3, 0.2, 0.1])),
        keras.optimizers.Adadelta(decay.InverseTimeDecay(0.1, 1, 0.5)), keras.optimizers.Lion(),
        keras.optimizers.Ftrl(decay.CosineDecayRestarts(0.1, 10)), keras.optimizers.Adafactor(),
        keras.optimizers.legacy.SGD(0.5, decay=0.1), keras.optimizers.legacy.Adam(),
        keras.optimizers.legacy.RMSprop(), keras.optimizers.legacy.Adagrad(),
        keras.optimizers.legacy.Adamax(), keras.optimizers.legacy.Nadam(),
        keras.optimizers.legacy.Adadelta(), keras.optimizers.legacy.Ftrl(),
    ],
    "loss": [
        keras.losses.BinaryCrossentropy(label_smoothing=0.1),
        keras.losses.CategoricalCrossentropy(),
        keras.losses.BinaryFocalCrossentropy(), keras.losses.CategoricalFocalCrossentropy(),
        keras.losses.SparseCategoricalCrossentropy(ignore_class=1), keras.losses.Huber(0.5),
        keras.losses.CosineSimilarity(), keras.losses.Hinge(), keras.losses.SquaredHinge(),
        keras.losses.CategoricalHinge(), keras.losses.KLDivergence(), keras.losses.LogCosh(),
        keras.losses.MeanSquaredError("sum"), keras.losses.MeanAbsoluteError(),
        keras.losses.MeanAbsolutePercentageError(), keras.losses.MeanSquaredLogarithmicError(),
        keras.losses.Poisson(),
    ],
    "metrics": [
        keras.metrics.AUC(multi_label=True, num_labels=3), keras.metrics.Accuracy(),
        keras.metrics.BinaryAccuracy(threshold=0.4), keras.metrics.BinaryCrossentropy(),
        keras.metrics.BinaryIoU(), keras.metrics.CategoricalAccuracy(),
        keras.metrics.CategoricalCrossentropy(), keras.metrics.CategoricalHinge(),
        keras.metrics.CosineSimilarity(), keras.metrics.F1Score(), keras.metrics.FBetaScore(),
        keras.metrics.FalseNegatives(), keras.metrics.FalsePositives(), keras.metrics.Hinge(),
        keras.metrics.IoU(3, [0]), keras.metrics.KLDivergence(), keras.metrics.LogCoshError(),
        keras.metrics.MeanAbsoluteError(), keras.metrics.MeanAbsolutePercentageError(),
        keras.metrics.MeanIoU(2), keras.metrics.MeanSquaredError(), keras.metrics.OneHotIoU(3, [0]),
        keras.metrics.MeanSquaredLogarithmicError(), keras.metrics.OneHotMeanIoU(3),
        keras.metrics.Poisson(), keras.metrics.Precision(top_k=2), keras.metrics.Recall(),
        keras.metrics.PrecisionAtRecall(0.5), keras.metrics.RecallAtPrecision(0.5),
        keras.metrics.R2Score(), keras.metrics.RootMeanSquaredError(),
        keras.metrics.SensitivityAtSpecificity(0.5), keras.metrics.SpecificityAtSensitivity(0.5),
        keras.metrics.SparseCategoricalAccuracy(), keras.metrics.SparseCategoricalCrossentropy(),
        keras.metrics.SparseTopKCategoricalAccuracy(3), keras.metrics.SquaredHinge(),
        keras.metrics.TopKCategoricalAccuracy(2), keras.metrics.TrueNegatives(),
        keras.metrics.TruePositives(),
        keras.metrics.MeanMetricWrapper(keras.metrics.mean_absolute_error, name="mae"),
    ],
}  # fmt: skip


def floats(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def data_for(model):
    if model.inputs[0].shape.rank == 2 and model.layers[0].__class__.__name__ == "Embedding":
        words = RANDOM.integers(1, 20, size=(2, 6))
        words[0, 4:] = words[1, :1] = 0  # what the mask hides
        return [words.astype("float32")]
    return [
        floats(2, *tensor.shape[1:])
        if tensor.dtype.is_floating
        else RANDOM.integers(0, 7, (2, *tensor.shape[1:])).astype("int32")
        for tensor in model.inputs
    ]


def randomise(model):
    """Give every weight another value; those of fresh biases, for one, are all the same."""
    for weight in model.weights:
        if weight.dtype.is_floating:
            value = RANDOM.uniform(-0.6, 0.6, size=weight.shape)
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()  # it computes with what it had at first, until told


def make_layers():
    cases, arrays = [], []
    for shape, layer in LAYERS:
        model = keras.Sequential([keras.Input(shape), layer])
        if not isinstance(layer, layers.Normalization):
            randomise(model)
        data = floats(2, *shape)
        if isinstance(layer, layers.CategoryEncoding):
            data = abs(data)
        found = [data, *model.get_weights(), np.asarray(model(data, training=False))]
        shapes = [each.shape for each in found]
        cases.append({"model": json.loads(model.to_json()), "shapes": shapes})
        arrays += [each.astype("float32").reshape(-1) for each in found]
    write("layers.json", cases)
    np.save("layers.npy", np.concatenate(arrays))


def make_training():
    serialise = {
        "optimizer": keras.optimizers.serialize,
        "loss": keras.losses.serialize,
        "metrics": keras.metrics.serialize,
    }
    write("training.json", {
        key: [serialise[key](thing, use_legacy_format=legacy) for thing in things
              for legacy in (True, False)]
        for key, things in TRAINING.items()
    })  # fmt: skip


def write(name, value):
    Path(name).write_text(json.dumps(value, default=float) + "\n", encoding="utf-8")


def main():
    kept = {}
    for make in FIXTURES:
        keras.backend.clear_session()
        model, name = make(), make.__name__
        randomise(model)
        model.save(f"{name}.h5")
        data = data_for(model)
        given = data[0] if len(data) == 1 else data
        if make is structures:
            given = {"words": data[0], "x": data[1]}
        found = model(given, training=False)
        if isinstance(found, dict):
            found = [found[key] for key in sorted(found)]
        for number, array in enumerate(data):
            kept[f"{name}/input/{number}"] = array
        for number, array in enumerate(found if isinstance(found, list) else [found]):
            kept[f"{name}/output/{number}"] = np.asarray(array)
        if make is convolutional:
            model.save(f"{name}.keras")
    np.savez_compressed("predictions.npz", **kept)
    make_layers()
    make_training()


if __name__ == "__main__":
    main()
