"""A dataset of the benchmark's size: the demonstration set again and again, under other names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medq_deg import demo
from medq_deg.data.features import encoded, features
from medq_deg.data.schema import row_id
from medq_deg.encoding import encode_png


def write_many(folder: Path, questions: int = 4306, group: int = 100) -> Path:
    """Write `questions` questions with their degradations as shards, as `medq-deg build` does."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in demo.rows():
        image = {"bytes": encode_png(row["image"]), "path": None}
        rows.setdefault(row["question_id"], []).append(
            {**encoded(row), "image": image, "degradation_name": row["degradation"]}
        )
    (folder / "data").mkdir(parents=True)
    names = list(rows)
    schema = features().arrow_schema
    for severity in (0, 1, 2):
        with pq.ParquetWriter(folder / "data" / f"L{severity}-00000.parquet", schema) as writer:
            held: list[dict[str, Any]] = []
            for number in range(questions):
                for row in rows[names[number % len(names)]]:
                    if row["severity"] == severity:
                        question = f"{row['question_id']}-{number // len(names)}"
                        name = row["degradation_name"]
                        kept = {key: value for key, value in row.items() if key != "degradation_name"}
                        held.append({**kept, "question_id": question, "id": row_id(question, name, severity)})
                if len(held) >= group:
                    writer.write_table(pa.Table.from_pylist(held, schema=schema))
                    held = []
            if held:
                writer.write_table(pa.Table.from_pylist(held, schema=schema))
    return folder


if __name__ == "__main__":
    print(write_many(Path(sys.argv[1]), int(sys.argv[2])))
