"""What the words of a command line stand for: files that are read, without running code out of them, and numbers."""

import ipaddress
import struct
import zipfile
import zlib

from keraslayers._depth import make_room
from keraslayers._quiet import quiet

# So many nested calls Python's own stack takes, whatever a file holds: thousands of layers one behind another.
MOST_CALLS = 10_000
# An archive that unpacks to more bytes than this, and to so many times its size, is refused. Keras and NumPy store
# numbers as they are, and of those that somebody packed floats get a few times smaller, mostly zeros ten times.
MOST_UNPACKED, MOST_TIMES = 2**28, 50
# So many images of a folder are read.
MOST_IMAGES = 512
# What images want to be told.
RESCALE = (
    "`rescale`, what training did to pixels of 0 to 255, which then becomes part of the file: --rescale 1/255,0 for "
    "values of 0 to 1, 1/127.5,-1 for -1 to 1, 1,0 for pixels as they are."
)


def shape(who, text):
    """The sizes of `224,224,3`."""
    try:
        return tuple(int(size) for size in text.split(","))
    except ValueError:
        raise ValueError(f"`{who}`: `input_shape` must be sizes such as 224,224,3; got {text!r}.") from None


def ip_address(who, text):
    """An address of IPv4, as it is written."""
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError(f"`{who}`: `address` must be one of IPv4 such as 192.168.1.2; got {text!r}.") from None


def rescaling(who, text):
    """The layer of `SCALE,OFFSET`, each a number or a fraction."""
    try:
        scale, offset = (_number(part) for part in text.split(","))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"`{who}`: `rescale` must be SCALE,OFFSET such as 1/255,0; got {text!r}.") from None
    with quiet():
        import keras
    return keras.layers.Rescaling(scale, offset)


def _number(text):
    over, _, under = text.partition("/")
    return float(over) / float(under or 1)


def load_labels(who, path):
    """Names, a line each."""
    if not path.is_file():
        raise FileNotFoundError(f"`{who}`: `labels`: there is no file {str(path)!r}.")
    return path.read_text().splitlines()


def check_labels(who, labels, model, pixels):
    """Refuses labels that the file could not take, before it is made.

    Args:
        who: for messages.
        labels: names of the classes.
        model: a Keras model.
        pixels: whether the file takes pixels of 0 to 255.
    """
    outputs, inputs = ((getattr(model, side, None) or ()) for side in ("outputs", "inputs"))
    if len(outputs) == 1 and outputs[0].shape[-1] != len(labels):
        raise ValueError(
            f"`{who}`: `labels` must be one a class: {outputs[0].shape[-1]} of `model` {model.name!r}; got "
            f"{len(labels)}."
        )
    if not pixels and any(len(image.shape) == 4 for image in inputs):
        raise ValueError(f"`{who}`: `labels` of images need {RESCALE} Samples are pixels then, too.")


# What to do about a model of Keras 2.
KERAS_2 = "let it write old.save('old.h5'), which Keras 3 reads: keras.models.load_model('old.h5', compile=False)"


def load_model(who, path):
    """Loads a `.keras` file without running code out of it."""
    if path.suffix in (".h5", ".hdf5"):
        raise ValueError(
            f"`{who}`: `model` must be a `.keras` file; got {str(path)!r}, the older format. In Python make one of it: "
            "keras.models.load_model('x.h5', compile=False).save('x.keras'). If it holds weights alone, build the "
            "model, and model.load_weights('x.h5')."
        )
    if path.suffix != ".keras":
        raise ValueError(f"`{who}`: `model` must be a `.keras` file, written by model.save('x.keras'); got {path}.")
    if not path.is_file():
        raise FileNotFoundError(f"`{who}`: `model`: there is no file {str(path)!r}.")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"`{who}`: `model` {str(path)!r} is not a `.keras` file, or it is damaged.")
    _check_unpacked(who, "model", path)
    with quiet():
        import keras

        from keraslayers import _public  # noqa: F401  registers the layers, and these what stands behind backbones
        from keraslayers.models import detection, keypoints, segmentation, super_resolution  # noqa: F401

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "config.json" in names:
                make_room(archive.read("config.json").count(b'"class_name"'), most=MOST_CALLS)
            if "model.weights.h5" in names:
                with archive.open("model.weights.h5") as weights:
                    _check_size(who, "model", path, _held(weights))
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile, zlib.error) as error:
        words, then = str(error), {"export": "to_tflite"}.get(who, who)
        reason, remedy = words.strip().splitlines()[0][:300], ""
        if "ambda" in words:
            reason = "it holds a Lambda, which is code, and code from a file is not run."
            remedy = f" Use a layer class in its place; or, if you trust the file, load it yourself and call {then}."
        elif "tf_keras" in words or "batch_input_shape" in words:  # which Keras 3 calls batch_shape
            reason, remedy = "it is of Keras 2.", f" Load it by tf_keras, and {KERAS_2}."
        elif "Could not locate class" in words:
            remedy = f" Its class is not known here: in Python import it, load the model, and call {then}."
        raise ValueError(f"`{who}`: `model` {str(path)!r} cannot be loaded: {reason}{remedy}") from error


