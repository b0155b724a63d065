"""Train the demo model, a tiny LLaVA, on crops of one half of each demo image: minutes on two cores.

    python scripts/train_demo_model.py medq_deg/demo/tiny-llava

The other half of each image is not trained on: `--report validation` is for those who change this script, and
`--report test` for the figures of the model card, once the script is as it will stay. The same seed gives the same
weights on one machine; another machine, or another torch, may differ in the last bits and so in single answers.
"""

from __future__ import annotations

import argparse
import math
import random
import shutil
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPImageProcessorPil,
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from medq_deg import degrade
from medq_deg.data.schema import LETTERS, row_seed
from medq_deg.demo.crops import KINDS, MOST_OPTIONS, Fact, Part, crop_questions, draw_options, facts, read_part
from medq_deg.demo.model import demo_model
from medq_deg.models.prompts import build_prompt
from medq_deg.models.transformers_model import SAMPLING
from medq_deg.taxonomy import applicable

NOTE = "a tiny demo model trained on crops of the demo pictures: it shows the software at work and knows no medicine"

SIDE, PATCH = 128, 16
COARSE = 5  # how many of the slowest cosines of a patch, along each axis, its filters do not answer to
WIDTH, VISION_LAYERS, LANGUAGE_LAYERS, HEADS = 128, 3, 3, 4
PROBED_LAYER = 2
LINE_BREAK = "Ċ"  # as byte-level tokenizers write it
SPECIAL = ["<pad>", "<bos>", "<|im_start|>", "<|im_end|>", "<image>"]
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] + '\n' }}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>"
    "{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>{{ 'assistant\n' }}{% endif %}"
)

FACTS: defaultdict[str, list[Fact]] = defaultdict(list)
for fact in facts():
    FACTS[fact.image].append(fact)


@dataclass(frozen=True)
class Steps:
    """Length of the three stages in updates, and of what they store in batches."""

    see: int = 400
    read: int = 250
    answer: int = 150
    stored: int = 20
    batch: int = 48


# --- the model -------------------------------------------------------------------------------------------------------


