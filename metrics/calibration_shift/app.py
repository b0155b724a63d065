"""A Space that says of a small table pasted into the browser how often a model is right, and how sure it is.

`report` does the work and needs no Gradio; `build` puts fields around it. The words are those of the package's report.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable
from typing import Any

from medq_deg.errors import MedqDegError
from medq_deg.metrics import FEW_CLUSTERS, FIGURES, SHIFTS, MetricWarning, calibration_shift
from medq_deg.results.answer import answer
from medq_deg.results.numbers import change_of_100, of_100, range_of_100

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
            table = read(text)
            result = calibration_shift(**table, confidence_level=confidence_level, invalid=invalid)
        except MedqDegError as error:
            return f"**This table cannot be used:** {error}"
    lines = [*_answer(result, table), *_in_words(result)]
    if result["few_clusters"]:
        lines += ["", f"Fewer than {FEW_CLUSTERS} questions: too few for a verdict, and for ranges to be relied on."]
    lines += [f"\n**Note:** {each.message}" for each in caught if issubclass(each.category, MetricWarning)]
    lines += ["", "### All numbers", "", f"{result['n']} rows from {result['clusters']} questions.", ""]
    lines += [f"| figure | value | {confidence_level:.0%} interval |", "|---|---|---|"]
    for figure in FIGURES:
        lines.append(f"| {FIGURES[figure].title} | {_number(result[figure])} | {_interval(result[f'{figure}_ci'])} |")
    lines += _dunning_kruger(result.get("dunning_kruger"))
    return "\n".join(lines)


def _answer(result: dict[str, Any], table: dict[str, Any]) -> list[str]:
    """Answer whether the model can be trusted on bad images, where the table has severities."""
    if table["severities"] is None:
        return []
    rows = list(zip(table["num_choices"], table["severities"], strict=True))
    clean = [count for count, severity in rows if severity == 0] or table["num_choices"]
    chance = sum(1 / count for count in clean) / len(clean)
    told = answer({**result, "rows": len(rows), "unanswered": 0, "chance": chance})
    sentences = " ".join(filter(None, (told.evidence, told.advice, *told.notes)))
    return ["*Can it still be trusted when the image is bad?*", "", f"## {told}", "", sentences, ""]


def _in_words(result: dict[str, Any]) -> list[str]:
    """Say how right and how sure the model is, at each severity where there are some."""
    levels = result.get("by_severity") or {"": result}
    names = {"": "all", "L0": "clean", "L1": "mildly degraded", "L2": "severely degraded"}
    lines = ["| images | right of 100 | sure of 100 | surer than right |", "|---|---|---|---|"]
    for level, figures in levels.items():
        cells = (
            _with_range(of_100, figures["accuracy"], figures.get("accuracy_ci")),
            _with_range(of_100, figures["agreement"], figures.get("agreement_ci")),
            _with_range(change_of_100, figures["agreement_shift"], figures.get("agreement_shift_ci")),
        )
        lines.append(f"| {names[level]} | {' | '.join(cells)} |")
    told = "Sure: the chance that two answers to a question agree. A model that judges itself well is as sure as right."
    return [*lines, "", told]


def _with_range(write: Callable[[float], str], value: float | None, bounds: list[float] | None) -> str:
    if value is None:
        return "not defined"
    return write(value) + ("" if bounds is None else f" ({range_of_100(bounds, write)})")


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
    lines = ["", "The paper's Dunning-Kruger effect, from clean to severe: less often right, and surer of itself.", ""]
    lines += ["| measured by | paper's rule | do the answers bear it out? |", "|---|---|---|"]
    words = {"supported": "yes", "refuted": "no", "undecided": "not known"}
    for shift in SHIFTS:
        rule = {None: "undefined", True: "yes", False: "no"}[result[shift]["rule"]]
        verdict, reason = words.get(result[shift]["verdict"], "not judged"), result[shift]["reason"]
        lines.append(f"| {FIGURES[shift].title} | {rule} | {verdict}{': ' + reason if reason else ''} |")
    return lines


def build() -> Any:
    """Return the Gradio app, not yet started."""
    import gradio

    with gradio.Blocks(title="Calibration Shift") as app:
        gradio.Markdown(
            "# Calibration Shift\nIs a model as sure as it is right? Paste its sampled answers, one question per"
            " row; `-` stands for an answer that could not be read. Nothing is stored."
        )
        table = gradio.Textbox(value=EXAMPLE, lines=12, label="Answers (CSV)")
        level = gradio.Slider(0.5, 0.99, value=0.95, step=0.01, label="Level of the ranges")
        invalid = gradio.Radio(["wrong", "drop"], value="wrong", label="Answers that cannot be read")
        button = gradio.Button("Compute", variant="primary")
        output = gradio.Markdown()
        button.click(report, inputs=[table, level, invalid], outputs=output)
    return app


if __name__ == "__main__":
    build().launch()
