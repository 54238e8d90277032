"""Files of other tools: networks in PyTorch, converted by litert-torch and onnx2tf, proven as they are and repaired."""

from pathlib import Path

HERE = Path(__file__).parent
FILES = HERE.parent / "files" / "foreign"
# The tools by the word that their files' names begin with: (the environment that `make bench-foreign` makes, a script).
TOOLS = {
    "litert_torch": (".venv-torch", "with_torch.py"),
    "onnx2tf": (".venv-onnx2tf", "with_onnx2tf.py"),
    "onnx2tf_direct": (".venv-onnx2tf_direct", "with_onnx2tf.py"),
}
# What the networks of `networks.py` are given.
GIVEN = {
    "images": (
        "mobilenet_v3",
        "shufflenet_v2",
        "efficientnet",
        "regnet",
        "resnext",
        "grouped",
        "densenet",
        "convnext",
        "vit",
        "swin",
        "swin_v2",
        "maxvit",
        "lraspp",
        "deeplab",
        "ssdlite",
        "yolo_anchors",
        "yolo_distribution",
        "super_resolution",
        "style_transfer",
        "unet",
        "spatial_transformer",
        "coordinate_attention",
        "involution",
        "mixer",
    ),
    "waves": (
        "speech",
        "gru",
        "encoder",
    ),
    "tokens": ("language",),
}
