"""Networks that find points, on any backbone of maps, and how right they are."""

from keraslayers.models.keypoints.pck import PCK
from keraslayers.models.keypoints.simple_baseline import SimpleBaseline

__all__ = ["PCK", "SimpleBaseline"]
