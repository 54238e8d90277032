"""Types that many hints name. Files with hints begin with `from __future__ import annotations`: none is computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import keras
    import numpy as np

# Symbolic, or of whichever backend Keras runs on: these classes have nothing in common.
Tensor: TypeAlias = Any
Shape: TypeAlias = Sequence[int | None]
# One number for both axes, or (height, width).
Size: TypeAlias = int | Sequence[int]
# A name; or pixels: one number, (height, width), or ((top, bottom), (left, right)).
Padding: TypeAlias = str | int | Sequence[int | Sequence[int]]
PaddingMode: TypeAlias = Literal["zeros", "reflect", "symmetric", "edge"]
DataFormat: TypeAlias = str  # as `keras.config.image_data_format()` gives it
Activation: TypeAlias = str | Callable[..., Any]
# By its name, by its config, or itself.
Initializer: TypeAlias = str | dict[str, Any] | Callable[..., Any]
Regularizer: TypeAlias = str | dict[str, Any] | Callable[..., Any]
Constraint: TypeAlias = str | dict[str, Any] | Callable[..., Any]

Path: TypeAlias = str | os.PathLike[str]
File: TypeAlias = Path | bytes | bytearray
Precision: TypeAlias = Literal["float32", "float16", "dynamic", "int8", "int16x8", "int4"]
TargetName: TypeAlias = Literal["cpu", "gpu", "gpu-fp32", "browser", "browser-gpu", "micro"]


class Dataset(Protocol):
    """A `tf.data.Dataset`."""

    @property
    def element_spec(self) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...


# Words at run time, as nothing is imported for them.
Model: TypeAlias = "keras.Model"
Array: TypeAlias = "np.ndarray[Any, Any]"
Samples: TypeAlias = "Array | list[Any] | tuple[Any, ...] | Mapping[str, Any] | Dataset"
Inputs: TypeAlias = "Samples | keras.utils.PyDataset"
# Of several outputs a dict by name: who calls knows which, and need not ask.
Outputs: TypeAlias = "Array | Any"
