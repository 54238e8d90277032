"""Every family of networks trains with rounding: the same function before, an all-integer file after."""

import keras
import pytest
from keras import layers

from benchmarks.models import pictures, settle
from keraslayers import export, models
from keraslayers.export import optimize
from keraslayers.export.graph import read_graph
from tests.export_models import needs_gpu

APPLICATIONS = {"weights": None, "classes": 5, "classifier_activation": None}


def theirs(name, **options):
    builder = getattr(keras.applications, name)
    return lambda: builder(**{"input_shape": (32, 32, 3), **APPLICATIONS, **options})


def ours(name, **options):
    builder = getattr(models, name)
    return lambda: builder(**{"input_shape": (32, 32, 3), **options}, classes=5, classifier_activation=None)


def nested():
    backbone = keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None)
    image = keras.Input((32, 32, 3), name="image")
    x = layers.GlobalAveragePooling2D()(backbone(layers.Rescaling(2.0, 0.1)(image)))
    return keras.Model(image, layers.Dense(5)(layers.Dropout(0.2)(x)), name="nested")


MODELS = {
    "AlexNet": ours("AlexNet", input_shape=(67, 67, 3), units=64, grouped=True),
    "DenseNet121": ours("DenseNet121"),
    "EfficientNetB0": ours("EfficientNetB0", width=0.25, depth=0.5),
    "GoogLeNet": ours("GoogLeNet"),
    "InceptionV3": ours("InceptionV3", input_shape=(75, 75, 3)),
    "MobileNet": ours("MobileNet", alpha=0.25),
    "MobileNetV2": ours("MobileNetV2", alpha=0.35),
    "MobileNetV3Large": ours("MobileNetV3Large", alpha=0.5),
    "NiN": ours("NiN", version="cifar10"),
    "ResNet18": ours("ResNet18", alpha=0.25, version="2"),
    "ResNeXt50": ours("ResNeXt50", groups=4),
    "ShuffleNet": ours("ShuffleNet", alpha=0.25),
    "ShuffleNetV2": ours("ShuffleNetV2", alpha=0.5),
    "SqueezeNet": ours("SqueezeNet", input_shape=(67, 67, 3)),
    "Xception": ours("Xception", input_shape=(71, 71, 3)),
    "keras.applications.MobileNetV2": theirs("MobileNetV2", input_shape=(64, 64, 3), alpha=0.35),
    "keras.applications.MobileNetV3Small": theirs("MobileNetV3Small"),
    "nested": nested,
}
# Exported and proven here, as tracing and proving all of them would take many minutes.
PROVEN = ("MobileNetV3Large", "ShuffleNetV2", "keras.applications.MobileNetV2")


# Rounding costs some of them much, as weights at random have it.
@pytest.mark.filterwarnings("ignore:`quantize_aware`. rounded to 8 bits:UserWarning")
@needs_gpu
@pytest.mark.parametrize("name", MODELS)
def test_the_same_function_before_and_integers_after(name):
    model = MODELS[name]()
    x = pictures(model.input_shape[1:], 8)
    settle(model, x)
    made = optimize.quantize_aware(model, samples=x)
    # Hard-swish is written with other operations, whose sums round otherwise.
    assert made.plan.difference < (5e-5 if "V3" in name and "Mobile" in name else 1e-5)
    assert len(made.trainable_weights) == len(model.trainable_weights)
    kernels = sum(len(weight.shape) > 1 for weight in model.trainable_weights)
    rounded = {id(wrapper.kernel.variable) for wrapper in made.plan.wrappers}
    assert sum(id(weight) in rounded for weight in made.trainable_weights) == kernels
    if name in PROVEN:
        file = export.to_tflite(made, target="gpu", precision="int8", samples=x)
        file.report.require()
        assert read_graph(file.tflite).float_operators == {}
