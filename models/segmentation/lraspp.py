"""LR-ASPP: MobileNetV3's segmentation head, which weighs the last maps by their averages and adds finer ones."""

from __future__ import annotations

import keras
from keras import layers

from keraslayers import _checks
from keraslayers.models import weights as _weights
from keraslayers.models._variants import Weights, builder
from keraslayers.models.segmentation import _backbone
from keraslayers.models.segmentation.ending import Ending, finished
from keraslayers.resample import Resample2D

FILTERS = 128  # figure 10


@builder
def LRASPP(
    backbone: keras.Model,
    *,
    classes: int,
    output: Ending = "logits",
    filters: int = FILTERS,
    weights: Weights | None = None,
    name: str = "lraspp",
) -> keras.Model:
    """Builds LR-ASPP on a backbone.

    The last maps go through a 1x1 convolution and are weighed, channel by channel, by a sigmoid of a convolution of
    their averages; grown to 8 pixels a step they give logits, to which those of the backbone's maps there are added.
    It is torchvision's, whose averages are of the whole maps, where the paper's are of windows of 49x49 places.
    torchvision's lraspp_mobilenet_v3_large, of 3,221,538 trainable parameters, takes the finer maps of the first unit
    of stage 3:

    ```python
    whole = keraslayers.models.MobileNetV3Large(
        input_shape=(64, 64, 3), include_top=False, padding="symmetric", output_stride=16
    )
    maps = [whole.get_layer("stage3_unit1_project_bn").output, whole.output]
    model = keraslayers.models.segmentation.LRASPP(keras.Model(whole.input, maps), classes=21)
    ```

    Of such a model `weights` may be a file of torchvision's, with which it gives torchvision's logits.

    Args:
        backbone: a network of `keraslayers.models` for images of a known size, without top: its last maps, where these
            are 16 pixels apart or fewer (`output_stride=16`), else its last stage of that stride; and the last maps of
            stride 8. Or a model of any layers with two outputs, the finer maps and the coarser ones. Its layers and
            weights are shared.
        classes: number of classes, the background among them; 1 for yes and no.
        output: what the model ends in, at the size of the image: `"logits"`, to train on, `"probabilities"`, or
            `"class_map"`, int32 of (batch, height, width). `end_in` changes it later.
        filters: of the head; 128 in the paper.
        weights: of backbone and head, as of every builder of `keraslayers.models`: of torchvision's state dict, of
            another model or a file of it; None leaves them as they are.
        name: name of the model.

    Returns:
        A keras.Model.

    Raises:
        TypeError: if `backbone` is no keras.Model, or a number is none.
        ValueError: if the backbone has no such maps, an argument is not one of the values above, or `weights` are of
            another network, or of one that was built with other options.

    Source: Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244, section 6.4 and figure 10.
    """
    who = "LRASPP"
    classes, output = _backbone.options(who, classes, output)
    filters = _checks.positive_int(who, "filters", filters)
    _weights.check(who, weights)
    image, coarse, fine = _backbone.coarse_and_fine(who, backbone, 8)
    x = _backbone.conv_bn_relu(coarse, filters, 1, name="lraspp")
    weight = layers.GlobalAveragePooling2D(keepdims=True, name="lraspp_average")(coarse)
    weight = layers.Conv2D(filters, 1, use_bias=False, activation="sigmoid", name="lraspp_weight")(weight)
    x = layers.Multiply(name="lraspp_weigh")([x, weight])
    if x.shape[1:3] != fine.shape[1:3]:
        x = Resample2D(size=fine.shape[1:3], name="lraspp_grow")(x)
    fine = _backbone.classifier(fine, classes, "classes_fine")
    x = layers.Add(name="classes")([fine, _backbone.classifier(x, classes, "classes_coarse")])
    return _weights.loaded(who, finished(image, x, output, name), weights)
