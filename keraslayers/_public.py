"""Everything the package offers by its own name; to import it is to register the layers for loading."""

from keraslayers.activations import HardSigmoid, HardSwish, HardTanh, ReLU6, hard_sigmoid
from keraslayers.channel_shuffle import ChannelShuffle, channel_shuffle
from keraslayers.squeeze_excite import SqueezeExcite

__all__ = [
    "ChannelShuffle",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "ReLU6",
    "SqueezeExcite",
    "channel_shuffle",
    "hard_sigmoid",
]
