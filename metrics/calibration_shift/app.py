"""A Space that computes the Calibration Shift of a small table pasted into the browser.

`report` does the work and needs no Gradio; `build` puts fields around it.
"""

from __future__ import annotations

import csv
import io
import warnings
from typing import Any

from medq_deg.errors import MedqDegError
from medq_deg.metrics import FIGURES, SHIFTS, MetricWarning, calibration_shift

EXAMPLE = """votes,answer,num_choices,group,severity
A A A A A A A A A A,A,4,q1,0
A A A A A A B A A A,A,4,q1,2
C C C C C B C C C C,C,4,q2,0
B B C B B B D B - B,C,4,q2,2
D D D D D D D D D D,D,5,q3,0
D E D D D D D E D D,D,5,q3,2
"""

UNPARSABLE = "-"
MAX_ROWS = 30_000


def report(text: str, confidence_level: float = 0.95, invalid: str = "wrong") -> str:
    """Compute all figures for a table and write them as Markdown.

    Parameters
    ----------
    text : str
        CSV with the columns ``votes`` (letters separated by spaces, ``-`` for an unparsable one), ``answer``,
        ``num_choices`` and, optionally, ``group`` and ``severity``.
    confidence_level : float, default 0.95
        Level of the intervals.
    invalid : {"wrong", "drop"}, default "wrong"
        Whether an unparsable vote is a wrong one, or is left out.

    Returns
    -------
    str
        A table and what to know about it, or one sentence that says what is wrong with the input.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MetricWarning)
        try:
            result = calibration_shift(**read(text), confidence_level=confidence_level, invalid=invalid)
        except MedqDegError as error:
            return f"**This table cannot be used:** {error}"
    lines = [f"{result['n']} rows from {result['clusters']} questions.", ""]
    lines += [f"| figure | value | {confidence_level:.0%} interval |", "|---|---|---|"]
    for figure in FIGURES:
        lines.append(f"| {FIGURES[figure].title} | {_number(result[figure])} | {_interval(result[f'{figure}_ci'])} |")
    lines += _dunning_kruger(result.get("dunning_kruger"))
    if result["few_clusters"]:
        lines += ["", "Fewer than 30 questions: too few for a verdict, and for intervals to be relied on."]
    lines += [f"\n**Note:** {each.message}" for each in caught if issubclass(each.category, MetricWarning)]
    return "\n".join(lines)


def read(text: str) -> dict[str, Any]:
    """Turn the CSV into arguments of `calibration_shift`; see `report` for its columns."""
    rows = list(csv.DictReader(io.StringIO(text.strip()), skipinitialspace=True))
    if not rows:
        raise MedqDegError("the table has no rows: a header and at least one row are needed.")
    if len(rows) > MAX_ROWS:
        raise MedqDegError(f"the table has {len(rows)} rows, at most {MAX_ROWS} are allowed.")
    missing = [name for name in ("votes", "answer", "num_choices") if name not in rows[0]]
    if missing:
        raise MedqDegError(f"the table has no column {missing[0]!r}; its header must be like that of the example.")
    if any(value is None for row in rows for value in row.values()) or any(None in row for row in rows):
        raise MedqDegError("every row must have as many fields as the header.")
    return {
        "votes": [[None if vote == UNPARSABLE else vote for vote in row["votes"].split()] for row in rows],
        "answers": [row["answer"].strip() for row in rows],
        "num_choices": _whole_numbers(rows, "num_choices"),
        "groups": [row["group"].strip() for row in rows] if "group" in rows[0] else None,
        "severities": [_severity(row["severity"].strip()) for row in rows] if "severity" in rows[0] else None,
    }


def _severity(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _whole_numbers(rows: list[dict[str, str]], column: str) -> list[int]:
    numbers = []
    for position, row in enumerate(rows):
        if not row[column].strip().isdecimal():
            raise MedqDegError(f"{column} of row {position} must be a whole number, got {row[column]!r}.")
        numbers.append(int(row[column]))
    return numbers


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _interval(bounds: list[float] | None) -> str:
    return "none" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _dunning_kruger(result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return []
    lines = ["", "Dunning-Kruger effect from L0 to L2 (less accurate and surer of itself):", ""]
    lines += ["| measured by | paper's rule | verdict |", "|---|---|---|"]
    for shift in SHIFTS:
        rule = {None: "undefined", True: "yes", False: "no"}[result[shift]["rule"]]
        verdict, reason = result[shift]["verdict"] or "not judged", result[shift]["reason"]
        lines.append(f"| {FIGURES[shift].title} | {rule} | {verdict}{': ' + reason if reason else ''} |")
    return lines


def build() -> Any:
    """Return the Gradio app, not yet started."""
    import gradio

    with gradio.Blocks(title="Calibration Shift") as app:
        gradio.Markdown(
            "# Calibration Shift\nPaste the sampled answers of a model, one question per row; `-` stands for"
            " an answer that could not be parsed. Nothing is stored."
        )
        table = gradio.Textbox(value=EXAMPLE, lines=12, label="Answers (CSV)")
        level = gradio.Slider(0.5, 0.99, value=0.95, step=0.01, label="Level of the intervals")
        invalid = gradio.Radio(["wrong", "drop"], value="wrong", label="Unparsable answers")
        button = gradio.Button("Compute", variant="primary")
        output = gradio.Markdown()
        button.click(report, inputs=[table, level, invalid], outputs=output)
    return app


if __name__ == "__main__":
    build().launch()
