"""What fewer bits cost in one layer."""

import math
from dataclasses import dataclass

# Stands for no error at all, and with a minus for infinity and what is no number: doubles hold no more.
MOST = 300.0


@dataclass(frozen=True)
class LayerError:
    """What fewer bits cost in one layer.

    Attributes:
        layer: its name in the Keras model; what the operator computes where that is not known.
        snr_db: signal over error at the model's outputs where this layer alone has fewer bits, in decibels; of the
            worst output.
    """

    layer: str
    snr_db: float


def decibels(error, signal):
    """Signal over error, of sums of squares, within 300 dB on either side."""
    if not math.isfinite(error):
        return -MOST
    return round(min(10 * math.log10(max(signal, 1e-30) / max(error, 1e-30 * signal, 1e-60)), MOST), 1)
