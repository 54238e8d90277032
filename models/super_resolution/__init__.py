"""Networks that make images larger, and large images enlarged tile by tile."""

from keraslayers.models.super_resolution import espcn, quicksrnet, sesr
from keraslayers.models.super_resolution.enlarge import enlarge, reach
from keraslayers.models.super_resolution.espcn import ESPCN
from keraslayers.models.super_resolution.quicksrnet import QuickSRNetLarge, QuickSRNetMedium, QuickSRNetSmall
from keraslayers.models.super_resolution.sesr import SESRM3, SESRM5, SESRM7, SESRM11, SESRXL

__all__ = [
    "ESPCN",
    "SESRM3",
    "SESRM5",
    "SESRM7",
    "SESRM11",
    "SESRXL",
    "SPECS",
    "QuickSRNetLarge",
    "QuickSRNetMedium",
    "QuickSRNetSmall",
    "enlarge",
    "reach",
]

# In the order of their years.
SPECS = (*espcn.SPECS, *sesr.SPECS, *quicksrnet.SPECS)
