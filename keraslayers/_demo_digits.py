"""The demo's digits, and the network that learns them."""

from dataclasses import dataclass

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SIZE = 64  # the scans have 8x8 pixels; networks for photographs halve the size five times
TEST_IMAGES = 397
BATCH = 32
LEARNING_RATE = 6e-3


@dataclass(frozen=True)
class Digits:
    """Images of (samples, 64, 64, 1) within [0, 1] and their classes 0 to 9."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def load_digits():
    """The 1,797 scans of handwritten digits that scikit-learn carries, enlarged.

    Source: E. Alpaydin and C. Kaynak 1998, Optical Recognition of Handwritten Digits, UCI repository (its test set).
    """
    import keras

    try:
        from sklearn import datasets, model_selection
    except ImportError as error:
        raise ImportError("`demo` needs scikit-learn and matplotlib: pip install 'keraslayers[demo]'") from error
    pixels, classes = datasets.load_digits(return_X_y=True)
    images = pixels.reshape(-1, 8, 8, 1).astype("float32") / 16.0
    images = keras.ops.convert_to_numpy(keras.ops.image.resize(images, (SIZE, SIZE)))
    split = model_selection.train_test_split(images, classes, test_size=TEST_IMAGES, stratify=classes, random_state=0)
    x_train, x_test, y_train, y_test = split
    return Digits(x_train, y_train, x_test, y_test)


def build(name, epochs):
    """The network for one-channel images of ten classes, compiled for a short training."""
    import keras

    from keraslayers import models

    # The narrowest ShuffleNet V2 is wide enough for digits; LeNet-5 with its sigmoids learns too slowly for a demo.
    options = {"shufflenet_v2": {"alpha": 0.5}, "lenet5": {"modern": True}}.get(name, {})
    model = models.create(name, input_shape=(SIZE, SIZE, 1), classes=10, **options)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # 0.999 averages over more steps than this training has
    steps = epochs * (1797 - TEST_IMAGES) // BATCH
    model.compile(
        optimizer=keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def train(model, digits, epochs, console):
    """Fits the model, every image shifted anew by up to half a pixel of the scan; returns Keras's history."""
    import keras

    with Progress(
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("", total=epochs, state="")

        def show(epoch, logs):
            state = f"accuracy {logs['accuracy']:.1%}, on the test images {logs['val_accuracy']:.1%}"
            progress.update(task, advance=1, state=state)

        return model.fit(
            _batches(digits),
            epochs=epochs,
            validation_data=(digits.x_test, digits.y_test),
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=show)],
            verbose=0,
        ).history


def _batches(digits):
    import keras

    margin = SIZE // 16
    padded = np.pad(digits.x_train, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    random = np.random.default_rng(0)

    class Batches(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.on_epoch_end()

        def on_epoch_end(self):
            self.order = random.permutation(len(digits.x_train))

        def __len__(self):
            return len(digits.x_train) // BATCH

        def __getitem__(self, index):
            chosen = self.order[index * BATCH : (index + 1) * BATCH]
            corners = random.integers(0, 2 * margin, (len(chosen), 2), endpoint=True)
            images = [padded[i, y : y + SIZE, x : x + SIZE] for i, (y, x) in zip(chosen, corners, strict=True)]
            return np.stack(images), digits.y_train[chosen]

    return Batches()
