"""Tiny vision-language models with random weights, of every architecture that is evaluated natively.

`save(name, folder)` writes a checkpoint as the Hub has them: weights, tokenizer, chat template, and the configuration
of the image and video processors under the class names that published checkpoints use. Nothing is downloaded.
Images of different shape have different numbers of tokens, except in the families that resize to one square.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

END = "<|im_end|>"
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

JSON = dict[str, Any]
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
DECODER: JSON = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    # Random tied weights would repeat the last token for ever.
    "tie_word_embeddings": False,
}
VISION: JSON = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
DEEP_VISION: JSON = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}


@dataclass(frozen=True)
class Checkpoint:
    """A model, its tokenizer, and the JSON files that say how images become tokens."""

    model: Any
    tokenizer: PreTrainedTokenizerFast
    files: dict[str, JSON]


@dataclass
class Vocabulary:
    """A byte-level tokenizer without merges: 256 bytes, then the family's special tokens."""

    special: list[str]
    named: dict[str, str] = field(default_factory=dict)
    tokenizer: PreTrainedTokenizerFast = field(init=False)

    def __post_init__(self) -> None:
        special = ["<pad>", "<bos>", "<unk>", "<|im_start|>", END, *self.special]
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {token: number for number, token in enumerate([*special, *alphabet])}
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            pad_token="<pad>",
            bos_token="<bos>",
            eos_token=END,
            unk_token="<unk>",
            padding_side="left",
            extra_special_tokens=self.named or None,
        )

    def __getitem__(self, token: str) -> int:
        return int(self.tokenizer.convert_tokens_to_ids(token))

    def decoder(self, **settings: Any) -> JSON:
        """The configuration of a decoder over this vocabulary."""
        ids = {f"{name}_token_id": self[token] for name, token in (("pad", "<pad>"), ("bos", "<bos>"), ("eos", END))}
        return {**DECODER, "vocab_size": len(self.tokenizer), **ids, **settings}


def _checkpoint(
    architecture: str,
    config: JSON,
    vocabulary: Vocabulary,
    image_token: str,
    image: JSON,
    *,
    processor: str,
    processor_settings: JSON | None = None,
    video: JSON | None = None,
) -> Checkpoint:
    """Build the model of a configuration and the files that belong to it."""
    model = getattr(transformers, f"{architecture}ForConditionalGeneration")(
        getattr(transformers, f"{architecture}Config")(**config, tie_word_embeddings=False)
    )
    with torch.no_grad():
        # Peaked enough that the answer depends on the image, flat enough that ten samples differ.
        model.get_output_embeddings().weight.mul_(8)
        for parameter in model.parameters():
            # Gemma 3's projector starts at zero: blind until trained.
            if parameter.ndim > 1 and not parameter.any():
                parameter.normal_(std=0.02)
    # One end token in 280 would hardly ever be sampled: every tenth token ends the answer.
    model.generation_config = transformers.GenerationConfig(
        pad_token_id=vocabulary["<pad>"],
        bos_token_id=vocabulary["<bos>"],
        eos_token_id=[vocabulary[END], *range(20, len(vocabulary.tokenizer), 10)],
    )
    vocabulary.tokenizer.chat_template = CHATML.replace("IMAGE", image_token)
    files = {"preprocessor_config.json": {**image, "processor_class": processor}}
    if video is not None:
        files["video_preprocessor_config.json"] = {**video, "processor_class": processor}
    if processor_settings is not None:
        files["processor_config.json"] = {**processor_settings, "processor_class": processor}
    return Checkpoint(model, vocabulary.tokenizer, files)


QWEN_TOKENS = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"


