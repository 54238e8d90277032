"""What becomes of every family of networks that trains with rounding: the file, and the runtimes that prove it."""

import keras
import numpy as np
from keras import layers

from benchmarks.models import pictures, settle
from keraslayers import export, models
from keraslayers.export import optimize
from keraslayers.export.file.graph import read_graph

TITLE = "Networks trained for int8"
COLUMNS = (
    "network",
    "input",
    "difference before rounding",
    "operators",
    "in floats",
    "pieces on the CPU",
    "cpu",
    "gpu",
    "signal over noise",
)
NOTE = (
    "`quantize_aware`, one step of training, `to_tflite`. Weights as `benchmarks.models.settle` leaves them; some "
    "networks are narrower than their papers'. Difference: the largest of any output between the model and what "
    "`quantize_aware` made of it, before anything is rounded, as a part of the largest output; of both MobileNetV3 "
    "float32 itself is as far from float64. In floats: operators that compute so; the two at the ends of the file, to "
    "integers and back, do not count. Pieces: XNNPACK has no LOG and EXP of 8 bits, of which local response "
    "normalization is made. cpu, gpu: the verdicts of LiteRT's runtimes. Signal over noise: of the file on the CPU "
    "against the model that rounds. It is low where a network is deep and its maps are small: each number that is "
    "rounded otherwise, by one step, moves those behind it."
)
SAMPLES = 8


def theirs(name, side=32, **options):
    builder = getattr(keras.applications, name)
    options |= {"input_shape": (side, side, 3), "weights": None, "classes": 5, "classifier_activation": None}
    return lambda: builder(**options)


def ours(name, side=32, **options):
    builder = getattr(models, name)
    return lambda: builder(input_shape=(side, side, 3), classes=5, classifier_activation=None, **options)


def nested():
    # Of 32 pixels the last maps are single ones: nothing averages the rounding out.
    backbone = keras.applications.MobileNetV2(input_shape=(64, 64, 3), alpha=0.35, include_top=False, weights=None)
    image = keras.Input((64, 64, 3), name="image")
    x = layers.GlobalAveragePooling2D()(backbone(layers.Rescaling(2.0, 0.1)(image)))
    return keras.Model(image, layers.Dense(5)(layers.Dropout(0.2)(x)), name="nested")


# Small enough for a test of each.
NETWORKS = {
    "AlexNet": ours("AlexNet", 67, units=64, grouped=True),
    "DenseNet121": ours("DenseNet121"),
    "EfficientNetB0": ours("EfficientNetB0", width=0.25, depth=0.5),
    "GoogLeNet": ours("GoogLeNet"),
    "InceptionV3": ours("InceptionV3", 75),
    "MobileNet": ours("MobileNet", alpha=0.25),
    "MobileNetV2": ours("MobileNetV2", alpha=0.35),
    "MobileNetV3Large": ours("MobileNetV3Large", alpha=0.5),
    "NiN": ours("NiN", version="cifar10"),
    "ResNet18": ours("ResNet18", alpha=0.25, version="2"),
    "ResNeXt50": ours("ResNeXt50", groups=4),
    "ShuffleNet": ours("ShuffleNet", alpha=0.25),
    "ShuffleNetV2": ours("ShuffleNetV2", alpha=0.5),
    "SqueezeNet": ours("SqueezeNet", 67),
    "Xception": ours("Xception", 71),
    "keras.applications.MobileNetV2": theirs("MobileNetV2", 64, alpha=0.35),
    "keras.applications.MobileNetV3Small": theirs("MobileNetV3Small"),
    "nested": nested,
}
LARGER = {
    "keras.applications.DenseNet121": theirs("DenseNet121"),
    "keras.applications.EfficientNetB0": theirs("EfficientNetB0"),
    "keras.applications.EfficientNetV2B0": theirs("EfficientNetV2B0"),
    "keras.applications.InceptionResNetV2": theirs("InceptionResNetV2", 75),
    "keras.applications.InceptionV3": theirs("InceptionV3", 75),
    "keras.applications.MobileNet": theirs("MobileNet"),
    "keras.applications.MobileNetV3Large": theirs("MobileNetV3Large"),
    "keras.applications.NASNetMobile": theirs("NASNetMobile"),
    "keras.applications.ResNet50": theirs("ResNet50"),
    "keras.applications.ResNet50V2": theirs("ResNet50V2"),
    "keras.applications.Xception": theirs("Xception", 71),
}
# These take pixels of 0 to 255. With others all images look alike to them, and float32 itself loses 1e-4.
PIXELS = tuple(f"keras.applications.{name}" for name in ("EfficientNet", "MobileNetV3"))


def prepared(name):
    """A network of the tables above with weights as training leaves them, and images for it."""
    model = (NETWORKS | LARGER)[name]()
    x = pictures(model.input_shape[1:], SAMPLES)
    x = (x + 1) * 127.5 if name.startswith(PIXELS) else x
    settle(model, x)
    return model, x


def rows():
    for name in NETWORKS | LARGER:
        keras.utils.set_random_seed(0)
        model, x = prepared(name)
        made = optimize.quantize_aware(model, samples=x)
        # A training function would take longer to trace than its one step.
        made.compile(keras.optimizers.Adam(1e-4), "mse", run_eagerly=True)
        made.fit(x, np.random.normal(size=(len(x), 5)), verbose=0)
        file = export.to_tflite(made, target="gpu", precision="int8", samples=x)
        graph = read_graph(file.tflite)
        cpu, gpu = file.report.proof("cpu"), file.report.proof("gpu")
        yield (
            f"`{name}`",
            "x".join(str(side) for side in model.input_shape[1:3]),
            f"{made.plan.difference:.1g}",
            str(graph.total),
            str(sum(graph.float_operators.values())),
            str(cpu.partitions),
            str(cpu.verdict),
            str(gpu.verdict),
            "exact" if cpu.snr_db is None else f"{cpu.snr_db:.0f} dB",
        )
        keras.backend.clear_session()
