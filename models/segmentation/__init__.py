"""Networks that say of every pixel what it belongs to, on any backbone."""

from keraslayers.models.segmentation.deeplab import DeepLabV3, DeepLabV3Plus
from keraslayers.models.segmentation.ending import ClassMap, end_in
from keraslayers.models.segmentation.lraspp import LRASPP
from keraslayers.models.segmentation.masks import one_hot
from keraslayers.models.segmentation.unet import UNet

__all__ = ["LRASPP", "ClassMap", "DeepLabV3", "DeepLabV3Plus", "UNet", "end_in", "one_hot"]