def _qwen(
    architecture: str,
    patch: int,
    image_processor: str,
    vision: JSON,
    text: JSON,
    *,
    pixels: bool,
    most_pixels: int = 64 * 14**2,
) -> Checkpoint:
    """Build a Qwen-VL; `pixels` as min_pixels and max_pixels, the older checkpoints' way to say it."""
    vocabulary = Vocabulary(QWEN_TOKENS)
    generation = architecture.removesuffix("Moe")
    limits = [4 * patch**2, most_pixels]
    size = dict(zip(("min_pixels", "max_pixels") if pixels else ("shortest_edge", "longest_edge"), limits, strict=True))
    image = {
        "patch_size": patch,
        "temporal_patch_size": 2,
        "merge_size": 2,
        **HALF,
        **(size if pixels else {"size": size}),
    }
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    config = {
        "text_config": vocabulary.decoder(**{**text, "rope_parameters": {**rope, **text.get("rope_parameters", {})}}),
        "vision_config": {"patch_size": patch, "spatial_merge_size": 2, **vision},
        "image_token_id": vocabulary["<|image_pad|>"],
        "video_token_id": vocabulary["<|video_pad|>"],
        "vision_start_token_id": vocabulary["<|vision_start|>"],
        "vision_end_token_id": vocabulary["<|vision_end|>"],
    }
    return _checkpoint(
        architecture,
        config,
        vocabulary,
        QWEN_IMAGE,
        {"image_processor_type": image_processor, **image},
        processor=f"{generation}Processor",
        video={"video_processor_type": "Qwen3VLVideoProcessor" if patch == 16 else "Qwen2VLVideoProcessor", **image},
    )


def qwen2_vl() -> Checkpoint:
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 64, "mlp_ratio": 2, "num_heads": 2}
    return _qwen("Qwen2VL", 14, "Qwen2VLImageProcessor", vision, {}, pixels=True)


def qwen2_5_vl(vision: JSON | None = None, text: JSON | None = None, most_pixels: int = 64 * 14**2) -> Checkpoint:
    """Build a Qwen2.5-VL; benchmarks give other sizes."""
    vision = {**DEEP_VISION, "window_size": 56, "fullatt_block_indexes": [1], **(vision or {})}
    text = text or {}
    return _qwen("Qwen2_5_VL", 14, "Qwen2VLImageProcessor", vision, text, pixels=True, most_pixels=most_pixels)


QWEN3_VISION = {**DEEP_VISION, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]}
QWEN3_TEXT: JSON = {"head_dim": 16, "rope_parameters": {"mrope_interleaved": True}}
EXPERTS = {"moe_intermediate_size": 32, "num_experts_per_tok": 2}


def qwen3_vl() -> Checkpoint:
    return _qwen("Qwen3VL", 16, "Qwen2VLImageProcessorFast", QWEN3_VISION, QWEN3_TEXT, pixels=False)


def qwen3_vl_moe() -> Checkpoint:
    text = {**QWEN3_TEXT, **EXPERTS, "num_experts": 4}
    return _qwen("Qwen3VLMoe", 16, "Qwen2VLImageProcessorFast", QWEN3_VISION, text, pixels=False)


def _glm(architecture: str, text: JSON) -> Checkpoint:
    marks = ["image", "begin_of_image", "end_of_image", "video", "begin_of_video", "end_of_video"]
    vocabulary = Vocabulary([f"<|{mark}|>" for mark in marks])
    names = ["image", "image_start", "image_end", "video", "video_start", "video_end"]
    rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5, "mrope_section": [2, 1, 1]}
    # GLM counts the two frames that an image is doubled to.
    size = {"shortest_edge": 2 * 28**2, "longest_edge": 2 * 16 * 28**2}
    image = {"size": size, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2, **HALF}
    config = {
        "text_config": vocabulary.decoder(rope_parameters=rope, **text),
        "vision_config": {**DEEP_VISION, "image_size": 56, "patch_size": 14, "spatial_merge_size": 2},
        **{f"{name}_token_id": vocabulary[f"<|{mark}|>"] for name, mark in zip(names, marks, strict=True)},
    }
    return _checkpoint(
        architecture,
        config,
        vocabulary,
        "<|begin_of_image|><|image|><|end_of_image|>",
        {"image_processor_type": "Glm4vImageProcessor", **image},
        processor="Glm4vProcessor",
        video={"video_processor_type": "Glm4vVideoProcessor", **image},
    )


def glm4v() -> Checkpoint:
    return _glm("Glm4v", {})


def glm4v_moe() -> Checkpoint:
    return _glm("Glm4vMoe", {**EXPERTS, "n_routed_experts": 4, "n_shared_experts": 1, "first_k_dense_replace": 1})


