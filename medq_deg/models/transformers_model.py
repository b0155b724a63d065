"""Vision-language models through transformers: any checkpoint that AutoModelForImageTextToText loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig

from medq_deg.errors import MedqDegError
from medq_deg.models.base import Query, Reply

SAMPLING = {
    "do_sample": True,
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "repetition_penalty": 1.0,
}
"""The model's own distribution. All explicit: transformers cuts to 50 tokens by default, checkpoints set their own."""


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
        try:
            self.processor = AutoProcessor.from_pretrained(name)
            model = AutoModelForImageTextToText.from_pretrained(name, dtype=dtype)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise MedqDegError(f"model {name!r} cannot be loaded as an image-text-to-text model: {reason}") from error
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
            "revision": getattr(config, "_commit_hash", None),
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
