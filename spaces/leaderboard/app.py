"""A Space that shows submitted runs beside the paper's models, with filters, a page for each model, and how to submit.

`read_results`, `table` and `model_page` do the work and need no Gradio; `build` puts fields around them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

# Before gradio is imported, and for every part of it.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from medq_deg.errors import MedqDegError
from medq_deg.models.published import GROUPS, published_models
from medq_deg.taxonomy import DEGRADATION_NAMES, MODALITIES, NO_DEGRADATION, SEVERITY_NAMES

ALL = "all"
OTHER = "other"
PAPER, SUBMITTED = "paper", "submitted"
HEADERS = ("Model", "Group", "Size (B)", "L0", "L1", "L2", "Drop", "Calibration shift", "Source")
TYPES = ("str", "str", *("number",) * 6, "str")
SIZES = {"up to 10 B": (0, 10), "10 to 40 B": (10, 40), "over 40 B": (40, math.inf)}
UNKNOWN_SIZE = "not public"
MAX_ROWS, MAX_SIZE, MAX_NAME = 10**7, 10**6, 100
"""What a submitted file may say."""

HEADING = "# MedQ-Deg leaderboard\nCan a vision-language model still be trusted when the medical image is bad?"

HOW = """## How to submit

1. Build the benchmark's data from its sources: `medq-deg build --gmai ... --omnimedvqa ... --medxpertqa ... --out DIR`
2. Let your model answer: `medq-deg evaluate --model ORG/MODEL --data DIR --out RUN`
3. Look at what would be sent: `medq-deg submit RUN --results-repo ORG/RESULTS --dry-run`
4. Send it: `medq-deg submit RUN --results-repo ORG/RESULTS`. This opens a pull request with settings, answers and
   figures, but no picture and no text of a question. The run appears here when the request is merged.
5. `medq-deg submit RUN --repo ORG/MODEL --dataset ORG/MEDQ-DEG` puts the figures on the model's own page.

Refused are runs that are not whole, runs on the demo set or on data of your own, untrained models, and answers that
were not parsed strictly.

## What the columns mean

**L0, L1, L2**: accuracy in percent, the mean over sampled answers, on clean images and at two severities of
degradation. **Drop**: L0 minus L2. **Calibration shift**: confidence minus accuracy at L2, in percentage points; above
0, the model is surer than it is right.
"""

CSS = """
#board { --font-mono: var(--font); font-variant-numeric: tabular-nums; }
.page table { border-collapse: collapse; margin: 0.5em 0 1.5em 0; }
.page th, .page td { padding: 0.25em 0.9em; text-align: right; }
.page table, .page thead, .page tbody, .page tr, .page th, .page td { border: none !important; }
.page tr { box-shadow: 0 1px 0 var(--border-color-primary); }
.page th:first-child, .page td:first-child { text-align: left; }
.page .bar { display: inline-block; width: 8em; height: 0.7em; background: var(--background-fill-secondary);
  margin-left: 0.6em; }
.page .bar i { display: block; height: 100%; background: var(--color-accent); }
.page h2 { overflow-wrap: anywhere; }
"""


@dataclass(frozen=True)
class Cell:
    """Rows of one severity, degradation and modality: how many, and their mean accuracy and confidence."""

    severity: str
    degradation: str
    modality: str
    n: float
    accuracy: float
    confidence: float


@dataclass(frozen=True)
class Entry:
    """A model of the leaderboard; accuracies in percent, `cells` empty where only the paper's figures are known."""

    label: str
    group: str
    parameters_billion: float | None
    source: str
    accuracy: tuple[float, float, float]
    shift: float | None
    about: str
    cells: tuple[Cell, ...] = ()


def paper_entries() -> list[Entry]:
    """Return the paper's models."""
    return [
        Entry(
            model.name,
            model.group,
            model.parameters_billion,
            PAPER,
            model.accuracy,
            None,
            "As published, arXiv 2603.07769. The paper's figures for single degradations are not listed here.",
        )
        for model in published_models()
    ]