def _check_unpacked(who, argument, path):
    """Refuses an archive that is there to fill memory; another file passes through."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, struct.error) as error:
        raise ValueError(f"`{who}`: `{argument}` {str(path)!r} is damaged: {error}") from error
    _check_size(who, argument, path, size)


def _check_size(who, argument, path, size):
    packed = path.stat().st_size
    if size > MOST_UNPACKED and size > MOST_TIMES * packed:
        raise ValueError(
            f"`{who}`: `{argument}` {str(path)!r} unpacks {packed:,} bytes to {size:,}, as no weights and samples do."
        )


def _held(weights):
    """Bytes of the arrays in a file of HDF5, which packs, or leaves out, what is all zero."""
    import h5py

    with h5py.File(weights, "r") as file:
        sizes = []
        file.visititems(lambda name, item: sizes.append(item.size * item.dtype.itemsize) if _is_array(item) else None)
    return sum(sizes)


def _is_array(item):
    return hasattr(item, "dtype") and item.size is not None


def load_samples(who, path):
    """Loads an array, or a dict of arrays by input name, without unpickling."""
    import numpy as np

    if path is None:
        return None
    if path.suffix not in (".npy", ".npz"):
        raise ValueError(f"`{who}`: `samples` must be a .npy or .npz file; got {str(path)!r}.")
    if not path.is_file():
        raise FileNotFoundError(f"`{who}`: `samples`: there is no file {str(path)!r}.")
    _check_unpacked(who, "samples", path)
    try:
        loaded = np.load(path, allow_pickle=False)
        return loaded if path.suffix == ".npy" else dict(loaded)
    except (ValueError, EOFError, OSError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"`{who}`: `samples` {str(path)!r} holds no plain arrays: {error}") from error


def load_images(who, folder, model, rescale):
    """Pixels of 0 to 255 of the images in a folder and its folders, drawn from all, in the size of a model's input.

    What sticks out beyond its sides is cut off.
    """
    shapes = [tensor.shape for tensor in getattr(model, "inputs", None) or ()]
    modes = {1: "grayscale", 3: "rgb", 4: "rgba"}
    if len(shapes) != 1 or len(shapes[0]) != 4 or None in shapes[0][1:] or shapes[0][3] not in modes:
        raise ValueError(
            f"`{who}`: `samples` are images, and `model` {model.name!r} does not take one of known size with 1, 3 or 4 "
            f"channels last; its inputs are {shapes}. Give .npy or .npz."
        )
    if rescale is None:
        raise ValueError(f"`{who}`: `samples` that are images need {RESCALE}")
    with quiet():
        import keras
        import numpy as np

        try:
            images = keras.utils.image_dataset_from_directory(
                folder,
                labels=None,
                color_mode=modes[shapes[0][3]],
                image_size=shapes[0][1:3],
                batch_size=None,
                seed=0,
                crop_to_aspect_ratio=True,
                verbose=False,
            )
            return np.stack(list(images.take(MOST_IMAGES).as_numpy_iterator()))
        except (ValueError, OSError) as error:
            raise ValueError(f"`{who}`: `samples` {str(folder)!r}: {str(error).splitlines()[0]}") from error


def alike(who, samples):
    """What scores a file by the part of the samples of which it gives the Keras model's class."""
    if samples is None:
        raise ValueError(f"`{who}`: `precision` auto needs `samples`, on which files are compared with Keras.")
    wanted = []

    def evaluate(predict):
        scores = predict(samples)
        if isinstance(scores, dict) or scores.shape[-1] < 2:
            raise ValueError(
                f"`{who}`: `precision` auto compares classes here, and `model` does not give one output of several; "
                "in Python give to_tflite(evaluate=...) what counts."
            )
        wanted.append(scores.argmax(-1))  # the model comes first
        return float((wanted[-1] == wanted[0]).mean())

    return evaluate


def elsewhere(host, names, python):
    """The runtimes of a computer behind ssh: those of the names, by default its CPU, and its GPU where it has one."""
    from keraslayers.export.runtimes.ssh import RUNTIMES, ssh

    wanted = RUNTIMES if names == ["all"] else names or ("cpu", "gpu")
    found = [ssh(host, name, python=python) for name in wanted]
    return found if wanted is names else [each for each in found if each.name == "cpu" or not each.available()]
