"""MobileNetV3 in int8: ours against the file that a bare TFLiteConverter makes of the same model."""

import keras
import numpy as np
import tensorflow as tf

from benchmarks import timing
from keraslayers import export, models
from keraslayers._quiet import quiet

TITLE = "MobileNetV3 in int8 against a stock conversion"
COLUMNS = ("network", "file", "ms", "ratio to stock int8", "XNNPACK parts", "times the floor")
NOTE = (
    "Untrained weights, 224x224. Stock: `TFLiteConverter.from_keras_model` of the same model with a static batch. "
    "XNNPACK has no int8 hard-swish, so each one cuts the stock graph in two; ours writes it as a 1x1 depthwise "
    "convolution and a product. The floor: the network's multiply-adds at the rate of one large 1x1 convolution in "
    "that precision on the same runtime. Float32 is near it; int8 is bound by memory and small operators."
)


def rows():
    samples = np.random.default_rng(0).uniform(-1, 1, (8, 224, 224, 3)).astype("float32")
    rates = {precision: timing.rate(precision) for precision in ("float32", "int8")}
    for name in ("mobilenet_v3_small", "mobilenet_v3_large"):
        keras.utils.set_random_seed(0)
        model = models.create(name, classifier_activation=None)
        reports, files = {}, {"stock int8": stock(model, samples)}
        reports["stock int8"] = export.prove(files["stock int8"], "cpu")
        for precision in ("int8", "float32"):
            made = export.to_tflite(model, precision=precision, samples=samples)
            files[f"ours {precision}"] = made.tflite
            reports[f"ours {precision}"] = made.report
        times = timing.interleaved(files)
        for file, measured in times.items():
            floor = 1000 * models.spec(name).references[0].multiply_adds / rates[file.split()[1]]
            milliseconds = float(np.median(measured))
            yield (
                name,
                file,
                f"{milliseconds:.2f}",
                f"{timing.ratio(times, file, 'stock int8'):.2f}",
                str(reports[file].proof("cpu").partitions),
                f"{milliseconds / floor:.1f}",
            )


def stock(model, samples):
    image = keras.Input(batch_shape=(1, 224, 224, 3), name="image")
    with quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, model(image)))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([x[None]] for x in samples)
        return converter.convert()
