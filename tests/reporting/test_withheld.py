"""A run whose answers to a row are all the same gets no verdict anywhere, and no star."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medq_deg.reporting.breaks import cells_of
from medq_deg.reporting.collect import collect
from tests.reporting.models import Faltering, make_run


class Greedy(Faltering):
    """Says the same at each of its trials: right when clean, wrong when degraded."""

    def record(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row's line in answers.jsonl."""
        record = super().record(row)
        said = row["answer"] if row["severity"] == 0 else "A" if row["answer"] != "A" else "B"
        return {**record, "votes": [said] * len(record["votes"]), "texts": [f"Answer: {said}"] * len(record["votes"])}


def verdicts(found: Any) -> Iterator[tuple[str, Any]]:
    """Yield each key that is a verdict, with its value."""
    if isinstance(found, Mapping):
        for key, value in found.items():
            if key.startswith("verdict"):
                yield key, value
            yield from verdicts(value)


def test_a_run_with_identical_answers_has_no_verdict_and_no_star(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    greedy = make_run(tmp_path / "greedy", Greedy("greedy"), rows)
    sampled = make_run(tmp_path / "sampled", Faltering("sampled", (0.95, 0.5, 0.05)), rows)
    runs = collect([greedy, sampled], n_resamples=20)
    told, other = (list(verdicts(run.summary)) for run in runs)
    assert {key for key, _ in told} == {key for key, _ in other} == {"verdict", "verdict_holm", "verdict_page"}
    assert {value for _, value in told} <= {None, "undecided"}
    stars = [sum(cell.survives for by in run.summary["by"].values() for cell in cells_of(by)) for run in runs]
    assert stars[0] == 0 < stars[1]
