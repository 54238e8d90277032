"""How each layer is used: the lines that its page shows, which `tests/test_site.py` runs."""

import textwrap

# By layer: the lines, with `keras` and `keraslayers` imported, and the shape of the `y` they make.
USAGE = {
    "Affine": (
        """
        tokens = keras.Input((49, 64))
        x = keraslayers.Affine()(tokens)  # in place of a normalization
        y = keras.layers.Dense(128)(x)
        """,
        (None, 49, 128),
    ),
    "AuxiliaryOutput": (
        """
        image = keras.Input((32, 32, 3))
        x = keras.layers.Conv2D(8, 3, activation="relu")(image)
        early = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x))
        # Trains with the rest, and no file has it.
        y = keraslayers.AuxiliaryOutput(name="early")(early)
        """,
        (None, 10),
    ),
    "ChannelShuffle": (
        """
        image = keras.Input((56, 56, 24))
        x = keras.layers.Conv2D(24, 1, groups=3)(image)
        x = keraslayers.ChannelShuffle(groups=3)(x)
        # From here on each group sees channels of all three.
        y = keras.layers.Conv2D(48, 1, groups=3)(x)
        """,
        (None, 56, 56, 48),
    ),
    "ClassToken": (
        """
        image = keras.Input((56, 56, 3))
        x = keras.layers.Conv2D(64, 8, strides=8)(image)
        x = keras.layers.Reshape((49, 64))(x)
        y = keraslayers.ClassToken()(x)  # 49 patches, and what tells of all of them
        """,
        (None, 50, 64),
    ),
    "DeformableConv2D": (
        """
        image = keras.Input((28, 28, 16))
        # No tap moves further than two pixels: the form for GPUs and int8.
        bounded = keraslayers.DeformableConv2D(32, 3, padding="same", max_offset=2)
        y = bounded(image)
        """,
        (None, 28, 28, 32),
    ),
    "DynamicConv2D": (
        """
        image = keras.Input((28, 28, 16))
        dynamic = keraslayers.DynamicConv2D(32, 3, num_kernels=4, padding="same")
        y = keras.layers.ReLU()(dynamic(image))
        """,
        (None, 28, 28, 32),
    ),
    "DynamicDepthwiseConv2D": (
        """
        image = keras.Input((28, 28, 16))
        x = keras.layers.GlobalAveragePooling2D(keepdims=True)(image)
        x = keras.layers.Conv2D(4, 1, activation="relu")(x)
        kernels = keras.layers.Conv2D(7 * 7 * 16, 1)(x)  # one a channel
        y = keraslayers.DynamicDepthwiseConv2D(7)([image, kernels])
        """,
        (None, 28, 28, 16),
    ),
    "HardSigmoid": (
        """
        image = keras.Input((28, 28, 16))
        gate = keras.layers.Conv2D(16, 1)(image)
        gate = keraslayers.HardSigmoid()(gate)
        y = keras.layers.Multiply()([image, gate])
        """,
        (None, 28, 28, 16),
    ),
    "HardSwish": (
        """
        image = keras.Input((28, 28, 16))
        x = keras.layers.Conv2D(32, 3, padding="same", use_bias=False)(image)
        y = keraslayers.HardSwish()(keras.layers.BatchNormalization()(x))
        """,
        (None, 28, 28, 32),
    ),
    "HardTanh": (
        """
        image = keras.Input((28, 28, 16))
        x = keras.layers.Conv2D(32, 3, padding="same")(image)
        y = keraslayers.HardTanh()(x)
        """,
        (None, 28, 28, 32),
    ),
    "ImageKernel2D": (
        """
        image = keras.Input((64, 64, 3))
        across = keraslayers.ImageKernel2D("sobel_x", padding_mode="edge")(image)
        down = keraslayers.ImageKernel2D("sobel_y", padding_mode="edge")(image)
        y = keras.layers.Concatenate()([across, down])  # nothing of it is trained
        """,
        (None, 64, 64, 6),
    ),
    "LayerScale": (
        """
        tokens = keras.Input((49, 64))
        branch = keras.layers.Dense(64)(keras.layers.LayerNormalization()(tokens))
        branch = keraslayers.LayerScale(1e-5)(branch)  # next to nothing, when training begins
        y = keras.layers.Add()([tokens, branch])
        """,
        (None, 49, 64),
    ),
    "LearnedPositions": (
        """
        image = keras.Input((56, 56, 3))
        x = keras.layers.Conv2D(64, 8, strides=8)(image)
        x = keraslayers.ClassToken()(keras.layers.Reshape((49, 64))(x))
        y = keraslayers.LearnedPositions((7, 7), prefix=1)(x)
        """,
        (None, 50, 64),
    ),
    "LocalResponseNormalization": (
        """
        image = keras.Input((55, 55, 96))
        x = keras.layers.ReLU()(image)
        alexnet = {"depth_radius": 2, "bias": 2, "alpha": 1e-4, "beta": 0.75}
        y = keraslayers.LocalResponseNormalization(**alexnet)(x)
        """,
        (None, 55, 55, 96),
    ),
    "MaxPoolWithIndices2D": (
        """
        image = keras.Input((32, 32, 16))
        pooled, indices = keraslayers.MaxPoolWithIndices2D(pool_size=2)(image)
        y = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(pooled)
        """,
        (None, 16, 16, 16),
    ),
    "MaxUnpool2D": (
        """
        image = keras.Input((32, 32, 16))
        pooled, indices = keraslayers.MaxPoolWithIndices2D(pool_size=2)(image)
        x = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(pooled)
        # Back to where the maxima were.
        y = keraslayers.MaxUnpool2D(pool_size=2)([x, indices])
        """,
        (None, 32, 32, 16),
    ),
    "Maxout": (
        """
        features = keras.Input((64,))
        pieces = keras.layers.Dense(3 * 32)(features)
        # 32 units, each the largest of its three.
        y = keraslayers.Maxout(pieces=3)(pieces)
        """,
        (None, 32),
    ),
    "PaddedConv2D": (
        """
        image = keras.Input((224, 224, 3))
        # As PyTorch pads a strided convolution: three pixels on every side.
        y = keraslayers.PaddedConv2D(64, 7, strides=2, padding=3)(image)
        """,
        (None, 112, 112, 64),
    ),
    "ReLU6": (
        """
        image = keras.Input((28, 28, 16))
        x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(image)
        y = keraslayers.ReLU6()(keras.layers.BatchNormalization()(x))
        """,
        (None, 28, 28, 16),
    ),
    "Resample2D": (
        """
        image = keras.Input((32, 48, 3))
        larger = keraslayers.Resample2D(scale=1.5)(image)
        y = keraslayers.Resample2D(size=(20, 20), antialias=True)(larger)
        """,
        (None, 20, 20, 3),
    ),
    "ShiftLeakyReLU": (
        """
        image = keras.Input((28, 28, 16))
        x = keras.layers.Conv2D(32, 3, padding="same")(image)
        y = keraslayers.ShiftLeakyReLU(multiplier=13, shift=7)(x)  # slope 13 / 128
        """,
        (None, 28, 28, 32),
    ),
    "SoftArgmax": (
        """
        image = keras.Input((64, 64, 3))
        x = keras.layers.Conv2D(16, 3, strides=4, padding="same", activation="relu")(image)
        maps = keras.layers.Conv2D(5, 1)(x)  # one a point
        y = keraslayers.SoftArgmax(size=64)(maps)  # x and y of five points, in pixels of the image
        """,
        (None, 5, 2),
    ),
    "SpatialSeparableConv2D": (
        """
        image = keras.Input((28, 28, 16))
        x = keraslayers.SpatialSeparableConv2D(32, 7, padding="same")(image)
        # With a narrow middle.
        y = keraslayers.SpatialSeparableConv2D(32, 7, padding="same", rank=8)(x)
        """,
        (None, 28, 28, 32),
    ),
    "SqueezeExcite": (
        """
        image = keras.Input((28, 28, 16))
        x = keras.layers.DepthwiseConv2D(3, padding="same", activation="relu")(image)
        # As MobileNetV3 has it.
        y = keraslayers.SqueezeExcite(0.25, gate_activation="hard_sigmoid")(x)
        """,
        (None, 28, 28, 16),
    ),
    "TableActivation": (
        """
        image = keras.Input((28, 28, 16))
        x = keras.layers.Conv2D(32, 3, padding="same")(image)
        y = keraslayers.TableActivation("gelu", low=-4, high=4, entries=64)(x)
        """,
        (None, 28, 28, 32),
    ),
    "WindowAttention": (
        """
        maps = keras.Input((14, 14, 64))
        x = keraslayers.WindowAttention(num_heads=2, window_size=7)(maps)
        # Windows that are shifted by half of one, so that what lies beside each other meets.
        y = keraslayers.WindowAttention(num_heads=2, window_size=7, shift_size=3)(x)
        """,
        (None, 14, 14, 64),
    ),
}


def lines(name):
    """The lines of a layer as they stand on its page."""
    return textwrap.dedent(USAGE[name][0]).strip()
