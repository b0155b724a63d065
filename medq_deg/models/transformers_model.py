"""Vision-language models through transformers: any checkpoint that AutoModelForImageTextToText loads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig

from medq_deg.errors import MedqDegError
from medq_deg.models.base import Query, Reply

_END = 1 << 20

SAMPLING = {
    "do_sample": True,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "repetition_penalty": 1.0,
}
"""The model's own distribution. All explicit: transformers cuts to 50 tokens by default, checkpoints set their own."""


def _content_hash(folder: Path) -> str | None:
    """Return a hash that tells local checkpoints apart: names, sizes, and both ends of each file."""
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_END))
            file.seek(max(path.stat().st_size - _END, 0))
            digest.update(file.read(_END))
    return digest.hexdigest()[:16]


class TransformersModel:
    """A transformers vision-language model as a `medq_deg.models.base.Model`.

    Parameters
    ----------
    name : str
        A local folder or a Hub id.
    max_new_tokens : int
        Longest answer in tokens.
    dtype : str
        Name of a torch dtype, or "auto" for the checkpoint's.
    device : str
        torch device; "auto" takes the first GPU if there is one.

    Raises
    ------
    MedqDegError
        If the model cannot be loaded.
    """

    def __init__(self, name: str, *, max_new_tokens: int = 32, dtype: str = "auto", device: str = "auto") -> None:
        self.name = name
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        if max_new_tokens < 1:
            raise MedqDegError(f"max_new_tokens must be 1 or more, got {max_new_tokens}")
        try:
            self.processor = AutoProcessor.from_pretrained(name)
            model = AutoModelForImageTextToText.from_pretrained(name, dtype=dtype)
        except (OSError, ValueError, SafetensorError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise MedqDegError(f"model {name!r} cannot be loaded as an image-text-to-text model: {reason}") from error
        if not getattr(self.processor, "chat_template", None):
            raise MedqDegError(f"model {name!r} has no chat template, which is needed to show it picture and question")
        self.model = model.to(self.device).eval()
        own = self.model.generation_config
        self.model.generation_config = GenerationConfig(
            **SAMPLING,
            max_new_tokens=max_new_tokens,
            eos_token_id=own.eos_token_id,
            bos_token_id=own.bos_token_id,
            pad_token_id=own.pad_token_id if own.pad_token_id is not None else self.processor.tokenizer.pad_token_id,
        )

    def describe(self) -> dict[str, Any]:
        """Return name, architecture, revision, dtype and generation settings."""
        config = self.model.config
        return {
            "name": Path(self.name).name if Path(self.name).exists() else self.name,
            "architecture": type(self.model).__name__,
            "revision": getattr(config, "_commit_hash", None) or _content_hash(Path(self.name)),
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "generation": {**SAMPLING, "max_new_tokens": self.model.generation_config.max_new_tokens},
            # What the checkpoint's own config says of itself, such as that it is an untrained demo model.
            **({"note": config.medq_deg_note} if getattr(config, "medq_deg_note", None) else {}),
        }

    def answer(self, queries: Sequence[Query], trials: int) -> list[Reply]:
        """Sample `trials` answers to each query, each from the seed of its own row."""
        return [self._answer(query, trials) for query in queries]

    def _answer(self, query: Query, trials: int) -> Reply:
        content = [{"type": "image", "image": query.image.convert("RGB")}, {"type": "text", "text": query.prompt}]
        inputs = self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self.device, dtype=self.model.dtype)
        # generate() draws from torch's global generator: seed it for this row, then give the caller's state back.
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else []
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(query.seed)
            output = self.model.generate(**inputs, num_return_sequences=trials)
        new = output[:, inputs["input_ids"].shape[1] :]
        return Reply(texts=tuple(self.processor.batch_decode(new, skip_special_tokens=True)))
