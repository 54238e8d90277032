"""What Keras computes in operations that TFLite has no kernels for, or that mean something else in a batch of one."""

import contextlib
import math
from itertools import pairwise

import keras
import numpy as np

from keraslayers import _keras

# As many axes TRANSPOSE may have.
MOST_AXES = 6


@contextlib.contextmanager
def spelled():
    """Within it, models are traced with these spellings in place of Keras's; what they compute is the same.

    They stand in Keras's TensorFlow backend, where every layer gets its operations from, whoever wrote it.
    """
    held = []
    try:
        for module, functions in SPELLINGS.items():
            module = _keras.tensorflow_backend(module)
            for name, make in functions.items():
                original = getattr(module, name)
                held.append((module, name, original))
                setattr(module, name, make(original))
        yield
    finally:
        for module, name, original in held:
            setattr(module, name, original)


def _add(original):
    """Keras takes what has one axis longer than one for the bias of a convolution.

    In a batch of one that is many a tensor: (1, 9, 1) + (1, 9, 1) becomes a BIAS_ADD with channels first, which the
    converter refuses, and (1, 9, 9) + (1, 9, 1) is added along the last axis.
    """
    import tensorflow as tf

    def add(x1, x2):
        if _is_column(getattr(x2, "shape", ())):
            x1, x2 = (keras.ops.convert_to_tensor(x) for x in (x1, x2))
            if x1.dtype == x2.dtype:
                return tf.add(x1, x2)
        return original(x1, x2)

    return add


def _is_column(shape):
    """Whether the one axis that is longer than one is another than the last."""
    return len(shape) > 1 and shape[-1] == 1 and sum(size != 1 for size in shape) == 1


def _arg(name):
    """Keras tells 0 from -0, by bits."""

    def make(original):
        import tensorflow as tf

        find = getattr(tf, name)

        def arg(x, axis=None, keepdims=False):
            x = tf.convert_to_tensor(x)
            if not x.dtype.is_floating or x.shape.rank in (None, 0):
                return original(x, axis=axis, keepdims=keepdims)
            flat = tf.reshape(x, [-1]) if axis is None else x
            found = find(flat, axis=0 if axis is None else axis, output_type="int32")
            if not keepdims:
                return found
            return tf.reshape(found, [1] * x.shape.rank) if axis is None else tf.expand_dims(found, axis)

        return arg

    return make


def _transpose(original):
    """Axes of one are left out, axes that stay neighbours are one; if that does not do, it takes several steps."""
    import tensorflow as tf

    def transpose(x, axes=None):
        shape = getattr(x, "shape", None)
        if axes is None or shape is None or len(axes) <= MOST_AXES or None in tuple(shape):
            return original(x, axes)
        axes = [axis % len(axes) for axis in axes]

        def laid(x, blocks):
            return tf.reshape(x, [math.prod(shape[axis] for axis in block) for block in blocks])

        wanted = [(axis,) for axis in axes if shape[axis] != 1]
        there = sorted(wanted)
        while len(there) > 1 and (joined := _joined(there, wanted, most=MOST_AXES)):
            before, there, wanted = joined
            if before:
                x = original(laid(x, before), (0, 2, 1, 3))
        x = original(laid(x, there), [there.index(block) for block in wanted])
        return tf.reshape(x, [shape[axis] for axis in axes])

    return transpose


def _joined(there, wanted, most):
    """Makes one block of two that shall be neighbours: (four blocks whose inner ones swap for it, there, wanted).

    None to swap where they are neighbours; None in place of it all where there is none such, and at most `most` blocks.
    """
    pairs = list(pairwise(wanted))
    first, second = next((pair for pair in pairs if pair in set(pairwise(there))), pairs[0])
    i, j = there.index(first), there.index(second)
    swap = ()
    if j != i + 1:
        if len(there) <= most:
            return None
        low, middle, high = (i + 1, j, j + 1) if i < j else (j, j + 1, i + 1)
        swap = [sum(part, ()) for part in (there[:low], there[low:middle], there[middle:high], there[high:])]
        there = [*there[:low], *there[middle:high], *there[low:middle], *there[high:]]
    return swap, _merged(there, first, second), _merged(wanted, first, second)


def _merged(blocks, first, second):
    at = blocks.index(first)
    return [*blocks[:at], first + second, *blocks[at + 2 :]]


def _waves(n, inverse=1):
    angles = 2 * np.pi * np.outer(np.arange(n), np.arange(n)) % (2 * np.pi * n) / n
    return np.cos(angles).astype("float32"), inverse * np.sin(angles).astype("float32")


def _fft(original):
    """A Fourier transform as products with sines and cosines."""

    def fft(x):
        real, imaginary = x
        n = real.shape[-1]
        if n is None:
            return original(x)
        return _turned(real, imaginary, *_waves(n))

    return fft


def _turned(real, imaginary, cosines, sines):
    import tensorflow as tf

    return (
        tf.matmul(real, cosines) + tf.matmul(imaginary, sines),
        tf.matmul(imaginary, cosines) - tf.matmul(real, sines),
    )


def _fft2(original):
    import tensorflow as tf

    def swapped(x):
        return tf.linalg.matrix_transpose(x)

    def fft2(x):
        real, imaginary = x
        rows, columns = real.shape[-2:]
        if rows is None or columns is None:
            return original(x)
        real, imaginary = _turned(real, imaginary, *_waves(columns))
        real, imaginary = _turned(swapped(real), swapped(imaginary), *_waves(rows))
        return swapped(real), swapped(imaginary)

    return fft2


def _irfft(original):
    import tensorflow as tf

    def irfft(x, fft_length=None):
        real, imaginary = x
        bins = real.shape[-1]
        if bins is None:
            return original(x, fft_length)
        n = fft_length or 2 * (bins - 1)
        used = min(bins, n // 2 + 1)
        # What is left out of the spectrum is the mirror of what is there.
        counts = np.where((np.arange(used) == 0) | (2 * np.arange(used) == n), 1, 2)[:, None] / n
        cosines, sines = (counts * wave[:used] for wave in _waves(n))
        real, imaginary = real[..., :used], imaginary[..., :used]
        return tf.matmul(real, cosines.astype("float32")) - tf.matmul(imaginary, sines.astype("float32"))

    return irfft


# By the module of Keras's backend what takes the place of its functions.
SPELLINGS = {
    "numpy": {"add": _add, "argmax": _arg("argmax"), "argmin": _arg("argmin"), "transpose": _transpose},
    "math": {"fft": _fft, "fft2": _fft2, "irfft": _irfft},
}
