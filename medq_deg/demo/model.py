"""A tiny vision-language model of a real architecture (LLaVA), built on the spot, to show the software at work.

It is UNTRAINED: weights are random, except that its output is wired to say one letter from A to E and stop. It sees the
picture and the question, and knows nothing: its accuracy is chance.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import cached_assets_path
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPImageProcessorPil,
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

NOTE = "untrained demo model: random weights, answers with a random letter, accuracy is chance"

_SPECIAL = ["<pad>", "<bos>", "<eos>", "<unk>", "<image>", "<|user|>", "<|assistant|>"]
_CHAT = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}{{ '<image>' }}{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_WIDTH, _LAYERS, _HEADS = 64, 2, 4
_SIDE, _PATCH = 56, 14
_LETTERS = "ABCDE"


def demo_model() -> Path:
    """Return the folder of the demo model, built at the first call and kept in the Hugging Face assets cache."""
    version = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    folder = cached_assets_path("medq-deg", namespace="demo-model", subfolder=version) / "untrained-llava"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            build(Path(temporary) / "model")
            if not folder.exists():  # another process may have been quicker
                shutil.move(Path(temporary) / "model", folder)
    return folder


def build(folder: Path, seed: int = 0) -> None:
    """Build model, tokenizer and processor, and save them as a checkpoint that transformers' auto classes load."""
    tokenizer = _tokenizer()
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": _SIDE}, crop_size={"height": _SIDE, "width": _SIDE}
        ),
        tokenizer=tokenizer,
        patch_size=_PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_CHAT,
    )
    sizes: dict[str, Any] = {
        "hidden_size": _WIDTH,
        "intermediate_size": 2 * _WIDTH,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS,
    }
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = LlavaConfig(
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), **sizes, **ids},
        vision_config={
            "model_type": "clip_vision_model",
            "image_size": _SIDE,
            "patch_size": _PATCH,
            "projection_dim": _WIDTH,
            **sizes,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
    )
    config.medq_deg_note = NOTE
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
    _wire(model, tokenizer)
    model.generation_config = GenerationConfig(do_sample=True, top_k=0, **ids)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level tokenizer without merges: one token a byte, nothing to download."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate([*_SPECIAL, *alphabet])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in _SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="left",
    )


def _wire(model: LlavaForConditionalGeneration, tokenizer: PreTrainedTokenizerFast) -> None:
    """Make the model say one letter, then stop, and leave everything else random.

    The last two dimensions of the residual stream are set aside: every token's embedding raises one of them (a
    letter's raises the last, any other's the one before), no layer writes to them, and the output head reads them.
    """
    letters = [tokenizer.convert_tokens_to_ids(letter) for letter in _LETTERS]
    ask, stop = _WIDTH - 2, _WIDTH - 1
    language = model.model.language_model
    with torch.no_grad():
        embedding = language.embed_tokens.weight
        embedding[:, ask], embedding[:, stop] = 1.0, 0.0
        embedding[letters, ask], embedding[letters, stop] = 0.0, 1.0
        for layer in language.layers:
            for output in (layer.self_attn.o_proj, layer.mlp.down_proj):
                output.weight[[ask, stop]] = 0.0
        head = model.lm_head.weight
        head.mul_(10)  # random logits of a useful size: votes agree in some rows, not in others
        head[:, [ask, stop]] = 0.0
        head[letters, ask] = 6.0
        head[tokenizer.eos_token_id, stop] = 12.0
