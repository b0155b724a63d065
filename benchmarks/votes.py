"""Ten votes per row: ours against ten calls of generate and against num_return_sequences=10, on one model in one run.

Run ``python benchmarks/votes.py`` for a small Qwen2.5-VL with random weights on the CPU, ``--size 3b`` or ``--size 7b``
with ``--device cuda --dtype bfloat16`` for the published sizes, or ``--model`` for a checkpoint. Votes are taken in
turn, and medians are reported. Then the whole path is run (reading, degrading, processing, asking), to see how long the
model waits for rows.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from medq_deg import demo
from medq_deg.evaluation.work import WorkList
from medq_deg.models.batching import Prepared
from medq_deg.models.processors import load_processor
from medq_deg.models.transformers_model import TransformersModel
from tests.models import tiny_vlms

VISION = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "window_size": 112}
PUBLISHED = {"patch_size": 14, "fullatt_block_indexes": [7, 15, 23, 31]}
SIZES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "small": (
        {"depth": 4, "hidden_size": 128, "intermediate_size": 256, "num_heads": 4, "out_hidden_size": 256},
        {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 6, "num_attention_heads": 8},
    ),
    "3b": (
        {**VISION, **PUBLISHED, "out_hidden_size": 2048},
        {"hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16},
    ),
    "7b": (
        {**VISION, **PUBLISHED, "out_hidden_size": 3584},
        {
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
        },
    ),
}
"""Vision and text settings of Qwen2.5-VL; the vocabulary is 280 bytes and marks, not the published 152,064."""


def random_model(size: str, device: str, dtype: torch.dtype, folder: Path) -> tuple[Any, Any]:
    """Return a Qwen2.5-VL with random weights and its processor."""
    vision, text = SIZES[size]
    head = text["hidden_size"] // text["num_attention_heads"]
    mrope = [head // 8, 3 * head // 16, 3 * head // 16]
    text = {**text, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": mrope}}
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device), torch.random.fork_rng():
            torch.manual_seed(0)
            checkpoint = tiny_vlms.qwen2_5_vl(vision, text, most_pixels=448 * 448)
    finally:
        torch.set_default_dtype(before)
    checkpoint.model.config.save_pretrained(folder)
    tiny_vlms.save_processor(checkpoint, folder)
    return checkpoint.model.eval(), load_processor(str(folder))


def median_seconds(calls: dict[str, Callable[[], Any]], repeats: int, device: str) -> dict[str, float]:
    """Return the median time of each call, taken in turn after one unmeasured round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="folder or Hub id; without it, random weights of --size")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--max-new-tokens", type=int, default=4)
    parser.add_argument("--rows", type=int, default=96, help="rows of the whole path")
    parser.add_argument("--workers", type=int, help="of the whole path; by default 4 with cuda, else 0")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark-votes"))
    args = parser.parse_args()

    workers = args.workers if args.workers is not None else 4 * args.device.startswith("cuda")
    options = {"max_new_tokens": args.max_new_tokens, "batch_size": args.batch_size, "workers": workers}
    if args.model:
        model = TransformersModel(args.model, device=args.device, dtype=args.dtype, **options)
    else:
        loaded = random_model(args.size, args.device, getattr(torch, args.dtype), args.folder)
        model = TransformersModel(f"random Qwen2.5-VL, {args.size}", loaded=loaded, **options)
    measure_votes(model, args.repeats, args.device)
    measure_path(model, args.rows, args.device)


def measure_votes(model: TransformersModel, repeats: int, device: str) -> None:
    """Compare the ways to ten votes on one row, and print."""
    rows = demo.rows()
    longest = max(range(len(rows)), key=lambda index: len(rows[index]["question"]) + len(str(rows[index]["options"])))
    query = WorkList(rows, [""] * len(rows), iter(()), 0)[longest]
    row = Prepared(query.id, query.seed, len(query.options), model.inputs(query))
    inputs = model.batch([row.inputs])
    generate = model.model.generate
    greedy = {"max_new_tokens": model.settings.max_new_tokens, "do_sample": False, "pad_token_id": 0}
    sampled = {"generation_config": model.settings}

    def plain(**arguments: Any) -> Callable[[], Any]:
        def call() -> None:
            with torch.inference_mode():
                generate(**inputs, **arguments)

        return call

    def ten_calls() -> None:
        for _ in range(10):
            plain(**sampled)()

    seconds = median_seconds(
        {
            "one greedy answer": plain(**greedy),
            "ten votes, ours": lambda: model.ask([row], 10),
            "num_return_sequences=10": plain(**sampled, num_return_sequences=10),
            "ten generate calls": ten_calls,
        },
        repeats,
        device,
    )
    ours = seconds["ten votes, ours"]
    size = sum(p.numel() for p in model.model.parameters()) / 1e6
    print(
        f"{model.name}: {size:.1f} M parameters, {row.length} prompt tokens, "
        f"at most {model.settings.max_new_tokens} new ones"
    )
    for name, value in seconds.items():
        print(f"{name:26} {1000 * value:9.1f} ms   {value / ours:6.2f} x ours")


def measure_path(model: TransformersModel, count: int, device: str) -> None:
    """Run the whole path over demo rows, and print rows per second and how long the model waited."""
    rows = demo.rows()[:count]
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    work = WorkList(rows, [row["id"] for row in rows.columns()], iter(range(len(rows))), 0)
    start = time.perf_counter()
    answered = sum(reply.error is None for reply in model.answer(work, 10))
    seconds = time.perf_counter() - start
    print(
        f"whole path: {answered} rows in {seconds:.1f} s, {answered / seconds:.1f} rows/s, batches of "
        f"{model.batch_size}, {model.workers} workers; the model waited {model.waited / seconds:.1%} of the time"
    )
    if device.startswith("cuda"):
        print(f"peak GPU memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB on {torch.cuda.get_device_name()}")


if __name__ == "__main__":
    main()
