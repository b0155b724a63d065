"""The figures of the report, each with its data as rows and its content in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from medq_deg.metrics import FEW_CLUSTERS
from medq_deg.models.published import published_models
from medq_deg.reporting.collect import Run
from medq_deg.reporting.drawing import (
    COLOURS,
    FADED,
    INK,
    MARKS,
    MOST_RUNS,
    SEVERITY_COLOURS,
    SEVERITY_MARKS,
    Figure,
    Row,
    draw,
)
from medq_deg.reporting.text import decimal, percent, points, shorten, signed, words
from medq_deg.taxonomy import CATEGORIES, DEGRADATION_NAMES, MODALITIES, NO_DEGRADATION, SEVERITY_NAMES, SKILLS, TASKS

ORDER: Final[Mapping[str, Sequence[str]]] = {
    "degradation": DEGRADATION_NAMES,
    "category": CATEGORIES,
    "modality": MODALITIES,
    "task": TASKS,
    "skills": SKILLS,
}
"""Breakdowns in the order of the report, and the known values of each in their order."""

NOUNS: Final = {"skills": "skill"}

_WIDTH = 8.0
_NAME = 34
_LINE = 0.21
_DROP_COLOURS = LinearSegmentedColormap.from_list("drop", ["#4fa3d1", "#ffffff", "#e5803d"])
_INTERVAL = ("low", "high", "rows", "questions", "few_questions")


def figures_of(runs: Sequence[Run]) -> list[Figure]:
    """Draw all figures of some runs."""
    return [
        accuracy_by_severity(runs),
        calibration(runs),
        *(accuracy_by(runs, by) for by in ORDER if cells(runs, by)),
        *(drops(runs, by) for by in ("degradation", "modality", "skills") if _dropped(runs, by)),
        reliability(runs),
        risk_coverage(runs),
    ]


def cells(runs: Sequence[Run], by: str) -> list[str]:
    """Return the values of a breakdown that any run has, known ones in their order; clean rows are no cell."""
    found = {name for run in runs for name in run.summary["by"][by]} - {NO_DEGRADATION}
    known = [name for name in ORDER[by] if name in found]
    return known + sorted(found.difference(known))


def accuracy_by_severity(runs: Sequence[Run]) -> Figure:
    """Draw accuracy at L0, L1 and L2 of the runs and, faded, of the published models."""
    rows: list[Row] = [
        (run.label, "run", severity, figures["accuracy"], *_spread(figures, "accuracy"))
        for run in runs
        for severity in SEVERITY_NAMES
        if (figures := run.at(severity))
    ]
    rows += [
        (model.name, f"published, {model.group}", severity, value / 100, None, None, None, None, None)
        for model in published_models()
        for severity, value in zip(SEVERITY_NAMES, model.accuracy, strict=True)
    ]
    lines: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        lines.setdefault((row[0], row[1]), {})[row[2]] = row
    # The cleanest images decide the order, as in the paper.
    order = sorted(lines, key=lambda line: next(iter(lines[line].values()))[3])

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for ours in (False, True):
            placed = [(place, lines[line]) for place, line in enumerate(order) if (line[1] == "run") is ours]
            joined = [
                (place, values)
                for place, line in placed
                if (values := [row[3] for row in line.values() if row[3] is not None])
            ]
            if joined:
                ends = [(min(values), max(values), place) for place, values in joined]
                low, high, places = zip(*ends, strict=True)
                axes.hlines(places, low, high, color=FADED, lw=1.5 if ours else 0.8, zorder=2)
            for severity in SEVERITY_NAMES:
                some = [(line[severity], place) for place, line in placed if severity in line]
                if ours:
                    told = [({"accuracy": row[3], "accuracy_ci": row[4:6]}, place) for row, place in some]
                    _mark(axes, "accuracy", SEVERITY_COLOURS[severity], SEVERITY_MARKS[severity], told)
                else:
                    face = "none" if severity == "L0" else FADED
                    style: dict[str, Any] = {"ms": 4, "mfc": face, "mec": FADED, "mew": 0.6, "alpha": 0.75}
                    axes.plot(
                        [row[3] for row, _ in some], [place for _, place in some], SEVERITY_MARKS[severity], **style
                    )
        _name_lines(axes, [line[0] for line in order], [line[1] == "run" for line in order])
        axes.set_xlabel("accuracy (thin line: 95 % interval of a run)")
        axes.xaxis.set_major_formatter(percent_tick)
        canvas.legend(handles=_severity_legend(), loc="outside upper center", ncols=4)

    return draw(
        "accuracy_by_severity",
        "Accuracy by severity",
        "Each line is a model: clean (L0), mild (L1) and severe (L2). In colour these runs; in gray the 40 published "
        "models (arXiv 2603.07769), measured on the full benchmark: a run on other data, such as the demo set, "
        "cannot be compared with them.",
        _told(
            runs,
            "Accuracy at L0, L1 and L2",
            lambda run: ", ".join(percent(run.at(s).get("accuracy")) for s in SEVERITY_NAMES),
        ),
        (_WIDTH, 1.1 + 0.175 * len(order)),
        paint,
        ("model", "kind", "severity", "accuracy", *_INTERVAL),
        rows,
    )


def calibration(runs: Sequence[Run]) -> Figure:
    """Draw accuracy, confidence and both shifts at each severity."""
    panels = {
        "accuracy": "Actual:\naccuracy",
        "confidence": "Perceived:\nconfidence",
        "calibration_shift": "Calibration shift\n(the paper's)",
        "agreement_shift": "Agreement shift\n(0: calibrated)",
    }
    rows: list[Row] = [
        (run.label, severity, name, figures[name], *_spread(figures, name))
        for run in runs
        for severity in SEVERITY_NAMES
        if (figures := run.at(severity))
        for name in panels
    ]

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, len(panels), sharey=True)
        for axes, (name, title) in zip(grid, panels.items(), strict=True):
            if name.endswith("shift"):
                axes.axvline(0, color=INK, lw=0.8)
            for offset, severity in zip((0.22, 0, -0.22), SEVERITY_NAMES, strict=True):
                placed = [(run.at(severity), place + offset) for place, run in enumerate(reversed(runs))]
                _mark(axes, name, SEVERITY_COLOURS[severity], SEVERITY_MARKS[severity], placed)
            axes.set_title(title)
            axes.locator_params(axis="x", nbins=4)
            axes.tick_params(axis="x", labelsize=8)
        _name_lines(grid[0], [run.label for run in reversed(runs)])
        canvas.legend(handles=_severity_legend(), loc="outside upper center", ncols=3)

    return draw(
        "calibration",
        "Actual and perceived performance",
        "Accuracy against confidence at each severity, with 95 % intervals. Right of 0 a shift is overconfident; "
        f"only the agreement shift is 0 for a calibrated model. Hollow: fewer than {FEW_CLUSTERS} questions.",
        _told(
            runs,
            "Agreement shift at L0, L1 and L2",
            lambda run: ", ".join(signed(run.at(s).get("agreement_shift")) for s in SEVERITY_NAMES),
        ),
        (_WIDTH, 1.5 + 0.5 * len(runs)),
        paint,
        ("run", "severity", "figure", "value", *_INTERVAL),
        rows,
    )


def accuracy_by(runs: Sequence[Run], by: str) -> Figure:
    """Draw accuracy at L1 and L2, and the change from L0 to L2, of each cell of a breakdown."""
    names = cells(runs, by)
    rows: list[Row] = []
    for run in runs:
        for name in names:
            cell = run.summary["by"][by].get(name)
            for severity, figures in (cell["by_severity"] if cell else {}).items():
                rows.append((run.label, name, severity, "accuracy", figures["accuracy"], *_spread(figures, "accuracy")))
                if change := figures.get("change_from_l0"):
                    low, high, *_ = _spread(change, "accuracy")
                    size = (change["pairs"], figures["clusters"], figures["few_clusters"])
                    rows.append((run.label, name, severity, "change_from_l0", change["accuracy"], low, high, *size))
    shown = runs[:MOST_RUNS]

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, 3, sharey=True)
        for axes, (severity, title) in zip(
            grid, (("L1", "L1"), ("L2", "L2"), ("", "Change from L0 to L2")), strict=True
        ):
            for index, run in enumerate(shown):
                offset = 0.7 * ((len(shown) - 1) / 2 - index) / max(len(shown), 2)
                found = [_at(run, by, name, severity or "L2") for name in reversed(names)]
                if not severity:
                    found = [
                        {**each.get("change_from_l0", {}), "few_clusters": each.get("few_clusters")} for each in found
                    ]
                placed = [(figures, place + offset) for place, figures in enumerate(found)]
                _mark(axes, "accuracy", COLOURS[index], MARKS[index], placed)
            axes.set_title(title)
            axes.xaxis.set_major_formatter(percent_tick if severity else points_tick)
            axes.locator_params(axis="x", nbins=5)
            if severity:
                axes.set_xlim(-0.03, 1.03)
            else:
                axes.axvline(0, color=INK, lw=0.8)
        _name_lines(grid[0], [words(name) for name in reversed(names)])
        canvas.legend(handles=_run_legend(shown), loc="outside upper center", ncols=min(len(shown), 3))

    noun = NOUNS.get(by, by)
    return draw(
        f"accuracy_by_{noun}",
        f"Accuracy by {noun}",
        f"Accuracy on mild and severe images, and the change from each one's own clean image in percentage points, "
        f"with 95 % intervals. Hollow: fewer than {FEW_CLUSTERS} questions, read with care.{_only(runs)}",
        _told(
            runs,
            f"Accuracy at L2 by {noun}",
            lambda run: ", ".join(f"{words(n)} {percent(_at(run, by, n, 'L2').get('accuracy'))}" for n in names),
        ),
        (_WIDTH, 1.3 + max(_LINE, 0.1 * (len(shown) + 0.6)) * len(names)),
        paint,
        ("run", noun, "severity", "figure", "value", *_INTERVAL),
        rows,
    )


def drops(runs: Sequence[Run], by: str) -> Figure:
    """Draw the heatmap of accuracy lost at L1 and L2, cells by runs."""
    names = _dropped(runs, by)
    rows: list[Row] = []
    for run in runs:
        for name in names:
            for severity in ("L1", "L2"):
                figures = _at(run, by, name, severity)
                if (drop := _drop(figures)) is not None:
                    change = figures["change_from_l0"].get("accuracy_ci")
                    interval = (-change[1], -change[0]) if change else (None, None)
                    size = (figures["change_from_l0"]["pairs"], figures["clusters"], figures["few_clusters"])
                    rows.append((run.label, name, severity, drop, *interval, *size))
    found = {(row[0], row[1], row[2]): row for row in rows}
    widest = max((abs(row[3]) for row in rows), default=0.0) or 0.01
    told = len(runs) <= MOST_RUNS

    def paint(canvas: Canvas) -> None:
        grid = canvas.subplots(1, 2, sharey=True)
        mesh = None
        for axes, severity in zip(grid, ("L1", "L2"), strict=True):
            values = [
                [found[key][3] if (key := (run.label, name, severity)) in found else float("nan") for run in runs]
                for name in names
            ]
            mesh = axes.pcolormesh(
                values, cmap=_DROP_COLOURS, vmin=-widest, vmax=widest, edgecolors=FADED, linewidth=0.4
            )
            for y, name in enumerate(names):
                for x, run in enumerate(runs):
                    row = found.get((run.label, name, severity))
                    if row is None:
                        axes.text(x + 0.5, y + 0.5, "–", ha="center", va="center", fontsize=8)
                    elif told:
                        # Always dark: the cell behind it is light on every page.
                        text = points(row[3]) + ("*" if row[-1] else "")
                        axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=7.5, color="#111111")
                    elif row[-1]:
                        axes.add_patch(Rectangle((x, y), 1, 1, fill=False, hatch="///", edgecolor="#555555", lw=0))
            axes.grid(visible=False)
            axes.set_title(f"L0 to {severity}")
            axes.set_xticks([x + 0.5 for x in range(len(runs))], [shorten(run.label, 24) for run in runs])
            axes.tick_params(axis="x", labelrotation=30 if told else 90, length=0)
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("right" if told else "center")
                label.set_rotation_mode("anchor" if told else "default")
        grid[0].set_yticks([y + 0.5 for y in range(len(names))], [shorten(words(name), _NAME) for name in names])
        grid[0].invert_yaxis()
        grid[0].tick_params(axis="y", length=0)
        assert mesh is not None
        bar = canvas.colorbar(mesh, ax=grid, shrink=0.8, aspect=30, format=points_tick)
        bar.set_label("accuracy lost, percentage points")

    noun = NOUNS.get(by, by)
    return draw(
        f"drops_by_{noun}",
        f"Accuracy lost by {noun}",
        "Accuracy on the clean image minus accuracy on its degraded ones, in percentage points: orange is lost, blue "
        f"is gained. {'A star marks' if told else 'Hatched:'} fewer than {FEW_CLUSTERS} questions.",
        _told(
            runs,
            f"Percentage points of accuracy lost from L0 to L2 by {noun}",
            lambda run: ", ".join(
                f"{words(n)} {points(found[key][3])}" for n in names if (key := (run.label, n, "L2")) in found
            ),
        ),
        (max(_WIDTH, 3.5 + 0.4 * len(runs)), 1.9 + 0.24 * len(names)),
        paint,
        ("run", noun, "severity", "drop", *_INTERVAL),
        rows,
    )


def reliability(runs: Sequence[Run]) -> Figure:
    """Draw how often a model is right against how sure it is, at L0 and at the severest level."""
    rows: list[Row] = [
        (run.label, severity, *bin_)
        for run in runs
        for severity, curve in run.reliability.items()
        for bin_ in zip(curve["confidence"], curve["accuracy"], curve["n"], strict=True)
    ]

    def paint_one(axes: Axes, severity: str) -> None:
        axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls="--")
        for index, run in enumerate(runs[:MOST_RUNS]):
            curve = run.reliability.get(severity)
            if curve:
                total = sum(curve["n"]) or 1
                axes.plot(curve["confidence"], curve["accuracy"], color=COLOURS[index], lw=1.3, zorder=2)
                axes.scatter(
                    curve["confidence"],
                    curve["accuracy"],
                    s=[14 + 200 * n / total for n in curve["n"]],
                    color=COLOURS[index],
                    marker=MARKS[index],
                    edgecolors=INK,
                    linewidths=0.5,
                    alpha=0.85,
                    zorder=3,
                )
        axes.set(xlim=(-0.04, 1.06), ylim=(-0.04, 1.06), xlabel="share of the votes for the favourite answer")

    return draw(
        "reliability",
        "Reliability",
        "On the dashed line a model is right as often as it is sure; below it is overconfident. Larger: more rows."
        + _only(runs),
        _told(
            runs,
            "Expected calibration error at L0, L1 and L2",
            lambda run: ", ".join(decimal(run.at(s).get("ece")) for s in SEVERITY_NAMES),
        ),
        (_WIDTH, 4.2),
        lambda canvas: _pair(canvas, runs, paint_one, "share of these that are right"),
        ("run", "severity", "confidence", "accuracy", "rows"),
        rows,
    )


def risk_coverage(runs: Sequence[Run]) -> Figure:
    """Draw the share of wrong answers when only the surest rows are answered."""
    rows: list[Row] = [
        (run.label, severity, *point)
        for run in runs
        for severity, curve in run.risk_coverage.items()
        for point in zip(curve["threshold"], curve["coverage"], curve["risk"], strict=True)
    ]

    def paint_one(axes: Axes, severity: str) -> None:
        for index, run in enumerate(runs[:MOST_RUNS]):
            curve = run.risk_coverage.get(severity)
            if curve:
                # An image needs no thousand marks.
                step = max(1, len(curve["coverage"]) // 12)
                axes.plot(
                    _thinned(curve["coverage"]),
                    _thinned(curve["risk"]),
                    color=COLOURS[index],
                    marker=MARKS[index],
                    markevery=step,
                    ms=5,
                    mec=INK,
                    mew=0.5,
                    lw=1.4,
                )
        axes.set(xlim=(0, 1.03), ylim=(-0.03, 1.03), xlabel="share of rows answered, surest first")

    return draw(
        "risk_coverage",
        "Risk and coverage",
        "If a model may decline what it is least sure of: how many of the answers that remain are wrong. Lower is "
        f"better; a flat line means that its confidence tells nothing.{_only(runs)}",
        _told(
            runs,
            "Area under the curve at L0, L1 and L2",
            lambda run: ", ".join(decimal(run.at(s).get("aurc")) for s in SEVERITY_NAMES),
        ),
        (_WIDTH, 3.9),
        lambda canvas: _pair(canvas, runs, paint_one, "share of these that are wrong"),
        ("run", "severity", "threshold", "coverage", "risk"),
        rows,
    )


def percent_tick(value: float, place: object = None) -> str:
    """Write a tick in percent."""
    del place
    return f"{100 * value:.0f} %"


def points_tick(value: float, place: object = None) -> str:
    """Write a tick in percentage points."""
    del place
    return f"{round(100 * value):+d}".replace("-", "−") if round(100 * value) else "0"


def _pair(canvas: Canvas, runs: Sequence[Run], paint_one: Any, label: str) -> None:
    """Paint the least and the most severe images side by side."""
    severities = [name for name in SEVERITY_NAMES if any(run.at(name) for run in runs)]
    ends = list(dict.fromkeys((severities[0], severities[-1])))
    grid = canvas.subplots(1, len(ends), sharey=True, squeeze=False)[0]
    for axes, severity in zip(grid, ends, strict=True):
        paint_one(axes, severity)
        axes.set_title(severity)
    grid[0].set_ylabel(label)
    shown = runs[:MOST_RUNS]
    canvas.legend(handles=_run_legend(shown), loc="outside upper center", ncols=min(len(shown), 3))


def _thinned(values: Sequence[float], most: int = 200) -> list[float]:
    step = max(1, -(-len(values) // most))
    return [*values[:-1:step], *values[-1:]]


def _mark(axes: Axes, name: str, colour: str, mark: str, placed: Sequence[tuple[Mapping[str, Any], float]]) -> None:
    """Draw a figure of several cells, each at its height, with intervals; hollow where it rests on few questions."""
    known = [(figures, place) for figures, place in placed if figures.get(name) is not None]
    spread = [(*figures[f"{name}_ci"], place) for figures, place in known if figures.get(f"{name}_ci")]
    if spread:
        low, high, places = zip(*spread, strict=True)
        axes.hlines(places, low, high, color=colour, lw=1.2, zorder=2)
    for few, style in (
        (False, {"mfc": colour, "mec": INK, "mew": 0.5}),
        (True, {"mfc": "none", "mec": colour, "mew": 1.2}),
    ):
        some = [(figures[name], place) for figures, place in known if bool(figures.get("few_clusters")) is few]
        if some:
            axes.plot(*zip(*some, strict=True), mark, ms=5.5, zorder=3, **style)  # type: ignore[arg-type]


def _at(run: Run, by: str, name: str, severity: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = run.summary["by"][by].get(name, {}).get("by_severity", {}).get(severity, {})
    return found


def _drop(figures: Mapping[str, Any]) -> float | None:
    change = figures.get("change_from_l0", {}).get("accuracy")
    return None if change is None else -change


def _dropped(runs: Sequence[Run], by: str) -> list[str]:
    return [
        name
        for name in cells(runs, by)
        if any(_drop(_at(run, by, name, severity)) is not None for run in runs for severity in ("L1", "L2"))
    ]


def _spread(
    figures: Mapping[str, Any], name: str
) -> tuple[float | None, float | None, int | None, int | None, bool | None]:
    low, high = figures.get(f"{name}_ci") or (None, None)
    return low, high, figures.get("n"), figures.get("clusters"), figures.get("few_clusters")


def _name_lines(axes: Axes, names: Sequence[str], bold: Sequence[bool] = ()) -> None:
    axes.set_yticks(range(len(names)), [shorten(name, _NAME) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.tick_params(axis="y", length=0)
    for label, strong in zip(axes.get_yticklabels(), bold, strict=False):
        label.set(
            fontweight="bold" if strong else "normal", color=INK if strong else FADED, fontsize=9 if strong else 7.5
        )


def _severity_legend() -> list[Line2D]:
    told = {"L0": "L0 clean", "L1": "L1 mild", "L2": "L2 severe"}
    return [
        Line2D([], [], marker=SEVERITY_MARKS[name], color=colour, mec=INK, mew=0.5, ls="none", label=told[name])
        for name, colour in SEVERITY_COLOURS.items()
    ]


def _run_legend(runs: Sequence[Run]) -> list[Line2D]:
    return [
        Line2D([], [], marker=MARKS[i], color=COLOURS[i], mec=INK, mew=0.5, lw=1.3, label=shorten(run.label, _NAME))
        for i, run in enumerate(runs)
    ]


def _told(runs: Sequence[Run], what: str, tell: Any) -> str:
    more = f" And {len(runs) - MOST_RUNS} more runs, in the table." if len(runs) > MOST_RUNS else ""
    return f"{what}. " + " ".join(f"{run.label}: {tell(run)}." for run in runs[:MOST_RUNS]) + more


def _only(runs: Sequence[Run]) -> str:
    return f" The first {MOST_RUNS} of {len(runs)} runs; the CSV file has all." if len(runs) > MOST_RUNS else ""
