"""Everything the package offers by its own name; to import it is to register the layers for loading."""

from keraslayers._deformable_function import deform_conv2d
from keraslayers.activations import HardSigmoid, HardSwish, HardTanh, ReLU6, ShiftLeakyReLU, hard_sigmoid
from keraslayers.affine import Affine, LayerScale
from keraslayers.analysis.analysis import analyze, receptive_field
from keraslayers.analysis.cost import Cost, Window
from keraslayers.analysis.design_resolution import design_resolution
from keraslayers.analysis.result import Analysis, LayerAnalysis
from keraslayers.analysis.sizes import output_size
from keraslayers.auxiliary_output import AuxiliaryOutput
from keraslayers.channel_shuffle import ChannelShuffle, channel_shuffle
from keraslayers.class_token import ClassToken
from keraslayers.deformable import DeformableConv2D
from keraslayers.dynamic import DynamicConv2D
from keraslayers.dynamic_depthwise import DynamicDepthwiseConv2D, dynamic_depthwise_conv2d
from keraslayers.fold_batch_norm import fold_batch_norm
from keraslayers.fold_shuffle import fold_shuffle
from keraslayers.image_kernel import ImageKernel2D
from keraslayers.learned_positions import LearnedPositions
from keraslayers.local_response import LocalResponseNormalization, local_response_normalization
from keraslayers.maxout import Maxout, maxout
from keraslayers.padded import PaddedConv2D
from keraslayers.reparameterize import reparameterize
from keraslayers.resample import Resample2D
from keraslayers.soft_argmax import SoftArgmax
from keraslayers.spatial_separable import SpatialSeparableConv2D, separate
from keraslayers.squeeze_excite import SqueezeExcite
from keraslayers.table_activation import TableActivation
from keraslayers.unpooling import MaxPoolWithIndices2D, MaxUnpool2D
from keraslayers.window_attention import WindowAttention, window_merge, window_partition

__all__ = [
    "Affine",
    "Analysis",
    "AuxiliaryOutput",
    "ChannelShuffle",
    "ClassToken",
    "Cost",
    "DeformableConv2D",
    "DynamicConv2D",
    "DynamicDepthwiseConv2D",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "ImageKernel2D",
    "LayerAnalysis",
    "LayerScale",
    "LearnedPositions",
    "LocalResponseNormalization",
    "MaxPoolWithIndices2D",
    "MaxUnpool2D",
    "Maxout",
    "PaddedConv2D",
    "ReLU6",
    "Resample2D",
    "ShiftLeakyReLU",
    "SoftArgmax",
    "SpatialSeparableConv2D",
    "SqueezeExcite",
    "TableActivation",
    "Window",
    "WindowAttention",
    "analyze",
    "channel_shuffle",
    "deform_conv2d",
    "design_resolution",
    "dynamic_depthwise_conv2d",
    "fold_batch_norm",
    "fold_shuffle",
    "hard_sigmoid",
    "local_response_normalization",
    "maxout",
    "output_size",
    "receptive_field",
    "reparameterize",
    "separate",
    "window_merge",
    "window_partition",
]