def internvl() -> Checkpoint:
    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    vocabulary = Vocabulary(list(named.values()), named)
    image = {"size": {"height": 28, "width": 28}, "crop_to_patches": True, "min_patches": 1, "max_patches": 6, **HALF}
    config = {
        "text_config": vocabulary.decoder(model_type="qwen2"),
        "vision_config": {**VISION, "image_size": [28, 28], "patch_size": [7, 7]},
        "image_token_id": vocabulary["<IMG_CONTEXT>"],
        "image_seq_length": 4,
        "downsample_ratio": 0.5,
    }
    return _checkpoint(
        "InternVL",
        config,
        vocabulary,
        "<IMG_CONTEXT>\n",
        {"image_processor_type": "GotOcr2ImageProcessorFast", **image},
        processor="InternVLProcessor",
        processor_settings={"image_seq_length": 4},
        video={"video_processor_type": "InternVLVideoProcessor", "size": image["size"], **HALF},
    )


def gemma3() -> Checkpoint:
    named = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    vocabulary = Vocabulary(list(named.values()), named)
    text = {
        "head_dim": 16,
        "query_pre_attn_scalar": 16,
        "sliding_window": 16,
        "layer_types": ["sliding_attention", "full_attention"],
    }
    config = {
        "text_config": vocabulary.decoder(**text),
        "vision_config": {**VISION, "image_size": 28, "patch_size": 7, "vision_use_head": False},
        "mm_tokens_per_image": 4,
        "boi_token_index": vocabulary["<start_of_image>"],
        "eoi_token_index": vocabulary["<end_of_image>"],
        "image_token_index": vocabulary["<image_soft_token>"],
        "eos_token_id": vocabulary[END],
    }
    return _checkpoint(
        "Gemma3",
        config,
        vocabulary,
        "<start_of_image>",
        {"image_processor_type": "Gemma3ImageProcessor", "size": {"height": 28, "width": 28}, **HALF},
        processor="Gemma3Processor",
        processor_settings={"image_seq_length": 4},
    )


def _idefics(architecture: str, *, video: JSON | None = None) -> Checkpoint:
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    around = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", "<video>"]
    vocabulary = Vocabulary([*around, *tiles])
    config = {
        "text_config": vocabulary.decoder(model_type="llama"),
        "vision_config": {**VISION, "image_size": 32, "patch_size": 8},
        "image_token_id": vocabulary["<image>"],
        "pad_token_id": vocabulary["<pad>"],
        "scale_factor": 2,
    }
    image = {"size": {"longest_edge": 96}, "max_image_size": {"longest_edge": 32}, "do_image_splitting": True, **HALF}
    return _checkpoint(
        architecture,
        config,
        vocabulary,
        "<image>",
        {"image_processor_type": f"{architecture}ImageProcessor", **image},
        processor=f"{architecture}Processor",
        processor_settings={"image_seq_len": 4},
        video=video,
    )


def idefics3() -> Checkpoint:
    return _idefics("Idefics3")


def smolvlm() -> Checkpoint:
    sampling = {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 32}}
    video = {"size": {"longest_edge": 32}, "max_image_size": {"longest_edge": 32}, "video_sampling": sampling, **HALF}
    return _idefics("SmolVLM", video={"video_processor_type": "SmolVLMVideoProcessor", **video})


def mistral3() -> Checkpoint:
    vocabulary = Vocabulary(["[IMG]", "[IMG_BREAK]", "[IMG_END]"])
    config = {
        "text_config": vocabulary.decoder(model_type="mistral", head_dim=16),
        "vision_config": {"model_type": "pixtral", **VISION, "head_dim": 16, "image_size": 112, "patch_size": 14},
        "image_token_index": vocabulary["[IMG]"],
        "spatial_merge_size": 2,
    }
    image = {"size": {"longest_edge": 112}, "patch_size": {"height": 14, "width": 14}, **HALF}
    return _checkpoint(
        "Mistral3",
        config,
        vocabulary,
        "[IMG]",
        {"image_processor_type": "PixtralImageProcessorFast", **image},
        processor="PixtralProcessor",
        processor_settings={"patch_size": 14, "spatial_merge_size": 2, "image_token": "[IMG]"},
    )


