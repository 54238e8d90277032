"""Networks of tokens: sizes that patches fill, positions for other sizes, branches that training leaves out."""

import keras
import numpy as np
import pytest

from keraslayers import models
from tests.model_tools import image, outputs, randomize

VIT = {"patch_size": 8, "blocks": 2, "channels": 12, "classes": 3}
BUILDERS = (models.ViTTi16, models.MixerS32, models.ResMLP12)
every_builder = pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)


@every_builder
def test_sizes_that_patches_do_not_fill_are_refused(build):
    with pytest.raises(ValueError, match=rf"`{build.__name__}`: height and width .* multiples of `patch_size`, 8; got"):
        build(input_shape=(24, 20, 3), patch_size=8)


@every_builder
def test_training_leaves_later_blocks_out_more_often(build):
    model = build(input_shape=(16, 16, 3), patch_size=8, blocks=3, channels=12, drop_rate=0.5)
    dropped = {layer.name: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    parts = ("attention", "mlp") if build is models.ViTTi16 else ("tokens", "channels")
    assert dropped == {
        f"stage1_block{block}_{part}_drop": rate for block, rate in ((2, 0.25), (3, 0.5)) for part in parts
    }
    # An image goes without the whole branch, or with it at twice its size.
    drop = model.get_layer(f"stage1_block3_{parts[0]}_drop")
    kept = np.asarray(drop(np.ones((64, 4, 12), "float32"), training=True))
    assert {tuple(np.unique(of_image)) for of_image in kept} == {(0.0,), (2.0,)}


def test_vit_drops_features():
    model = models.ViTTi16(input_shape=(16, 16, 3), dropout_rate=0.1, **VIT)
    dropped = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert len(dropped) == 1 + 2 * 3
    assert {layer.rate for layer in dropped} == {0.1}


def test_vit_has_maps_without_its_top_alone():
    with pytest.raises(
        ValueError, match=r"`features`: `model` 'vit_ti16' has tokens .* build it with include_top=False"
    ):
        models.features(models.ViTTi16(input_shape=(16, 24, 3), **VIT))
    maps = models.features(models.ViTTi16(input_shape=(16, 24, 3), include_top=False, **VIT))
    assert [output.shape for output in maps.outputs] == [(None, 2, 3, 12)]


def test_weights_fit_images_of_other_sizes(tmp_path):
    small = models.ViTTi16(input_shape=(32, 32, 3), **VIT)
    randomize(small)
    small.save(tmp_path / "small.keras")
    small.save_weights(tmp_path / "small.weights.h5")
    for name in ("small.keras", "small.weights.h5"):
        large = models.ViTTi16(input_shape=(48, 64, 3), weights=tmp_path / name, **VIT)
        for ours, theirs in zip(large.weights, small.weights, strict=True):
            if ours.shape == theirs.shape:
                np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
            else:
                assert "positions" in ours.path
        assert np.isfinite(outputs(large, image((48, 64, 3)))).all()
    again = models.ViTTi16(input_shape=(48, 64, 3), **VIT)
    again.load_weights(tmp_path / "small.weights.h5")
    np.testing.assert_array_equal(again.get_layer("positions").positions, large.get_layer("positions").positions)


def test_weights_of_an_image_that_is_no_square_are_refused(tmp_path):
    models.ViTTi16(input_shape=(16, 24, 3), **VIT).save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(
        ValueError, match=r"`ViTTi16`: `weights` must hold .* 'positions' has \(17, 12\), in the file \(7"
    ):
        models.ViTTi16(input_shape=(32, 32, 3), weights=tmp_path / "a.weights.h5", **VIT)


def test_heads_divide_the_channels():
    with pytest.raises(ValueError, match=r"`ViTTi16`: `heads` must divide `channels`; got heads=5 for 12 channels"):
        models.ViTTi16(channels=12, heads=5)
