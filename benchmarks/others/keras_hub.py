"""Networks of keras-hub, from configurations of a few layers."""

import keras
import numpy as np
from keras_hub import layers, models

from benchmarks.others.data import images, normal, padded, settle, signals, tokens

VOCABULARY, LENGTH = 100, 16


def _text(backbone, *, segments=False):
    ids, there = padded(VOCABULARY, LENGTH)
    x = {"token_ids": ids, "padding_mask": there}
    if segments:
        x["segment_ids"] = (np.arange(LENGTH) >= LENGTH // 2).astype("int32") * there
    return settle(backbone, x), x


def _image(model, *shape):
    x = images(*shape)
    return settle(model, x), x


SMALL = {"vocabulary_size": VOCABULARY, "num_layers": 2, "num_heads": 4, "hidden_dim": 32, "intermediate_dim": 64}


def bert():
    return _text(models.BertBackbone(**SMALL, max_sequence_length=LENGTH), segments=True)


def distil_bert():
    return _text(models.DistilBertBackbone(**SMALL, max_sequence_length=LENGTH))


def albert():
    return _text(models.AlbertBackbone(**SMALL, embedding_dim=16, max_sequence_length=LENGTH), segments=True)


def deberta():
    return _text(models.DebertaV3Backbone(**SMALL, max_sequence_length=LENGTH, bucket_size=8))


def gpt2():
    return _text(models.GPT2Backbone(**SMALL, max_sequence_length=LENGTH))


def _decoder(build, **options):
    sizes = {key: value for key, value in SMALL.items() if key != "num_heads"}
    return _text(build(**sizes, num_query_heads=4, num_key_value_heads=2, **options))


def gemma():
    return _decoder(models.GemmaBackbone, head_dim=8)


def llama():
    return _decoder(models.LlamaBackbone)


def t5():
    model = models.T5Backbone(**SMALL)
    ids, there = padded(VOCABULARY, LENGTH)
    x = {
        "encoder_token_ids": ids,
        "encoder_padding_mask": there,
        "decoder_token_ids": tokens(VOCABULARY, LENGTH, seed=2, low=1),
        "decoder_padding_mask": np.ones_like(there),
    }
    return settle(model, x), x


def whisper():
    model = models.WhisperBackbone(
        **SMALL, num_mels=16, max_encoder_sequence_length=64, max_decoder_sequence_length=LENGTH
    )
    ids, there = padded(VOCABULARY, LENGTH)
    x = {"encoder_features": signals(64, 16), "decoder_token_ids": ids, "decoder_padding_mask": there}
    return settle(model, x), x


def vit():
    model = models.ViTBackbone((48, 48, 3), patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64)
    return _image(model, 48, 48, 3)


def deit():
    model = models.DeiTBackbone((48, 48, 3), 8, num_layers=2, num_heads=2, hidden_dim=32, intermediate_dim=64)
    return _image(model, 48, 48, 3)


def swin():
    model = models.SwinTransformerBackbone(
        (64, 64, 3), embed_dim=24, depths=[2, 2], num_heads=[2, 4], window_size=4, patch_size=4
    )
    return _image(model, 64, 64, 3)


def segformer():
    encoder = models.MiTBackbone(
        layerwise_depths=[1, 1, 1, 1],
        num_layers=4,
        layerwise_num_heads=[1, 2, 2, 4],
        layerwise_sr_ratios=[8, 4, 2, 1],
        max_drop_path_rate=0.1,
        layerwise_patch_sizes=[7, 3, 3, 3],
        layerwise_strides=[4, 2, 2, 2],
        image_shape=(64, 64, 3),
        hidden_dims=[8, 16, 24, 32],
    )
    return _image(models.SegFormerBackbone(image_encoder=encoder, projection_filters=16), 64, 64, 3)


def _resnet(side, **options):
    return models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 32, 48, 64],
        stackwise_num_blocks=[1, 1, 1, 1],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
        image_shape=(side, side, 3),
        **options,
    )


def deeplab_v3():
    model = models.DeepLabV3Backbone(
        _resnet(64),
        spatial_pyramid_pooling_key="P4",
        upsampling_size=4,
        dilation_rates=[2, 3, 4],
        low_level_feature_key="P2",
        projection_filters=12,
        image_shape=(64, 64, 3),
    )
    return _image(model, 64, 64, 3)


def retinanet():
    backbone = models.RetinaNetBackbone(
        _resnet(128), min_level=3, max_level=5, use_p5=False, use_fpn_batch_norm=True, image_shape=(128, 128, 3)
    )
    model = models.RetinaNetObjectDetector(
        backbone=backbone,
        num_classes=4,
        bounding_box_format="xyxy",
        use_prediction_head_norm=True,
        preprocessor=None,
        label_encoder=None,
    )
    return _image(model, 128, 128, 3)