def build_processor(rng: random.Random) -> LlavaProcessor:
    """Return processor and tokenizer; each word that the questions use is about one token."""
    splits = pre_tokenizers.Split(Regex(r" ?[\w-]+|\n|[^\s\w]|\s"), "isolated")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [splits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=640,
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[AddedToken(token, normalized=False, special=True) for token in SPECIAL],
        show_progress=False,
    )
    prompts = [ask(fact, rng, most=5)[0] for fact in facts() for _ in range(20)]
    tokenizer.train_from_iterator([*prompts, *["user\nassistant\n"] * 20], trainer)
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"height": SIDE, "width": SIDE}, do_center_crop=False, do_normalize=False
        ),
        tokenizer=PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            pad_token="<pad>",
            bos_token="<bos>",
            eos_token="<|im_end|>",
            padding_side="left",
        ),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    """Return the model with random weights."""
    sizes = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_attention_heads": HEADS}
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = LlavaConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "num_hidden_layers": LANGUAGE_LAYERS,
            "max_position_embeddings": 512,
            "initializer_range": 0.08,  # about 1 / sqrt(width)
            "tie_word_embeddings": True,
            **sizes,
            **ids,
        },
        vision_config={
            "model_type": "clip_vision_model",
            "num_hidden_layers": VISION_LAYERS,
            "image_size": SIDE,
            "patch_size": PATCH,
            "projection_dim": WIDTH,
            **sizes,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        tie_word_embeddings=True,
        medq_deg_note=NOTE,
        **ids,
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(**SAMPLING, **ids)
    return model


class FineOnly(nn.Module):
    """Takes out of patch filters what answers to the mean of a patch and to slow changes within it.

    A model that may look at grey levels tells the demo's images apart by them alone, and neither noise nor blur
    matters to it. These filters see edges and grain only. Filters keep their shape (count, channels, PATCH, PATCH).
    """

    slow: Tensor

    def __init__(self) -> None:
        super().__init__()
        place = (torch.arange(PATCH) + 0.5) / PATCH
        waves = [torch.cos(math.pi * cycles * place) for cycles in range(COARSE)]
        slow = [torch.outer(a, b).flatten() for i, a in enumerate(waves) for b in waves[: COARSE - i]]
        self.register_buffer("slow", F.normalize(torch.stack(slow), dim=1))  # cosines are orthogonal

    def forward(self, filters: Tensor) -> Tensor:
        """Return the filters without what answers to slow changes."""
        flat = filters.flatten(2)
        return (flat - flat @ self.slow.T @ self.slow).view_as(filters)


def image_tokens(model: LlavaForConditionalGeneration, pixels: Tensor) -> Tensor:
    """Return what the language model gets to see of each image, (N, tokens, width)."""
    return torch.stack(model.model.get_image_features(pixels, return_dict=True).pooler_output)


# --- what it is trained on -------------------------------------------------------------------------------------------


class Crops:
    """Random windows of the images' training parts."""

    def __init__(self, processor: LlavaProcessor, rng: random.Random) -> None:
        self._process = processor.image_processor
        self._rng = rng
        self._parts = {name: read_part(name, "training").convert("RGB") for name in FACTS}
        self._sizes = {name: read_part(name, "validation").size for name in FACTS}
        self.names = list(self._parts)

    def window(self, name: str) -> Image.Image:
        """Return a window of a part that is not blank, perhaps flipped."""
        part, rng = self._parts[name], self._rng
        for _ in range(20):
            # Nearly as large as the parts that are kept, so that fine detail keeps its scale.
            w, h = (rng.uniform(0.85, 1.0) * min(pair) for pair in zip(self._sizes[name], part.size, strict=True))
            x, y = rng.uniform(0, part.width - w), rng.uniform(0, part.height - h)
            found = part.crop((int(x), int(y), int(x + w), int(y + h)))
            if max(high - low for low, high in found.getextrema()) > 60:
                break
        if rng.random() < 0.5:
            found = found.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if rng.random() < 0.5:
            found = found.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        return found

    def batch(self, count: int, generator: torch.Generator) -> tuple[list[str], Tensor]:
        """Return names and pixels. Gain and contrast vary a little; nothing is blurred, no noise is added."""
        names = self._rng.choices(self.names, k=count)
        windows = [self.window(name) for name in names]
        pixels = self._process(windows, return_tensors="pt")["pixel_values"]
        gain, contrast = (torch.empty(count, 1, 1, 1).uniform_(0.85, 1.15, generator=generator) for _ in range(2))
        mean = pixels.mean((1, 2, 3), keepdim=True)
        return names, ((pixels - mean) * contrast + mean * gain).clamp(0, 1)


def ask(fact: Fact, rng: random.Random, most: int) -> tuple[str, list[str], str]:
    """Return the prompt of a question about a fact, its options, and the right letter."""
    options = draw_options(fact, rng, most)
    return build_prompt(rng.choice(KINDS[fact.kind]), options), options, LETTERS[options.index(fact.answer)]


# --- training --------------------------------------------------------------------------------------------------------


class Trainer:
    """The three stages of training; each logs loss and accuracy on what it trains on."""

    def __init__(self, seed: int, steps: Steps, say: Callable[[str], None]) -> None:
        self.rng, self.generator = random.Random(seed), torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.steps, self.say = steps, say
        self.processor = build_processor(self.rng)
        self.tokenizer = self.processor.tokenizer
        self.model = build_model(self.tokenizer).train()
        self.filters = self.model.model.vision_tower.embeddings.patch_embedding
        with torch.no_grad():
            self.filters.weight.mul_(4)  # to about 1 / sqrt(width), as the words
        parametrize.register_parametrization(self.filters, "weight", FineOnly())
        self.crops = Crops(self.processor, self.rng)
        # Linear read-outs of a middle layer, for training only: does an option hold, and which letter does it have?
        self.holds, self.letter = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, MOST_OPTIONS)
        self.language = [
            *self.model.model.language_model.parameters(), *self.holds.parameters(), *self.letter.parameters()
        ]  # fmt: skip
        self.seeing = [
            *self.model.model.vision_tower.parameters(),
            *self.model.model.multi_modal_projector.parameters(),
        ]

    def see(self) -> None:
        """Draw each image's mean token towards the words of its answers, and away from those of other answers."""
        answers = {kind: sorted({fact.answer for fact in facts() if fact.kind == kind}) for kind in KINDS}
        words = {kind: [torch.tensor(self.tokenizer(f" {a}")["input_ids"]) for a in answers[kind]] for kind in KINDS}
        embedding = self.model.get_input_embeddings()
        scale = nn.Parameter(torch.tensor(2.0))

        def loss() -> tuple[Tensor, Tensor]:
            names, pixels = self.crops.batch(self.steps.batch, self.generator)
            seen = F.normalize(image_tokens(self.model, pixels).mean(1), dim=-1)
            losses, right = [], []
            for kind, texts in answers.items():
                known = [(i, fact) for i, name in enumerate(names) for fact in FACTS[name] if fact.kind == kind]
                if known:
                    target = torch.tensor([texts.index(fact.answer) for _, fact in known])
                    said = F.normalize(torch.stack([embedding(tokens).mean(0) for tokens in words[kind]]), dim=-1)
                    scores = scale.exp() * seen[[i for i, _ in known]] @ said.T
                    losses.append(F.cross_entropy(scores, target, reduction="sum"))
                    right.append((scores.argmax(1) == target).float())
            return torch.stack(losses).sum() / len(names), torch.cat(right).mean()

        self._run("see", self.steps.see, [(self.seeing, 1e-3), ([embedding.weight, scale], 1e-3)], loss)

    def read(self) -> None:
        """Teach the language model to answer, with images pooled to a few tokens and stored, which is quick."""
        names, stored = [], []
        with torch.no_grad():
            for _ in range(self.steps.stored):
                some, pixels = self.crops.batch(self.steps.batch, self.generator)
                grid = image_tokens(self.model, pixels).transpose(1, 2).unflatten(2, (SIDE // PATCH, SIDE // PATCH))
                names += some
                stored.append(F.adaptive_avg_pool2d(grid, 2).flatten(2).transpose(1, 2))
        images = torch.cat(stored)

        def loss() -> tuple[Tensor, Tensor]:
            places = [self.rng.randrange(len(names)) for _ in range(self.steps.batch)]
            return self._answer_loss([names[i] for i in places], images[places])

        self._run("read", self.steps.read, [(self.language, 2e-3)], loss)

    def answer(self) -> None:
        """Train everything together, on whole images."""

        def loss() -> tuple[Tensor, Tensor]:
            names, pixels = self.crops.batch(self.steps.batch, self.generator)
            return self._answer_loss(names, image_tokens(self.model, pixels))

        self._run("answer", self.steps.answer, [(self.language, 1e-3), (self.seeing, 3e-4)], loss)

    def _answer_loss(self, names: list[str], images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of one question about each image, and the share of right letters.

        For a denser signal than the letter, the read-outs say of every token of every option whether the option holds,
        and of the line break after it which letter it has.
        """
        texts, answers, counts = [], [], []
        for name in names:
            prompt, options, letter = ask(self.rng.choice(FACTS[name]), self.rng, self.rng.randint(2, MOST_OPTIONS))
            message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
            text = self.processor.apply_chat_template(message, add_generation_prompt=True)
            texts.append(text.replace("<image>", "<image>" * images.shape[1]) + letter + "<|im_end|>")
            answers.append(LETTERS.index(letter))
            counts.append(len(options))
        batch = self.tokenizer(texts, return_tensors="pt", padding=True)
        ids = batch["input_ids"]
        embedded = self.model.get_input_embeddings()(ids)
        image = ids == self.model.config.image_token_id
        states = self.model.model.language_model(
            inputs_embeds=embedded.masked_scatter(image[..., None], images),
            attention_mask=batch["attention_mask"],
            output_hidden_states=True,
        )
        scores = self.model.lm_head(states.last_hidden_state[:, -3:-1])  # of the letter, and of the end
        loss = F.cross_entropy(scores.flatten(0, 1), ids[:, -2:].flatten())

        # Three lines go before the options: the role, the question, an empty one. A line break ends its own line.
        breaks = ids == self.tokenizer.convert_tokens_to_ids(LINE_BREAK)
        option = breaks.cumsum(1) - breaks.long() - 3
        inside = (option >= 0) & (option < torch.tensor(counts)[:, None])
        probed = states.hidden_states[PROBED_LAYER]
        holds = option == torch.tensor(answers)[:, None]
        loss = loss + F.binary_cross_entropy_with_logits(self.holds(probed[inside])[:, 0], holds[inside].float())
        loss = loss + F.cross_entropy(self.letter(probed[inside & breaks]), option[inside & breaks])
        return loss, (scores[:, 0].argmax(-1) == ids[:, -2]).float().mean()

    def _run(
        self,
        stage: str,
        steps: int,
        groups: list[tuple[list[Tensor], float]],
        loss_of: Callable[[], tuple[Tensor, Tensor]],
    ) -> None:
        """Take `steps` steps, with warm-up and decay."""
        optimizer = torch.optim.AdamW(
            [{"params": parameters, "lr": rate} for parameters, rate in groups], betas=(0.9, 0.98), weight_decay=0.02
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, [rate for _, rate in groups], total_steps=steps, pct_start=0.1
        )
        recent: deque[tuple[float, float]] = deque(maxlen=50)
        for step in range(1, steps + 1):
            loss, right = loss_of()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([p for parameters, _ in groups for p in parameters], 1.0)
            optimizer.step()
            schedule.step()
            recent.append((loss.item(), right.item()))
            if step % 50 == 0 or step == steps:
                mean = torch.tensor(recent).mean(0)
                self.say(f"{stage:6s} {step:4d}/{steps}  loss {mean[0]:.3f}  right {mean[1]:.3f}")


def train(out: Path, seed: int, steps: Steps, say: Callable[[str], None]) -> None:
    """Train a model and save it with processor and card."""
    trainer = Trainer(seed, steps, say)
    say(f"{sum(p.numel() for p in trainer.model.parameters()):,} parameters, {len(trainer.tokenizer)} tokens")
    trainer.see()
    trainer.read()
    trainer.answer()
    parametrize.remove_parametrizations(trainer.filters, "weight")
    trainer.model.eval().save_pretrained(out)  # float32: float16 takes four times as long on a CPU
    trainer.processor.save_pretrained(out)
    card = demo_model() / "README.md"
    if out.resolve() != card.parent.resolve():
        shutil.copy(card, out / "README.md")


# --- report ----------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """Rows: the probability of the right option and of the likeliest one, now and for the same question when clean."""

    rows: list[tuple[float, float, float, float]] = field(default_factory=list)

    def __str__(self) -> str:
        right, top, right_clean, top_clean = (sum(column) / len(column) for column in zip(*self.rows, strict=True))
        return (
            f"{len(self.rows):5d} rows  accuracy {right:.3f}, when clean {right_clean:.3f}, {right - right_clean:+.3f}"
            f"  confidence {top:.3f}, {top - top_clean:+.3f}"
        )


def letter_probabilities(model: Any, processor: Any, image: Image.Image, prompt: str, count: int) -> Tensor:
    """Return the exact probability of each option's letter as the answer's first token."""
    content = [{"type": "image", "image": image.convert("RGB")}, {"type": "text", "text": prompt}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    ).to(dtype=model.dtype)
    with torch.inference_mode():
        scores = model(**inputs, logits_to_keep=1).logits[0, -1].float()
    return scores.softmax(-1)[processor.tokenizer.convert_tokens_to_ids(list(LETTERS[:count]))]


def report(folder: Path, part: Part, say: Callable[[str], None]) -> None:
    """Say accuracy and confidence on a part, clean and under every degradation that suits each image."""
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype="auto").eval()
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    for row in crop_questions(part):
        options, prompt = row["options"], build_prompt(row["question"], row["options"])
        cases = [("L0", "", row["image"])]
        for name in applicable(row["modality"]):
            seed = row_seed(0, row["question_id"], name)
            for severity in (1, 2):
                cases.append(
                    (f"L{severity}", name, degrade(row["image"], name, severity, seed, modality=row["modality"]))
                )
        clean: tuple[float, float] | None = None
        for severity, name, image in cases:
            likely = letter_probabilities(model, processor, image, prompt, len(options))
            now = likely[LETTERS.index(row["answer"])].item(), likely.max().item()
            clean = clean or now  # the first case is the clean one
            keys = [severity]
            if name:
                keys.append(f"{severity} {name}")
            else:
                keys += [f"L0 kind {row['question_id'].rpartition('-')[2]}", f"L0 modality {row['modality']}"]
            for key in keys:
                tallies[key].rows.append((*now, *clean))
    for key, tally in sorted(tallies.items()):
        say(f"{key:32s}{tally}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, or report on a trained model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", choices=["validation", "test"], help="do not train, report on that part")
    given = parser.parse_args(arguments)
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - start:5.0f} s  {text}", flush=True)

    if given.report:
        report(given.out, given.report, say)
    else:
        train(given.out, given.seed, Steps(), say)


if __name__ == "__main__":
    main()