def read_results(folder: Path) -> tuple[list[Entry], int]:
    """Return the runs in a results dataset, and the number of those that cannot be used."""
    entries, unusable = [], 0
    for path in sorted(folder.glob("results/*/leaderboard.json")):
        try:
            entries.append(_entry(json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
            unusable += 1  # anybody's file: whatever is wrong with it, the others are shown
    return _with_own_labels(entries), unusable


def _entry(held: dict[str, Any]) -> Entry:
    cells = tuple(
        Cell(
            str(cell["severity"]),
            str(cell["degradation"]),
            str(cell["modality"]),
            _number(cell["n"], 1, MAX_ROWS),
            _number(cell["accuracy"], 0, 1),
            _number(cell["confidence"], 0, 1),
        )
        for cell in held["cells"]
    )
    size = held.get("parameters_billion")
    l0, l1, l2 = (_mean(cells, severity, "accuracy") for severity in SEVERITY_NAMES)
    confidence = _mean(cells, "L2", "confidence")
    if l0 is None or l1 is None or l2 is None or confidence is None:
        raise ValueError("a severity is missing")
    how = "exact probabilities" if held["votes"] == "exact" else f"{int(held['trials'])} sampled answers"
    return Entry(
        " ".join(str(held["model"]).split())[:MAX_NAME],
        held["group"] if held["group"] in GROUPS else OTHER,
        None if size is None else _number(size, 0, MAX_SIZE),
        SUBMITTED,
        (l0, l1, l2),
        confidence - l2,
        f"{how} to each of {sum(cell.n for cell in cells):.0f} rows; data {str(held['data']['fingerprint'])[:16]}; "
        f"run {str(held['fingerprint'])[:8]}.",
        cells,
    )


def _number(value: Any, low: float, high: float) -> float:
    if not low <= float(value) <= high:
        raise ValueError(f"a number must be in [{low}, {high}], got {value!r}")
    return float(value)


def _with_own_labels(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries, those of one model numbered, so that each can be chosen."""
    labels: set[str] = set()
    numbered = []
    for entry in entries:
        label, number = entry.label, 1
        while label in labels:
            number += 1
            label = f"{entry.label} (run {number})"
        labels.add(label)
        numbered.append(replace(entry, label=label))
    return numbered


def _mean(
    cells: Iterable[Cell], severity: str, figure: str, degradation: str = ALL, modality: str = ALL
) -> float | None:
    """Return a figure in percent over the chosen cells, None where there is no row; clean rows have no degradation."""
    chosen = [
        cell
        for cell in cells
        if cell.severity == severity
        and modality in (ALL, cell.modality)
        and (degradation in (ALL, cell.degradation) or cell.degradation == NO_DEGRADATION)
    ]
    rows = sum(cell.n for cell in chosen)
    return 100 * sum(cell.n * getattr(cell, figure) for cell in chosen) / rows if rows else None


def table(
    entries: Iterable[Entry],
    groups: Sequence[str] = (),
    sizes: Sequence[str] = (),
    degradation: str = ALL,
    modality: str = ALL,
) -> list[list[Any]]:
    """Return the rows of the leaderboard, the best at L2 first.

    Parameters
    ----------
    entries : iterable of Entry
        All models.
    groups, sizes : sequence of str
        Show these alone; all where empty.
    degradation, modality : str
        Compute the figures from these rows alone. Models of which only the paper's figures are known are left out then.
    """
    rows = []
    for entry in entries:
        if (groups and entry.group not in groups) or (sizes and _size(entry) not in sizes):
            continue
        accuracy: tuple[float | None, ...] = entry.accuracy
        shift = entry.shift
        if (degradation, modality) != (ALL, ALL):
            choice = {"degradation": degradation, "modality": modality}
            accuracy = tuple(_mean(entry.cells, severity, "accuracy", **choice) for severity in SEVERITY_NAMES)
            shift = _difference(_mean(entry.cells, "L2", "confidence", **choice), accuracy[2])
            if accuracy[1] is None and accuracy[2] is None:
                continue
        figures = [*accuracy, _difference(accuracy[0], accuracy[2]), shift]
        rounded = [None if value is None else round(value, 2) for value in figures]
        size = None if entry.parameters_billion is None else round(entry.parameters_billion, 1)
        rows.append([entry.label, entry.group, size, *rounded, entry.source])
    return sorted(rows, key=lambda row: -1.0 if row[5] is None else row[5], reverse=True)


def _size(entry: Entry) -> str:
    size = entry.parameters_billion
    if size is None:
        return UNKNOWN_SIZE
    return next(name for name, (low, high) in SIZES.items() if low <= size <= high)


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def shown(rows: list[list[Any]]) -> dict[str, Any]:
    """Return rows as Gradio's table takes them: numbers to sort by, and how they look."""

    def look(value: Any, decimals: int) -> str:
        if isinstance(value, str):
            return value
        return "-" if value is None else f"{value:.{decimals}f}"

    looks = [[look(value, 1 if place == 2 else 2) for place, value in enumerate(row)] for row in rows]
    styles = [["text-align: right" if kind == "number" else "" for kind in TYPES] for _ in rows]
    return {"data": rows, "headers": list(HEADERS), "metadata": {"display_value": looks, "styling": styles}}


def note(degradation: str, modality: str, unusable: int) -> str:
    """Return what to know about the table."""
    parts = []
    if (degradation, modality) != (ALL, ALL):
        parts.append("The paper's models are left out: their figures for this choice are not listed.")
    if degradation != ALL:
        parts.append("L0 is over all clean questions of the modality, whichever degradations they have.")
    if unusable:
        parts.append(f"Submitted files that could not be used: {unusable}.")
    return " ".join(parts)


def model_page(entry: Entry) -> str:
    """Return the page of a model as HTML; nothing of a submitted file gets into it unescaped."""
    size = "size not public" if entry.parameters_billion is None else f"{entry.parameters_billion:.1f} B parameters"
    parts = [
        f"<h2>{escape(entry.label)}</h2>",
        f"<p>{escape(entry.group)}, {size}, {entry.source}. {escape(entry.about)}</p>",
        _html_table(
            ("", "Accuracy", "Confidence", "Calibration shift"),
            [_severity(entry, *each) for each in zip(SEVERITY_NAMES, entry.accuracy, strict=True)],
        ),
    ]
    if entry.cells:
        parts += ["<h3>By degradation</h3>", _breakdown(entry.cells, "degradation", DEGRADATION_NAMES, ("L1", "L2"))]
        parts += ["<h3>By modality</h3>", _breakdown(entry.cells, "modality", MODALITIES, SEVERITY_NAMES)]
    return f'<div class="page">{"".join(parts)}</div>'


def _severity(entry: Entry, name: str, accuracy: float) -> tuple[str, ...]:
    confidence = _mean(entry.cells, name, "confidence")
    shift = _difference(confidence, accuracy)
    return name, _bar(accuracy), _bar(confidence), "-" if shift is None else f"{shift:+.1f}"


def _breakdown(cells: Sequence[Cell], column: str, names: Iterable[str], severities: Sequence[str]) -> str:
    rows = []
    for name in names:
        mine = [cell for cell in cells if getattr(cell, column) == name]
        if mine:
            bars = [_bar(_mean(mine, severity, "accuracy")) for severity in severities]
            rows.append((name.replace("_", " "), *bars, f"{sum(cell.n for cell in mine):.0f}"))
    return _html_table((column.capitalize(), *severities, "Rows"), rows)


def _bar(percent: float | None) -> str:
    if percent is None:
        return "-"
    return f'{percent:.1f} <span class="bar"><i style="width:{percent:.1f}%"></i></span>'


def _html_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{header}</th>" for header in headers)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def find_results(where: str) -> Path | None:
    """Return the folder of results: a local one, or a copy of the dataset's small files; None where none is named."""
    if not where:
        return None
    if Path(where).is_dir():
        return Path(where)
    from huggingface_hub import snapshot_download

    from medq_deg.hub.refusals import hub_errors

    with hub_errors(where):
        return Path(snapshot_download(where, repo_type="dataset", allow_patterns="results/*/leaderboard.json"))


def build(where: str = "") -> Any:
    """Return the Gradio app, not yet started.

    Parameters
    ----------
    where : str
        A dataset of results or a local folder; see README.md.
    """
    import gradio as gr

    trouble = ""
    try:
        folder = find_results(where)
        submitted, unusable = ([], 0) if folder is None else read_results(folder)
    except MedqDegError as error:
        submitted, unusable, trouble = [], 0, f"**The submitted results cannot be read.** {error}"
    entries = [*submitted, *paper_entries()]
    by_key = {(entry.label, entry.source): entry for entry in entries}
    keys = {f"{entry.label} ({entry.source})": entry for entry in entries}

    def show(groups: list[str], sizes: list[str], degradation: str, modality: str) -> tuple[Any, str]:
        return shown(table(entries, groups, sizes, degradation, modality)), note(degradation, modality, unusable)

    def open_model(event: Any) -> tuple[Any, str, str]:
        entry = by_key[(event.row_value[0], event.row_value[-1])]
        return gr.Tabs(selected="model"), f"{entry.label} ({entry.source})", model_page(entry)

    # Gradio looks for the class itself, which only this function has imported.
    open_model.__annotations__["event"] = gr.SelectData
    with gr.Blocks(title="MedQ-Deg leaderboard", analytics_enabled=False) as app:
        gr.Markdown(
            "# MedQ-Deg leaderboard\nCan a vision-language model still be trusted when the medical image is bad?"
        )
        if trouble:
            gr.Markdown(trouble)
        with gr.Tabs() as tabs:
            with gr.Tab("Leaderboard", id="leaderboard"):
                with gr.Row():
                    groups = gr.Dropdown([*GROUPS, OTHER], value=[], multiselect=True, label="Group")
                    sizes = gr.Dropdown([*SIZES, UNKNOWN_SIZE], value=[], multiselect=True, label="Size")
                    names = [(name.replace("_", " "), name) for name in DEGRADATION_NAMES]
                    degradation = gr.Dropdown([(ALL, ALL), *names], value=ALL, label="Degradation")
                    modality = gr.Dropdown([ALL, *MODALITIES], value=ALL, label="Modality")
                said = gr.Markdown(note(ALL, ALL, unusable))
                board = gr.Dataframe(
                    shown(table(entries)),
                    headers=list(HEADERS),
                    datatype=list(TYPES),
                    type="array",
                    interactive=False,
                    max_height=700,
                    column_widths=["25%", "11%", "9%", "8%", "8%", "8%", "8%", "14%", "9%"],
                    buttons=[],
                    elem_id="board",
                    label="Accuracy in percent. The menu ⋮ of a heading sorts; a click on a row opens its model.",
                )
            with gr.Tab("Model", id="model"):
                chosen = gr.Dropdown(list(keys), value=next(iter(keys)), label="Model")
                page = gr.HTML(model_page(entries[0]), elem_id="page")
            with gr.Tab("How to submit", id="submit"):
                gr.Markdown(HOW)
        fields = [groups, sizes, degradation, modality]
        for field in fields:
            field.change(show, fields, [board, said], show_progress="hidden")
        board.select(open_model, None, [tabs, chosen, page], show_progress="hidden")
        chosen.input(lambda key: model_page(keys[key]), chosen, page, show_progress="hidden")
    return app


def launch(**options: Any) -> Any:
    """Start the app with fonts and styles that need nothing from elsewhere."""
    import gradio as gr

    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    app = build(os.environ.get("RESULTS", ""))
    return app.launch(theme=gr.themes.Base(**fonts), css=CSS, footer_links=[], **options)


if __name__ == "__main__":
    launch()
