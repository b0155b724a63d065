"""A tiny Qwen2-VL with random weights as llama.cpp reads it: a language model and a vision part, 0.8 MB in all.

Run as ``python -m tests.engines.tiny_gguf FOLDER``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import numpy as np

SPECIAL = (
    "<pad>",
    "<bos>",
    "<unk>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
)
WIDTH, INNER, HEADS, KV_HEADS, BLOCKS = 64, 128, 4, 2, 2
EYE_WIDTH, EYE_INNER, EYE_HEADS, EYE_BLOCKS, PATCH = 32, 64, 2, 4, 14
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_letters() -> list[str]:
    """The letters by which a byte-level vocabulary writes the 256 bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in shown]
    letters = {byte: chr(byte) for byte in shown} | {byte: chr(256 + place) for place, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


class Weights:
    """Random weights, always the same."""

    def __init__(self, writer: gguf.GGUFWriter, seed: int) -> None:
        self.writer, self.rng = writer, np.random.default_rng(seed)

    def linear(self, name: str, wide: int, high: int, *, bias: bool = True) -> None:
        self.writer.add_tensor(f"{name}.weight", self.draw(high, wide) / wide**0.5)
        if bias:
            self.writer.add_tensor(f"{name}.bias", 0.02 * self.draw(high))

    def norm(self, name: str, wide: int, *, bias: bool) -> None:
        self.writer.add_tensor(f"{name}.weight", np.ones(wide, np.float32))
        if bias:
            self.writer.add_tensor(f"{name}.bias", np.zeros(wide, np.float32))

    def draw(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(np.float32)


def write_language(path: Path) -> None:
    writer = gguf.GGUFWriter(path, "qwen2vl")
    writer.add_type("model")
    writer.add_name("tiny")
    writer.add_block_count(BLOCKS)
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_sections([2, 3, 3, 0])
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens = [*SPECIAL, *byte_letters(), "th"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    control, normal = int(gguf.TokenType.CONTROL), int(gguf.TokenType.NORMAL)
    writer.add_token_types([control] * len(SPECIAL) + [normal] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(["t h"])  # llama.cpp wants one
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(4)
    writer.add_unk_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_chat_template(TEMPLATE)
    weights = Weights(writer, 0)
    narrow = WIDTH // HEADS * KV_HEADS
    weights.linear("token_embd", WIDTH, len(tokens), bias=False)
    for block in range(BLOCKS):
        name = f"blk.{block}"
        weights.norm(f"{name}.attn_norm", WIDTH, bias=False)
        weights.norm(f"{name}.ffn_norm", WIDTH, bias=False)
        weights.linear(f"{name}.attn_q", WIDTH, WIDTH)
        weights.linear(f"{name}.attn_k", WIDTH, narrow)
        weights.linear(f"{name}.attn_v", WIDTH, narrow)
        weights.linear(f"{name}.attn_output", WIDTH, WIDTH, bias=False)
        weights.linear(f"{name}.ffn_gate", WIDTH, INNER, bias=False)
        weights.linear(f"{name}.ffn_up", WIDTH, INNER, bias=False)
        weights.linear(f"{name}.ffn_down", INNER, WIDTH, bias=False)
    weights.norm("output_norm", WIDTH, bias=False)
    weights.linear("output", WIDTH, len(tokens), bias=False)
    _finish(writer)


def write_vision(path: Path) -> None:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("qwen2vl_merger")
    writer.add_vision_projection_dim(WIDTH)
    writer.add_vision_image_size(560)
    writer.add_vision_patch_size(PATCH)
    writer.add_vision_embedding_length(EYE_WIDTH)
    writer.add_vision_feed_forward_length(EYE_INNER)
    writer.add_vision_block_count(EYE_BLOCKS)
    writer.add_vision_head_count(EYE_HEADS)
    writer.add_vision_attention_layernorm_eps(1e-6)
    writer.add_vision_image_mean([0.5] * 3)
    writer.add_vision_image_std([0.5] * 3)
    weights = Weights(writer, 1)
    for name in ("v.patch_embd.weight", "v.patch_embd.weight.1"):  # one for each of two frames
        writer.add_tensor(name, weights.draw(EYE_WIDTH, 3, PATCH, PATCH) / (3 * PATCH**2) ** 0.5)
    for block in range(EYE_BLOCKS):
        name = f"v.blk.{block}"
        weights.norm(f"{name}.ln1", EYE_WIDTH, bias=True)
        weights.norm(f"{name}.ln2", EYE_WIDTH, bias=True)
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            weights.linear(f"{name}.{part}", EYE_WIDTH, EYE_WIDTH)
        weights.linear(f"{name}.ffn_up", EYE_WIDTH, EYE_INNER)
        weights.linear(f"{name}.ffn_down", EYE_INNER, EYE_WIDTH)
    weights.norm("v.post_ln", EYE_WIDTH, bias=True)
    weights.linear("mm.0", 4 * EYE_WIDTH, 4 * EYE_WIDTH)
    weights.linear("mm.2", 4 * EYE_WIDTH, WIDTH)
    _finish(writer)


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.add_file_type(int(gguf.LlamaFileType.ALL_F32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_language(folder / "tiny.gguf")
    write_vision(folder / "mmproj.gguf")
