"""The names in torchvision's state dicts of detectors and segmenters: a backbone's, behind `backbone.`, and more."""

from keraslayers.models.weights.names import joined, normalized, table
from keraslayers.models.weights.torchvision import RESNET, TENSORFLOW, mobilenet_v3, source, version

_LARGE = mobilenet_v3("features.16").pairs
_SSD_HEADS = {"classes": "head.classification_head.module_list", "offsets": "head.regression_head.module_list"}


def _block(found):
    """The features of SSDLite are cut in two within the 13th block, the rest of which begins the second part."""
    number = int(found[1])
    return f"features.{13 + number}." if number else "features.13.block."


def _anchors(model):
    wanted = {"smallest": 0.2, "largest": 0.95, "ratios": (2, 3)}
    boxes = next(layer for layer in model.layers if layer.name == "boxes")
    if all(getattr(boxes, name) == value for name, value in wanted.items()):
        return None
    return "the anchors of " + ", ".join(f"{name}={value}" for name, value in wanted.items())


SSDLITE = source(
    "head.classification_head",
    joined(
        _LARGE,
        table(
            {
                **normalized(
                    **{
                        f"extra{n}_{part}": (f"backbone.extra.{n - 1}.{at}.0", f"backbone.extra.{n - 1}.{at}.1")
                        for n in (1, 2, 3, 4)
                        for at, part in enumerate(("reduce", "depthwise", "expand"))
                    },
                    **{
                        f"{head}{n}_depthwise": (f"{at}.{n - 1}.0.0", f"{at}.{n - 1}.0.1")
                        for head, at in _SSD_HEADS.items()
                        for n in range(1, 7)
                    },
                ),
                **{f"{head}{n}_end": f"{at}.{n - 1}.1" for head, at in _SSD_HEADS.items() for n in range(1, 7)},
            }
        ),
    ),
    TENSORFLOW,
    renames=(
        (r"^backbone\.features\.0\.13\.", "features.13.block.0."),
        (r"^backbone\.features\.0\.", "features."),
        (r"^backbone\.features\.1\.(\d+)\.", _block),
    ),
    refuses=_anchors,
    backbone=True,
)


def _dilated(told, **rates):
    """A `refuses` by the dilation of layers, which leaves no trace in shapes."""

    def refuses(model):
        layers = [layer for layer in model.layers if layer.name in rates]
        return told if any(layer.dilation_rate != (rates[layer.name],) * 2 for layer in layers) else None

    return refuses


def _first_of(*functions):
    """A `refuses` of several."""
    return lambda model: next(filter(None, (function(model) for function in functions)), None)


def _finer(model):
    """Units of a stage have one shape: which of them is looked at shows in the graph alone."""
    layers = {layer.name: layer for layer in model.layers}
    unit = layers.get("stage3_unit1_project_bn")
    if unit is not None and layers["classes_fine"].input is unit.output:
        return None
    return "the finer maps of 'stage3_unit1_project_bn', as in the docstring"


_MOBILENET_V3 = ((r"^backbone\.", "features."),)
_STRIDE_16 = _dilated("a backbone of output_stride=16", stage5_unit1_depthwise=2, stage5_unit3_depthwise=2)
LRASPP = source(
    "classifier.low_classifier",
    joined(
        _LARGE,
        table(
            {
                **normalized(lraspp=("classifier.cbr.0", "classifier.cbr.1")),
                "lraspp_weight": "classifier.scale.1",
                "classes_fine": "classifier.low_classifier",
                "classes_coarse": "classifier.high_classifier",
            }
        ),
    ),
    TENSORFLOW,
    renames=_MOBILENET_V3,
    refuses=_first_of(_STRIDE_16, _finer),
    backbone=True,
)

_ASPP = table(
    {
        **normalized(
            **{f"aspp{n}": (f"classifier.0.convs.{n - 1}.0", f"classifier.0.convs.{n - 1}.1") for n in (1, 2, 3, 4)},
            aspp_average_conv=("classifier.0.convs.4.1", "classifier.0.convs.4.2"),
            aspp_project=("classifier.0.project.0", "classifier.0.project.1"),
            decoder=("classifier.1", "classifier.2"),
        ),
        "classes": "classifier.4",
    }
)
_RATES = _dilated("rates=(12, 24, 36)", aspp2=12, aspp3=24, aspp4=36)
_STRIDE_8 = _dilated("a backbone of output_stride=8", stage3_unit2_conv=2, stage4_unit2_conv=4)
DEEPLAB_MOBILENET_V3 = source(
    "backbone.1.block",
    joined(_LARGE, _ASPP),
    TENSORFLOW,
    renames=_MOBILENET_V3,
    extras=r"aux_classifier\.",
    refuses=_first_of(_STRIDE_16, _RATES),
    backbone=True,
)
DEEPLAB_RESNET = source(
    "backbone.layer1",
    joined(RESNET.pairs, _ASPP),
    renames=((r"^backbone\.", ""),),
    extras=r"aux_classifier\.",
    refuses=_first_of(version, _STRIDE_8, _RATES),
    backbone=True,
)
