"""Models that nobody here wrote: built from packages of PyPI, and in the style of the examples on keras.io."""

from importlib import import_module

# The files here that hold models. Each has MODELS, functions without arguments that return (model, samples).
KINDS = (
    "examples_vision",
    "examples_transformers",
    "examples_generative",
    "examples_text",
    "examples_sequences",
    "examples_recurrent",
    "examples_structured",
    "keras_hub",
    "kimm",
    "zeromodels",
    "k3im",
    "kyolo",
    "packages",
)
# Ways to a file, and the runtimes that it is run on: functions in ways.py.
WAYS = {
    "stock": ("cpu", "gpu"),
    "keras_export": ("cpu", "gpu"),
    "float32": ("cpu", "gpu", "gpu-fp16"),
    "int8": ("cpu",),
}


def builders(kind):
    """By name what builds the models of a kind."""
    found = import_module(f"benchmarks.others.{kind}").MODELS
    return {builder.__name__: builder for builder in found}
