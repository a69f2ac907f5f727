"""A tiny SAM2 with random weights, saved as its image and as its video model, and a tiny tracker of SAM3."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def sam2_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders by their ``model_type``; that of ``sam2_video`` has what published checkpoints of SAM2 hold."""
    import torch
    from transformers import (
        Sam2Config,
        Sam2ImageProcessor,
        Sam2Model,
        Sam2Processor,
        Sam2VideoConfig,
        Sam2VideoModel,
        Sam2VideoProcessor,
        Sam2VideoVideoProcessor,
        Sam3ImageProcessor,
        Sam3TrackerConfig,
        Sam3TrackerModel,
        Sam3TrackerProcessor,
    )

    side = {"height": 64, "width": 64}
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 16, "image_size": [64, 64],
        "window_positional_embedding_background_size": [4, 4], "blocks_per_stage": [1, 2, 2, 1],
        "embed_dim_per_stage": [16, 32, 64, 128], "num_attention_heads_per_stage": [1, 1, 2, 4],
        "window_size_per_stage": [4, 2, 4, 2], "global_attention_blocks": [4],
    }  # fmt: skip
    vision = {
        "model_type": "sam2_vision_model", "backbone_config": backbone, "backbone_channel_list": [128, 64, 32, 16],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]], "fpn_hidden_size": 128,
    }  # fmt: skip
    prompt = {"hidden_size": 128, "image_size": 64}
    decoder = {"hidden_size": 128, "mlp_dim": 64, "num_attention_heads": 4, "iou_head_hidden_dim": 32}
    parts = {"vision_config": vision, "prompt_encoder_config": prompt, "mask_decoder_config": decoder}
    memory = {
        "image_size": 64, "num_maskmem": 3, "max_object_pointers_in_encoder": 4, "memory_attention_hidden_size": 128,
        "memory_attention_num_layers": 1, "memory_attention_feed_forward_hidden_size": 64,
        "memory_attention_rope_feat_sizes": [4, 4], "memory_encoder_hidden_size": 128,
        "memory_encoder_output_channels": 64, "mask_downsampler_embed_dim": 128, "memory_fuser_embed_dim": 128,
        "memory_fuser_intermediate_dim": 64,
    }  # fmt: skip
    vit = {
        "model_type": "sam3_vit_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": 56, "patch_size": 14, "window_size": 2, "global_attn_indexes": [1],
        "pretrain_image_size": 28,
    }  # fmt: skip
    third = {
        "vision_config": {
            "model_type": "sam3_vision_model", "backbone_config": vit, "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        "prompt_encoder_config": {"hidden_size": 32, "image_size": 56, "patch_size": 14},
        "mask_decoder_config": {**decoder, "hidden_size": 32},
    }  # fmt: skip
    torch.manual_seed(0)
    pictures = Sam2ImageProcessor(size=side, mask_size={"height": 16, "width": 16})
    made = {
        "sam2": (Sam2Model(Sam2Config(**parts)), Sam2Processor(pictures)),
        "sam2_video": (
            Sam2VideoModel(Sam2VideoConfig(**parts, **memory)),
            Sam2VideoProcessor(pictures, Sam2VideoVideoProcessor(size=side)),
        ),
        "sam3_tracker": (
            Sam3TrackerModel(Sam3TrackerConfig(**third)),
            Sam3TrackerProcessor(Sam3ImageProcessor(size={"height": 56, "width": 56})),
        ),
    }
    folders = {}
    for name, (model, processor) in made.items():
        folders[name] = tmp_path_factory.mktemp(name)
        for part in model.modules():  # with the usual small weights a mask hardly depends on what is asked
            if isinstance(part, torch.nn.Linear | torch.nn.Embedding):
                torch.nn.init.normal_(part.weight, std=0.2)
        model.save_pretrained(folders[name])
        processor.save_pretrained(folders[name])
    return folders
