"""A page of the site that is an app: a network learns scanned digits while the site is built, and reads drawn ones."""

import tempfile
from pathlib import Path

EPOCHS = 6
WORDS = """
[Draw a digit](live/digits.html), as large as the field: a network of {parameters:,} parameters learned 1,400 scanned
digits when this site was built and has {accuracy:.0%} of 397 others right. The page proves it on your device.
"""


def made():
    """(What leads to the page, its HTML); two times nothing where LiteRT.js is not installed."""
    from keraslayers.export.runtimes import browser

    if browser.packages() is None:
        return "", ""
    import keras

    from keraslayers import _demo_digits, _demo_stock
    from keraslayers.export import to_tflite

    keras.utils.set_random_seed(0)
    digits = _demo_digits.load_digits()
    model = _demo_stock.build(_demo_digits.SIZE)
    model.fit(digits.x_train, digits.y_train, epochs=EPOCHS, batch_size=_demo_stock.BATCH, verbose=0)
    right = model.predict(digits.x_test, verbose=0).argmax(-1) == digits.y_test
    artifact = to_tflite(model, target="browser", samples=digits.x_train)
    with tempfile.TemporaryDirectory() as folder:
        labels = [str(digit) for digit in range(10)]
        # Training saw values of 0 to 1.
        page = artifact.save_page(Path(folder) / "digits.html", labels=labels, normalization=(0, 255))
        return WORDS.format(parameters=model.count_params(), accuracy=right.mean()), page.read_text()