def janus() -> Checkpoint:
    named = {
        "image_token": "<image_placeholder>",
        "boi_token": "<begin_of_image>",
        "eoi_token": "<end_of_image>",
    }
    vocabulary = Vocabulary(list(named.values()), named)
    vision = {"image_size": 32, "patch_size": 8, "mlp_ratio": 2.0, "projection_dim": 64, "num_image_tokens": 16}
    # The half that draws images is never run.
    drawing = {
        "embed_dim": 8,
        "num_embeddings": 16,
        "latent_channels": 32,
        "base_channels": 32,
        "channel_multiplier": [1, 1],
        "num_res_blocks": 1,
        "num_patches": 4,
        "projection_dim": 64,
        "image_token_embed_dim": 64,
    }
    config = {
        "text_config": vocabulary.decoder(model_type="llama"),
        "vision_config": {**VISION, **vision},
        "vq_config": drawing,
        "image_token_id": vocabulary["<image_placeholder>"],
    }
    return _checkpoint(
        "Janus",
        config,
        vocabulary,
        "<image_placeholder>",
        {"image_processor_type": "JanusImageProcessor", "size": {"height": 32, "width": 32}, **HALF},
        processor="JanusProcessor",
        processor_settings={"num_image_tokens": 16, "use_default_system_prompt": False},
    )


def llava() -> Checkpoint:
    vocabulary = Vocabulary(["<image>"])
    config = {
        "text_config": vocabulary.decoder(model_type="llama"),
        "vision_config": {"model_type": "clip_vision_model", **VISION, "image_size": 28, "patch_size": 7},
        "image_token_index": vocabulary["<image>"],
        "image_seq_length": 16,
    }
    image = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}, **HALF}
    settings = {"patch_size": 7, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    return _checkpoint(
        "Llava",
        config,
        vocabulary,
        "<image>\n",
        {"image_processor_type": "CLIPImageProcessor", **image},
        processor="LlavaProcessor",
        processor_settings={**settings, "image_token": "<image>"},
    )


def llava_onevision() -> Checkpoint:
    vocabulary = Vocabulary(["<image>", "<video>"])
    pinpoints = [[28 * rows, 28 * columns] for rows in (1, 2, 3) for columns in (1, 2, 3)]
    config = {
        "text_config": vocabulary.decoder(model_type="qwen2"),
        "vision_config": {
            "model_type": "siglip_vision_model",
            **VISION,
            "image_size": 28,
            "patch_size": 7,
            "vision_use_head": False,
        },
        "image_token_index": vocabulary["<image>"],
        "video_token_index": vocabulary["<video>"],
        "image_grid_pinpoints": pinpoints,
        "vision_aspect_ratio": "anyres_max_9",
    }
    size = {"height": 28, "width": 28}
    settings = {"num_image_tokens": 16, "vision_feature_select_strategy": "full", "vision_aspect_ratio": "anyres_max_9"}
    return _checkpoint(
        "LlavaOnevision",
        config,
        vocabulary,
        "<image>\n",
        {
            "image_processor_type": "LlavaOnevisionImageProcessor",
            "size": size,
            "image_grid_pinpoints": pinpoints,
            **HALF,
        },
        processor="LlavaOnevisionProcessor",
        processor_settings={**settings, "image_token": "<image>", "video_token": "<video>"},
        video={"video_processor_type": "LlavaOnevisionVideoProcessor", "size": size, **HALF},
    )


FAMILIES: dict[str, Callable[[], Checkpoint]] = {
    build.__name__: build
    for build in (
        qwen2_vl,
        qwen2_5_vl,
        qwen3_vl,
        qwen3_vl_moe,
        internvl,
        glm4v,
        glm4v_moe,
        gemma3,
        idefics3,
        mistral3,
        janus,
        llava,
        llava_onevision,
        smolvlm,
    )
}


def save(name: str, folder: Path) -> Path:
    """Write the family's checkpoint, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        checkpoint = FAMILIES[name]()
    checkpoint.model.save_pretrained(folder)
    save_processor(checkpoint, folder)
    return folder


def save_processor(checkpoint: Checkpoint, folder: Path) -> None:
    """Write everything but the weights and their configuration."""
    checkpoint.tokenizer.save_pretrained(folder)
    for file, content in checkpoint.files.items():
        (folder / file).write_text(json.dumps(content, indent=2), encoding="utf-8")
