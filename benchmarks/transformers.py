"""What int8 makes of trained transformers, and of what is built after their manners."""

from functools import partial

import keras
import numpy as np

from benchmarks import timing
from benchmarks.tasks import stock
from keraslayers import export, models
from keraslayers._demo_digits import load_digits
from keraslayers.export.measures import snr_db
from keraslayers.export.predict import predicted

TITLE = "Trained transformers in int8"
COLUMNS = (
    "network",
    "right in Keras",
    "dB",
    "right",
    "stock's dB",
    "stock's right",
    "cpu",
    "pieces, stock's",
    "of float32's time",
    "of stock's",
)
NOTE = (
    "Narrow networks of `keraslayers.models`, trained on scikit-learn's digits, enlarged to 32x32 pixels (`mobilevit`: "
    "64x64): 1,400 to learn, of which 64 are samples, and 397 to judge by. dB: signal over error against Keras, of "
    "logits. Right: digits, in parts of 100. Stock: a bare `TFLiteConverter` with `Optimize.DEFAULT` and the same "
    "samples. Pieces: into how many parts XNNPACK cuts the graph. Of float32's time: our int8 file's against ours in "
    "float32, one thread, the files run in turn."
)
EPOCHS, LEARNING_RATE, BATCH, SAMPLES = 10, 1e-3, 32, 64
SECONDS = 2.0


def _builder(build, side=32, **options):
    return side, partial(build, input_shape=(side, side, 1), classes=10, classifier_activation=None, **options)


# By name the side of their images and the builder.
NETWORKS = {
    "vit": _builder(models.ViTTi16, patch_size=4, blocks=4, channels=64, heads=4),
    "swin": _builder(models.SwinT, blocks=(2, 2), channels=32, heads=(2, 4), window_size=4),
    "convnext": _builder(models.ConvNeXtAtto, blocks=(1, 1, 3, 1), channels=(24, 32, 48, 64)),
    "mixer": _builder(models.MixerS32, patch_size=4, blocks=4, channels=64, token_units=32, channel_units=256),
    "mobilevit": _builder(
        models.MobileViTXXS, side=64, channels=(8, 16, 24, 32, 48), blocks=(0, 0, 1, 1, 0), dims=(0, 0, 32, 48, 0)
    ),
}


def trained(name):
    """(A network that has learnt digits, samples, images that it never saw, their classes)."""
    keras.utils.set_random_seed(0)
    side, build = NETWORKS[name]
    model, digits = build(), load_digits()
    learn, judge = (
        keras.ops.convert_to_numpy(keras.ops.image.resize(images, (side, side))) * 2 - 1
        for images in (digits.x_train, digits.x_test)
    )
    steps = EPOCHS * (len(learn) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=LEARNING_RATE, warmup_steps=steps // 10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate), loss, jit_compile=False)
    model.fit(learn, digits.y_train, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model, learn[:SAMPLES], judge, digits.y_test


def rows():
    for name in NETWORKS:
        model, samples, x, y = trained(name)
        made = export.to_tflite(model, precision="int8", samples=samples)
        files = {
            "ours": made.tflite,
            "stock": stock(model, samples),
            "floats": export.to_tflite(model, samples=samples).tflite,
        }
        wanted = model.predict(x, verbose=0)
        mine, theirs = (predicted("rows", files[way], x) for way in ("ours", "stock"))
        proof = made.report.proof("cpu")
        pieces = proof.partitions, export.prove(files["stock"], ["cpu"], samples=x[:2]).proof("cpu").partitions
        times = timing.interleaved(files, SECONDS)
        yield (
            f"`{name}`",
            _right(wanted, y),
            f"{snr_db(wanted, mine):.1f}",
            _right(mine, y),
            f"{snr_db(wanted, theirs):.1f}",
            _right(theirs, y),
            str(proof.verdict),
            ", ".join(map(str, pieces)),
            f"{timing.ratio(times, 'ours', 'floats'):.2f}",
            f"{timing.ratio(times, 'ours', 'stock'):.2f}",
        )
        keras.backend.clear_session()


def _right(logits, y):
    return f"{100 * np.mean(logits.argmax(-1) == y):.1f}"
