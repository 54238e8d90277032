"""DeepLabV3 and DeepLabV3+: the last maps seen at several distances at once, by atrous convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from keraslayers import _checks
from keraslayers.models import _blocks
from keraslayers.models import weights as _weights
from keraslayers.models._variants import Weights, builder
from keraslayers.models.segmentation import _backbone
from keraslayers.models.segmentation.ending import Ending, finished
from keraslayers.resample import Resample2D

FILTERS = 256
FINE_FILTERS = 48  # arXiv:1802.02611, section 4.1
RATES = (6, 12, 18)  # arXiv:1802.02611, section 4: for maps of 16 pixels a step
DROPOUT = 0.5  # torchvision's, after the projection


@builder
def DeepLabV3(
    backbone: keras.Model,
    *,
    classes: int,
    output: Ending = "logits",
    rates: Sequence[int] = (12, 24, 36),
    filters: int = FILTERS,
    separable: bool = False,
    weights: Weights | None = None,
    name: str = "deeplab_v3",
) -> keras.Model:
    """Builds DeepLabV3 on a backbone: atrous spatial pyramid pooling (ASPP), a 3x3 convolution, the classes.

    The defaults are torchvision's: with `MobileNetV3Large(output_stride=16, include_top=False, padding="symmetric")`
    and 21 classes it is deeplabv3_mobilenet_v3_large, of 11,025,477 trainable parameters, with
    `ResNet50(output_stride=8, include_top=False)` deeplabv3_resnet50, of 39,638,869; the published counts are of
    auxiliary heads, too. Of such a model `weights` may be a file of torchvision's, with which it gives torchvision's
    logits; what the file has of an auxiliary head is left out.

    Args:
        backbone: as of `LRASPP`, of whose maps the last are seen.
        classes: number of classes, the background among them; 1 for yes and no.
        output: what the model ends in, at the size of the image: `"logits"`, to train on, `"probabilities"`, or
            `"class_map"`, int32 of (batch, height, width). `end_in` changes it later.
        rates: of the dilated 3x3 convolutions, in steps of the last maps. The paper has (6, 12, 18) for those of
            stride 16, twice as much for stride 8; for small images take less: beyond the maps there is nothing to see.
        filters: of every convolution of the head; 256 in the paper.
        separable: whether the 3x3 convolutions are depthwise and pointwise ones, for phones (arXiv:1802.02611, section
            3.1).
        weights: as of `LRASPP`.
        name: name of the model.

    Returns:
        A keras.Model.

    Raises:
        TypeError: if `backbone` is no keras.Model, or a number is none.
        ValueError: if the backbone has no such maps, an argument is not one of the values above, or `weights` are of
            another network, or of one that was built with other options.

    Source: Chen et al. 2017, Rethinking atrous convolution for semantic image segmentation, arXiv:1706.05587, section
    3.3.
    """
    who = "DeepLabV3"
    classes, output = _backbone.options(who, classes, output)
    _weights.check(who, weights)
    image, coarse = _backbone.coarse(who, backbone)
    x = _aspp(who, coarse, rates, filters, separable)
    x = _conv3(x, filters, 1, separable, "decoder")
    model = finished(image, _backbone.classifier(x, classes, "classes"), output, name)
    return _weights.loaded(who, model, weights)


@builder
def DeepLabV3Plus(
    backbone: keras.Model,
    *,
    classes: int,
    output: Ending = "logits",
    rates: Sequence[int] = RATES,
    filters: int = FILTERS,
    separable: bool = False,
    name: str = "deeplab_v3_plus",
) -> keras.Model:
    """Builds DeepLabV3+ on a backbone: what DeepLabV3 sees, grown and joined by the maps of stride 4, which know edges.

    Args:
        backbone: as of `LRASPP`, with maps of stride 4 in place of 8.
        classes: number of classes, the background among them; 1 for yes and no.
        output: what the model ends in, at the size of the image: `"logits"`, to train on, `"probabilities"`, or
            `"class_map"`, int32 of (batch, height, width). `end_in` changes it later.
        rates: of the dilated 3x3 convolutions, in steps of the last maps: (6, 12, 18) for those of stride 16, twice as
            much for stride 8; for small images take less: beyond the maps there is nothing to see.
        filters: of every convolution of the head but that of the finer maps, which has 48; 256 in the paper.
        separable: whether the 3x3 convolutions are depthwise and pointwise ones, for phones (section 3.1).
        name: name of the model.

    Returns:
        A keras.Model.

    Raises:
        TypeError: if `backbone` is no keras.Model, or a number is none.
        ValueError: if the backbone has no such maps, or an argument is not one of the values above.

    Source: Chen et al. 2018, Encoder-decoder with atrous separable convolution for semantic image segmentation,
    arXiv:1802.02611, figure 2 and section 4.1.
    """
    who = "DeepLabV3Plus"
    classes, output = _backbone.options(who, classes, output)
    image, coarse, fine = _backbone.coarse_and_fine(who, backbone, 4)
    x = _aspp(who, coarse, rates, filters, separable)
    if x.shape[1:3] != fine.shape[1:3]:
        x = Resample2D(size=fine.shape[1:3], name="decoder_grow")(x)
    fine = _backbone.conv_bn_relu(fine, FINE_FILTERS, 1, name="decoder_fine")
    x = layers.Concatenate(name="decoder_join")([x, fine])
    for number in (1, 2):
        x = _conv3(x, filters, 1, separable, f"decoder{number}")
    return finished(image, _backbone.classifier(x, classes, "classes"), output, name)


def _aspp(who, x, rates, filters, separable):
    """Figure 5 of arXiv:1706.05587: a 1x1 convolution, dilated 3x3 ones and the average of the maps, side by side."""
    filters = _checks.positive_int(who, "filters", filters)
    if not isinstance(rates, list | tuple) or not rates:
        raise TypeError(f"`{who}`: `rates` must be a list of whole numbers, such as (6, 12, 18); got {rates!r}.")
    rates = [_checks.positive_int(who, "rates", rate) for rate in rates]
    branches = [_backbone.conv_bn_relu(x, filters, 1, name="aspp1")]
    for number, rate in enumerate(rates, start=2):
        branches.append(_conv3(x, filters, rate, separable, f"aspp{number}"))
    average = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_average")(x)
    average = _backbone.conv_bn_relu(average, filters, 1, name="aspp_average_conv")
    branches.append(Resample2D(size=x.shape[1:3], name="aspp_average_grow")(average))
    x = layers.Concatenate(name="aspp_join")(branches)
    x = _backbone.conv_bn_relu(x, filters, 1, name="aspp_project")
    return layers.Dropout(DROPOUT, name="aspp_dropout")(x)


def _conv3(x, filters, rate, separable, name):
    if not separable:
        return _backbone.conv_bn_relu(x, filters, 3, dilation_rate=rate, name=name)
    options = {"dilation_rate": rate, "activation": "relu", "norm": _backbone.NORM, "name": f"{name}_depthwise"}
    x = _blocks.depthwise_bn_act(x, 3, **options)
    return _backbone.conv_bn_relu(x, filters, 1, name=name)
