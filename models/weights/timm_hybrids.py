"""The names in timm's state dicts of networks between convolutions and transformers."""

from keraslayers.models.weights.names import normalized, table, wrapped
from keraslayers.models.weights.timm import MLP, branches, source

MOBILEVIT = source(
    "stages.2.1.conv_1x1",
    table(
        {
            **normalized(stem=("stem.conv", "stem.bn"), head=("final_conv.conv", "final_conv.bn")),
            "predictions": "head.fc",
            **normalized(**{
                f"stage{n}_{ours}": (f"stages.{n - 1}.1.{theirs}.conv", f"stages.{n - 1}.1.{theirs}.bn")
                for n in (3, 4, 5)
                for ours, theirs in (("local", "conv_kxk"), ("project", "conv_proj"), ("fuse", "conv_fusion"))
            }),
            **{f"stage{n}_embed": f"stages.{n - 1}.1.conv_1x1" for n in (3, 4, 5)},
            **{f"stage{n}_norm": f"stages.{n - 1}.1.norm" for n in (3, 4, 5)},
        },
        # Inverted residuals, and the blocks of the transformers behind them.
        r"stages\.\d+\.\d+(?=\.conv1_1x1)|stages\.\d+\.\d+\.transformer\.\d+",
        normalized(
            expand=("conv1_1x1.conv", "conv1_1x1.bn"),
            depthwise=("conv2_kxk.conv", "conv2_kxk.bn"),
            project=("conv3_1x1.conv", "conv3_1x1.bn"),
        ),
        {"attention_norm": "norm1", "attention": ("attn.qkv", "attn.proj"), **MLP},
    ),
)  # fmt: skip


def _patches(stage):
    ours, theirs = f"stage{stage}_patches", f"stages.{stage - 1}.downsample.proj"
    large, small = ((f"{theirs}.0.{size}_conv.conv", f"{theirs}.0.{size}_conv.bn") for size in ("large", "small"))
    return {
        **normalized(**{ours: large, f"{ours}_scale": small}),
        **branches(f"{ours}_pointwise", f"{theirs}.1."),
    }


FASTVIT = source(
    "stages.0.blocks.0.token_mixer.mixer",
    table(
        {
            **branches("stem_conv", "stem.0."), **branches("stem_depthwise", "stem.1."),
            **branches("stem_pointwise", "stem.2."), **branches("head", "final_conv."), "predictions": "head.fc",
            **_patches(2), **_patches(3), **_patches(4),
        },
        r"stages\.\d+\.blocks\.\d+",
        {
            **branches("mixer", "token_mixer.mixer."), "mixer_input_bn": "token_mixer.norm.identity",
            "mixer_factor": "token_mixer.layer_scale.gamma",
            **normalized(mlp_depthwise=("mlp.conv.conv", "mlp.conv.bn")),
            "mlp_expand": "mlp.fc1", "mlp_project": "mlp.fc2", "mlp_factor": "layer_scale.gamma",
        },
    ),
    renames=((r"^final_conv\.se\.", "final_conv.attn."),),
)  # fmt: skip


def _folding(**pairs):
    """Layers that RepViT's code calls `c`, each with its normalization."""
    return wrapped(pairs, "c")


_REPVIT_DOWN = {
    "unit_mixer": "pre_block.token_mixer.conv", "unit_mixer_scale": "pre_block.token_mixer.conv1",
    "unit_mlp_expand": "pre_block.channel_mixer.conv1", "unit_mlp_project": "pre_block.channel_mixer.conv2",
    "depthwise": "spatial_downsample", "pointwise": "channel_downsample", "mlp_expand": "ffn.conv1",
    "mlp_project": "ffn.conv2",
}  # fmt: skip
REPVIT = source(
    "stages.0.blocks.0.token_mixer.conv1",
    table(
        {
            **_folding(stem_conv1="stem.conv1", stem_conv2="stem.conv2"),
            **_folding(**{
                f"stage{n}_down_{ours}": f"stages.{n - 1}.downsample.{theirs}"
                for n in (2, 3, 4) for ours, theirs in _REPVIT_DOWN.items()
            }),
            "predictions": "head.head.l", "predictions_bn": "head.head.bn",
            "classifier_logits": "head.head.l", "classifier_logits_bn": "head.head.bn",
            "distilled_logits": "head.head_dist.l", "distilled_logits_bn": "head.head_dist.bn",
        },
        r"stages\.\d+\.blocks\.\d+",
        {
            **_folding(
                mixer="token_mixer.conv", mixer_scale="token_mixer.conv1", mlp_expand="channel_mixer.conv1",
                mlp_project="channel_mixer.conv2",
            ),
            "mixer_squeeze_excite": ("se.fc1", "se.fc2"),
        },
    ),
)  # fmt: skip
