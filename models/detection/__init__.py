"""Detectors on any backbone: what they are made of, what they train on, and what becomes of their answers."""

from keraslayers.models.detection.anchor_boxes import AnchorBoxes
from keraslayers.models.detection.average_precision import average_precision
from keraslayers.models.detection.detector import detector
from keraslayers.models.detection.fcos import FCOS
from keraslayers.models.detection.found import Found, non_max_suppression
from keraslayers.models.detection.losses import BoxLoss, CenterLoss, FocalLoss, HardNegativeLoss, OffsetLoss
from keraslayers.models.detection.point_boxes import PointBoxes
from keraslayers.models.detection.ssdlite import SSDLite
from keraslayers.models.detection.suppress import NonMaxSuppression
from keraslayers.models.detection.targets import losses, targets

__all__ = [
    "FCOS",
    "AnchorBoxes",
    "BoxLoss",
    "CenterLoss",
    "FocalLoss",
    "Found",
    "HardNegativeLoss",
    "NonMaxSuppression",
    "OffsetLoss",
    "PointBoxes",
    "SSDLite",
    "average_precision",
    "detector",
    "losses",
    "non_max_suppression",
    "targets",
]
