"""Ours of all that keras.applications has, from each kind of file; `make test-zoo` runs this."""

import pytest

from tests.applications import compare

PLAIN = {"include_preprocessing": False}
EPSILON = {"bn_epsilon": 1.001e-5}
ROWS = [
    ("VGG16", "VGG16", 32, {}, {}),
    ("VGG19", "VGG19", 32, {}, {}),
    *((f"ResNet{n}", f"ResNet{n}", 64, {"version": "1-keras", **EPSILON}, {}) for n in (50, 101, 152)),
    *((f"ResNet{n}", f"ResNet{n}V2", 64, {"version": "2-keras", **EPSILON}, {}) for n in (50, 101, 152)),
    ("InceptionV3", "InceptionV3", 107, {"scale": False}, {}),
    ("Xception", "Xception", 71, {}, {}),
    *((f"DenseNet{n}", f"DenseNet{n}", 64, EPSILON, {}) for n in (121, 169, 201)),
    ("MobileNet", "MobileNet", 64, {"alpha": 0.5}, {"alpha": 0.5}),
    ("MobileNetV2", "MobileNetV2", 64, {"alpha": 1.3}, {"alpha": 1.3}),
    ("MobileNetV3Small", "MobileNetV3Small", 64, {}, PLAIN),
    ("MobileNetV3Large", "MobileNetV3Large", 64, {"minimalistic": True}, {"minimalistic": True, **PLAIN}),
    *((f"EfficientNetB{n}", f"EfficientNetB{n}", 64, {}, {}) for n in range(8)),
    *((f"EfficientNetV2{n}", f"EfficientNetV2{n}", 64, {}, PLAIN) for n in ("B0", "B1", "B2", "B3", "S")),
    ("ConvNeXtTiny", "ConvNeXtTiny", 64, {}, PLAIN),
]


@pytest.mark.parametrize(("builder", "theirs", "side", "options", "of_theirs"), ROWS, ids=[row[1] for row in ROWS])
def test_files(builder, theirs, side, options, of_theirs, tmp_path):
    compare(builder, theirs, tmp_path, side=side, options=options, of_theirs=of_theirs)
