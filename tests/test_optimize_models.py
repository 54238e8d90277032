"""Every family of networks trains with rounding: the same function before, and after a file of integers, PROVEN."""

import keras
import pytest

from benchmarks.models import pictures, settle
from benchmarks.trained import NETWORKS, prepared
from keraslayers import export, models
from keraslayers.export import optimize
from keraslayers.export.file.graph import read_graph
from tests.export_models import needs_gpu

# What the benchmark has beside these, and no other operator is in: blocks that another row has, in larger networks.
ALIKE = {
    "DenseNet121",
    "GoogLeNet",
    "InceptionV3",
    "MobileNet",
    "MobileNetV3Large",
    "NiN",
    "ResNeXt50",
    "ShuffleNet",
    "SqueezeNet",
    "Xception",
    "keras.applications.MobileNetV2",
}


@pytest.mark.sweep
@needs_gpu
@pytest.mark.parametrize("name", sorted(set(NETWORKS) - ALIKE))
def test_the_same_function_before_and_a_proven_file_of_integers_after(name):
    model, x = prepared(name)
    made = optimize.quantize_aware(model, samples=x)
    # What is written with other operations sums in another order; float32 itself is 4e-6 from float64.
    assert made.plan.difference < 1e-5
    assert len(made.trainable_weights) == len(model.trainable_weights)
    kernels = sum(len(weight.shape) > 1 for weight in model.trainable_weights)
    rounded = {id(wrapper.kernel.variable) for wrapper in made.plan.wrappers}
    assert sum(id(weight) in rounded for weight in made.trainable_weights) == kernels
    # The ranges are the model's own; fewer samples are only a shorter proof.
    file = export.to_tflite(made, target="gpu-fp32", precision="int8", samples=x[:4])
    file.report.require()
    graph = read_graph(file.tflite)
    assert graph.float_operators == {}
    # XNNPACK has no LOG and EXP of 8 bits, of which local response normalization is made, two in a network.
    assert file.report.proof("cpu").partitions == (5 if "LOG" in graph.operators else 1)
    keras.backend.clear_session()


@pytest.mark.sweep
@pytest.mark.parametrize(
    "build",
    [
        # Affine, LayerScale; class token, positions, attention; attention within windows and its bias; products of maps
        # and of kernels that are computed.
        lambda **options: models.ResMLP12(patch_size=8, blocks=1, channels=32, **options),
        lambda **options: models.ViTTi16(patch_size=8, blocks=1, channels=32, heads=2, **options),
        lambda **options: models.SwinT(blocks=(2,), channels=16, heads=(2,), window_size=4, **options),
        lambda **options: models.DDWNetT(blocks=(1,), channels=16, **options),
        # Attention along an axis of four; differences of branches; GELU between convolutions.
        lambda **options: models.MobileViTXXS(units=(1, 1), channels=(8, 16), blocks=(0, 1), dims=(0, 16), **options),
        lambda **options: models.FastViTT8(blocks=(1, 1), channels=(16, 32), initial_scale=0.1, **options),
        lambda **options: models.RepViTM1(units=(1, 1), channels=(16, 32), **options),
    ],
    ids=["ResMLP", "ViT", "Swin", "DDWNet", "MobileViT", "FastViT", "RepViT"],
)
def test_what_holds_numbers_of_its_own_stays_in_floats_between_integers(build):
    model = build(input_shape=(32, 32, 3), include_top=False, pooling="avg")
    x = pictures((32, 32, 3), 16)
    settle(model, x)
    made = optimize.quantize_aware(model, samples=x)
    assert made.plan.difference < 1e-5
    assert len(made.trainable_weights) == len(model.trainable_weights)
    report = export.to_tflite(made, precision="int8", samples=x).report.require()
    assert report.proof("cpu").partitions == 1
    floats = report.float_operators
    assert not {"CONV_2D", "FULLY_CONNECTED"} & set(floats)
    # Kernels of 7x7 are three parts each, which are summed in floats; there are no others.
    assert floats.get("DEPTHWISE_CONV_2D", 0) == 3 * len(report.rewrites.get("part_kernels", ()))
