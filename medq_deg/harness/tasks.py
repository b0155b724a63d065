"""Task folders for lmms-eval and lm-evaluation-harness: YAML files, `utils.py`, and the rows as parquet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from datasets import Features, Image, Value

from medq_deg.data.schema import TEXT_COLUMNS
from medq_deg.files import replace_file
from medq_deg.harness.asked import Asked, check_votes
from medq_deg.harness.lmms_task import METRICS
from medq_deg.models.options import MAX_NEW_TOKENS
from medq_deg.taxonomy import SEVERITY_NAMES

GROUP: Final = "medq_deg"
TEMPLATE: Final = "_default_template_yaml"

_FLUSH: Final = 64
"""Rows with images that are held at once."""

_UTILS: Final = '''"""Written by `medq-deg data export`; what the YAML files call is in medq-deg itself."""

from medq_deg.harness.lmms_task import (  # noqa: F401
    aggregate,
    doc_to_messages,
    doc_to_text,
    doc_to_text_with_image,
    doc_to_visual,
    process_results,
)
'''


class _Function(str):
    """The name of a function, which YAML writes with the tag that the harnesses read."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", str(name)))


def export_lmms_eval(
    asked: Asked,
    out: Path,
    votes: int,
    *,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> list[Path]:
    """Write the folder ``OUT/medq_deg`` for lmms-eval's ``--include_path OUT``; return the paths of its YAML files.

    The group ``medq_deg`` has a task for each severity, ``medq_deg_l0`` and so on. The YAML files name the rows by
    absolute paths: a folder that was moved is exported again.

    Parameters
    ----------
    asked : Asked
        Rows to export.
    out : Path
        Folder.
    votes : int
        Answers sampled per row.
    progress : callable
        Called with a stage, rows done and rows in all.
    """
    given = {
        "doc_to_visual": _function("doc_to_visual"),
        "doc_to_messages": _function("doc_to_messages"),
        "doc_to_text": _function("doc_to_text"),
        "generation_kwargs": {
            "max_new_tokens": MAX_NEW_TOKENS,
            "temperature": 1.0,
            "top_p": 1.0,
            "top_k": 0,
            "do_sample": True,
            "num_beams": 1,
        },
        "cluster_key": "question_id",
        "score_key": "score",
    }
    return _export(asked, out, votes, given, progress)


def export_lm_eval(
    asked: Asked,
    out: Path,
    votes: int,
    *,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> list[Path]:
    """Write the same folder for lm-evaluation-harness, whose multimodal models are ``hf-multimodal`` and ``vllm-vlm``.

    Parameters
    ----------
    asked, out, votes, progress
        As in `export_lmms_eval`.
    """
    given = {
        "doc_to_image": ["image"],
        "doc_to_text": _function("doc_to_text_with_image"),
        "generation_kwargs": {
            "until": [],
            "max_gen_toks": MAX_NEW_TOKENS,
            "temperature": 1.0,
            "top_p": 1.0,
            "top_k": 0,
            "do_sample": True,
        },
    }
    return _export(asked, out, votes, given, progress)


def _export(
    asked: Asked, out: Path, votes: int, given: Mapping[str, Any], progress: Callable[[str, int, int], None]
) -> list[Path]:
    check_votes(votes)
    folder = out.resolve() / GROUP
    present = sorted({row["severity"] for row in asked.columns})
    tasks = {f"{GROUP}_{SEVERITY_NAMES[severity].lower()}": severity for severity in present}
    common = {
        "dataset_path": "parquet",
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_target": "answer",
        **given,
        "repeats": votes,
        "process_results": _function("process_results"),
        "metric_list": [
            {
                "metric": name,
                "aggregation": _function("aggregate"),
                "higher_is_better": name not in ("calibration_shift", "agreement_shift"),
            }
            for name in METRICS
        ],
        # The default filter keeps the first vote only.
        "filter_list": [{"name": "votes", "filter": [{"function": "take_first_k", "k": votes}]}],
        "metadata": {"version": 1.0, "data": asked.data.name, "fingerprint": asked.data.fingerprint},
    }
    for name, severity in tasks.items():
        _write_rows(asked, severity, folder / "data" / f"{name}.parquet", votes, progress)
    _write_text(folder / "utils.py", _UTILS)
    _write_yaml(folder / TEMPLATE, common)
    written = [folder / f"{GROUP}.yaml", *(folder / f"{name}.yaml" for name in tasks)]
    _write_yaml(written[0], {"group": GROUP, "task": list(tasks)})
    for path, name in zip(written[1:], tasks, strict=True):
        data = {"data_files": {"test": str(folder / "data" / f"{name}.parquet")}}
        _write_yaml(path, {"include": TEMPLATE, "task": name, "dataset_kwargs": data})
    return written


def _write_rows(asked: Asked, severity: int, path: Path, votes: int, progress: Callable[[str, int, int], None]) -> None:
    features = Features(
        {
            **{name: Value("string") for name in TEXT_COLUMNS},
            "options": [Value("string")],
            "skills": [Value("string")],
            "severity": Value("int32"),
            "seed": Value("int64"),
            "image": Image(),
            "votes": Value("int32"),
        }
    )
    schema = features.arrow_schema
    numbers = [number for number, row in enumerate(asked.columns) if row["severity"] == severity]
    held: list[dict[str, Any]] = []
    with replace_file(path) as file, pq.ParquetWriter(file, schema) as writer:
        for done, number in enumerate(numbers, 1):
            image = {"bytes": asked.image(number), "path": None}
            held.append({**asked.columns[number], "image": image, "votes": votes})
            if len(held) == _FLUSH or done == len(numbers):
                writer.write_table(pa.Table.from_pylist(held, schema=schema))
                held = []
            progress(f"writing {path.name}", done, len(numbers))


def _function(name: str) -> _Function:
    return _Function(f"utils.{name}")


def _write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    _write_text(path, yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False))


def _write_text(path: Path, text: str) -> None:
    with replace_file(path) as file:
        file.write(text.encode())