def d_fine():
    features = models.HGNetV2Backbone(
        depths=[1, 1, 1, 1],
        embedding_size=8,
        hidden_sizes=[16, 24, 32, 48],
        stem_channels=[3, 8, 8],
        hidden_act="relu",
        use_learnable_affine_block=True,
        stackwise_stage_filters=[
            [8, 8, 16, 1, 3, 3],
            [16, 8, 24, 1, 3, 3],
            [24, 16, 32, 1, 3, 5],
            [32, 16, 48, 1, 3, 5],
        ],
        apply_downsample=[False, True, True, True],
        use_lightweight_conv_block=[False, False, True, True],
        image_shape=(64, 64, 3),
        out_features=["stage3", "stage4"],
    )
    model = models.DFineBackbone(
        backbone=features,
        decoder_in_channels=[32, 32],
        encoder_hidden_dim=32,
        num_labels=5,
        num_denoising=0,
        learn_initial_query=False,
        num_queries=10,
        anchor_image_size=(64, 64),
        feat_strides=[16, 32],
        num_feature_levels=2,
        hidden_dim=32,
        encoder_in_channels=[32, 48],
        encode_proj_layers=[1],
        num_attention_heads=4,
        encoder_ffn_dim=64,
        num_encoder_layers=1,
        hidden_expansion=0.5,
        depth_multiplier=0.34,
        eval_idx=-1,
        num_decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=64,
        decoder_n_points=[3, 3],
        lqe_hidden_dim=16,
        num_lqe_layers=2,
        out_features=["stage3", "stage4"],
        image_shape=(64, 64, 3),
        seed=0,
    )
    return _image(model, 64, 64, 3)


def sam():
    encoder = models.ViTDetBackbone(
        hidden_size=16,
        num_layers=2,
        intermediate_dim=32,
        num_heads=2,
        global_attention_layer_indices=[1],
        image_shape=(64, 64, 3),
        patch_size=8,
        num_output_channels=32,
        window_size=4,
    )
    prompts = layers.SAMPromptEncoder(
        hidden_size=32, image_embedding_size=(8, 8), input_image_size=(64, 64), mask_in_channels=8
    )
    decoder = layers.SAMMaskDecoder(
        hidden_size=32, num_layers=2, intermediate_dim=32, num_heads=2, embedding_dim=32, iou_head_hidden_dim=16
    )
    model = models.SAMBackbone(image_encoder=encoder, prompt_encoder=prompts, mask_decoder=decoder)
    random = np.random.default_rng(0)
    x = {
        "images": images(64, 64, 3),
        "points": random.uniform(0, 64, (32, 2, 2)).astype("float32"),
        "labels": random.integers(0, 2, (32, 2)).astype("float32"),
        "boxes": np.sort(random.uniform(0, 64, (32, 1, 2, 2)), axis=2).astype("float32"),
        "masks": normal(1, 32, 32, 1),
    }
    return settle(model, x), x


def clip():
    sides = {"num_layers": 2, "num_heads": 2, "hidden_dim": 32, "intermediate_dim": 64}
    model = models.CLIPBackbone(
        models.CLIPVisionEncoder(patch_size=8, **sides, image_shape=(48, 48, 3)),
        models.CLIPTextEncoder(VOCABULARY, embedding_dim=32, **sides, max_sequence_length=LENGTH),
        projection_dim=16,
    )
    x = {"images": images(48, 48, 3), "token_ids": tokens(VOCABULARY, LENGTH)}
    return settle(model, x), x


def cspnet():
    model = models.CSPNetBackbone(
        stem_filters=16,
        stem_kernel_size=3,
        stem_strides=1,
        stackwise_depth=[1, 1, 2],
        stackwise_strides=[2, 2, 2],
        stackwise_num_filters=[16, 24, 32],
        block_type="dark_block",
        stage_type="csp",
        bottle_ratio=[0.5, 1.0, 1.0],
        block_ratio=[1.0, 0.5, 0.5],
        expand_ratio=[2.0, 1.0, 1.0],
        down_growth=True,
        cross_linear=True,
        image_shape=(64, 64, 3),
    )
    return _image(model, 64, 64, 3)


def mobilenet_v5():
    """With a stage of attention over the image's own, pooled keys."""
    model = models.MobileNetV5Backbone(
        stackwise_block_types=[["er"], ["uir", "uir"], ["mqa", "uir"]],
        stackwise_num_blocks=[1, 2, 2],
        stackwise_num_filters=[[24], [24, 24], [24, 24]],
        stackwise_strides=[[2], [2, 1], [1, 1]],
        stackwise_act_layers=[["gelu"], ["gelu", "gelu"], ["gelu", "gelu"]],
        stackwise_exp_ratios=[[4.0], [4.0, 4.0], [4.0, 4.0]],
        stackwise_se_ratios=[[0.0], [0.0, 0.0], [0.0, 0.0]],
        stackwise_dw_kernel_sizes=[[0], [5, 0], [5, 0]],
        stackwise_dw_start_kernel_sizes=[[0], [5, 0], [0, 0]],
        stackwise_dw_end_kernel_sizes=[[0], [0, 0], [0, 0]],
        stackwise_exp_kernel_sizes=[[3], [0, 0], [0, 0]],
        stackwise_pw_kernel_sizes=[[1], [0, 0], [0, 0]],
        stackwise_num_heads=[[0], [0, 0], [2, 0]],
        stackwise_key_dims=[[0], [0, 0], [16, 0]],
        stackwise_value_dims=[[0], [0, 0], [16, 0]],
        stackwise_kv_strides=[[0], [0, 0], [2, 0]],
        stackwise_use_cpe=[[False], [False, False], [False, False]],
        stem_size=24,
        num_features=32,
        msfa_output_resolution=4,
        layer_scale_init_value=0.1,
        image_shape=(64, 64, 3),
    )
    return _image(model, 64, 64, 3)


def mobilenet():
    model = models.MobileNetBackbone(
        stackwise_expansion=[[24, 32], [48, 48]],
        stackwise_num_blocks=[2, 2],
        stackwise_num_filters=[[16, 16], [24, 24]],
        stackwise_kernel_size=[[3, 3], [5, 5]],
        stackwise_num_strides=[[2, 1], [2, 1]],
        stackwise_se_ratio=[[None, None], [0.25, 0.25]],
        stackwise_activation=[["relu", "relu"], ["hard_swish", "hard_swish"]],
        stackwise_padding=[[1, 1], [2, 2]],
        output_num_filters=48,
        depthwise_filters=16,
        depthwise_stride=1,
        depthwise_residual=True,
        last_layer_filter=48,
        squeeze_and_excite=0.5,
        image_shape=(64, 64, 3),
    )
    return _image(model, 64, 64, 3)


def depth_anything():
    encoder = models.DINOV2Backbone(
        patch_size=8,
        num_layers=4,
        hidden_dim=32,
        num_heads=2,
        intermediate_dim=64,
        image_shape=(64, 64, 3),
        position_embedding_shape=(64, 64, 3),
        apply_layernorm=True,
    )
    backbone = models.DepthAnythingBackbone(
        encoder,
        reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_dims=[8, 12, 16, 24],
        fusion_hidden_dim=16,
        head_hidden_dim=8,
        head_in_index=-1,
        feature_keys=["stage1", "stage2", "stage3", "stage4"],
    )
    return _image(models.DepthAnythingDepthEstimator(backbone, depth_estimation_type="relative"), 64, 64, 3)


def vae():
    """The autoencoder of Stable Diffusion 3, its latent taken at the mean."""
    from keras_hub.src.models.vae.vae_backbone import VAEBackbone

    vae = VAEBackbone([32, 64], [1, 1], [64, 32], [1, 1], sampler_method="mode", sample_channels=8)
    inputs = keras.Input((32, 32, 3))
    return _image(keras.Model(inputs, vae(inputs)), 32, 32, 3)


def mmdit():
    """The diffusion transformer of Stable Diffusion 3: image and text in one attention."""
    from keras_hub.src.models.stable_diffusion_3.mmdit import MMDiT

    model = MMDiT(
        patch_size=2,
        hidden_dim=32,
        num_layers=2,
        num_heads=2,
        position_size=16,
        latent_shape=(16, 16, 4),
        context_shape=(8, 24),
        pooled_projection_shape=(16,),
    )
    x = {
        "latent": normal(16, 16, 4),
        "context": normal(8, 24),
        "pooled_projection": normal(16),
        "timestep": np.random.default_rng(0).uniform(0, 1000, (32, 1)).astype("float32"),
    }
    return settle(model, x), x


MODELS = (
    bert,
    distil_bert,
    albert,
    deberta,
    gpt2,
    gemma,
    llama,
    t5,
    whisper,
    vit,
    deit,
    swin,
    segformer,
    deeplab_v3,
    retinanet,
    d_fine,
    sam,
    clip,
    cspnet,
    mobilenet_v5,
    mobilenet,
    depth_anything,
    vae,
    mmdit,
)
