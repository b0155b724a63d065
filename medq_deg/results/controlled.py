"""What the controls say about a run: its orders of the options, its blind baseline, and when it may answer.

Figures come from `medq_deg.metrics`; here runs are matched with their blind baselines, and figures put into sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from medq_deg.errors import MedqDegError
from medq_deg.evaluation.controls import controls_told
from medq_deg.evaluation.planning import error_sentence
from medq_deg.metrics import deferral, has_orders, order_figures, visual_gain

if TYPE_CHECKING:
    from medq_deg.results.score import AnsweredRun

_MUST_AGREE: Final = ("model", "parser", "prompt", "trials", "seed", "orders")
"""Settings that a run and its blind baseline must share."""


@dataclass(frozen=True)
class ControlFigures:
    """The figures of a run's controls; None where there is nothing to say.

    Attributes
    ----------
    told : list of str
        How the run was asked differently from the paper's.
    option_orders : mapping, optional
        From `medq_deg.metrics.order_figures`, of a run that asked in several orders.
    blind : mapping, optional
        From `medq_deg.metrics.visual_gain`, of a run with its blind baseline.
    deferral : mapping, optional
        From `medq_deg.metrics.deferral`, of a run that saw clean images.
    subset : mapping, optional
        ``rows`` asked for, and ``of`` how many.
    """

    told: list[str]
    option_orders: Mapping[str, Any] | None
    blind: Mapping[str, Any] | None
    deferral: Mapping[str, Any] | None
    subset: Mapping[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """Return those that there are, ready for JSON."""
        figures = {name: getattr(self, name) for name in ("option_orders", "blind", "deferral", "subset")}
        return {"asked": self.told, **{name: value for name, value in figures.items() if value is not None}}


def control_figures(
    run: AnsweredRun, blind: AnsweredRun | None = None, *, n_resamples: int = 1000, seed: int = 0
) -> ControlFigures:
    """Compute what the controls say about a run.

    Parameters
    ----------
    run : AnsweredRun
        The run.
    blind : AnsweredRun, optional
        Its blind baseline, see `match_blind`.
    n_resamples, seed : int
        Of the bootstrap.

    Raises
    ------
    MedqDegError
        If the rows do not allow it, see `medq_deg.metrics`.
    """
    how: dict[str, Any] = {"source": run.source, "n_resamples": n_resamples, "seed": seed}
    saw_clean = run.settings.get("image", "shown") == "shown" and any(row["severity"] == 0 for row in run.rows)
    return ControlFigures(
        told=controls_told(run.settings),
        option_orders=order_figures(run.rows, **how) if has_orders(run.rows) else None,
        blind=None if blind is None else visual_gain(run.rows, blind.rows, **how),
        deferral=deferral(run.rows, **how) if saw_clean else None,
        subset=run.settings.get("subset"),
    )


def match_blind(runs: Sequence[AnsweredRun], blinds: Sequence[AnsweredRun]) -> list[AnsweredRun | None]:
    """Return the blind baseline of each run, None where none is of the same model, asked in the same way.

    Raises
    ------
    MedqDegError
        If a baseline belongs to no run, or two to one; the message says what differs.
    """
    found: list[AnsweredRun | None] = [None] * len(runs)
    for blind in blinds:
        fits = [place for place, run in enumerate(runs) if not _differences(run, blind)]
        if not fits:
            told = "; ".join(f"{run.path}: {', '.join(_differences(run, blind))}" for run in runs)
            raise MedqDegError(f"{blind.path}: is not the blind baseline of this run. {told}")
        for place in fits:
            if (other := found[place]) is not None:
                raise MedqDegError(f"{runs[place].path}: has two blind baselines, {other.path} and {blind.path}")
            found[place] = blind
    return found


def _differences(run: AnsweredRun, blind: AnsweredRun) -> list[str]:
    """Say what keeps a blind run from being the baseline of a run."""
    told = []
    for name in _MUST_AGREE:
        default = 1 if name == "orders" else None
        mine, other = (each.settings.get(name, default) for each in (run, blind))
        if mine != other:
            shown = [each["name"] if isinstance(each, dict) else each for each in (mine, other)]
            differs = f"{shown[0]!r} and {shown[1]!r}" if shown[0] != shown[1] else "other settings"
            told.append(f"another {name} ({differs})")
    if run.settings.get("image", "shown") != "shown":
        told.append("it is blind itself")
    asked = {row["id"]: row for row in run.rows if row["severity"] == 0}
    both = [(asked[row["id"]], row) for row in blind.rows if row["id"] in asked]
    if not both:
        told.append("no clean question in common")
    if changed := sum(
        any(one[name] != other[name] for name in ("question", "options", "answer")) for one, other in both
    ):
        told.append(f"{changed} questions are worded otherwise")
    return told


def blind_sentences(figures: Mapping[str, Any]) -> list[str]:
    """Say what the image adds; the first sentence is the warning, if there is one."""
    blind, gain = figures["blind_accuracy"], figures["visual_gain"]
    sentences = []
    if not figures["image_helps"]:
        sentences.append(
            f"Clean accuracy ({_percent(figures['accuracy']['L0'])}) is not clearly above the accuracy without a "
            f"image ({_percent(blind)}): what this model answers does not come from the images."
        )
    sentences.append(
        f"Blind, on {figures['questions']} clean questions: accuracy {_percent(blind)}"
        f"{_between(figures['blind_accuracy_ci'])}, chance {_percent(figures['chance'])}, "
        f"{_percent(figures['blind_parse_rate'])} of the votes readable, agreement shift "
        f"{figures['blind_agreement_shift']:+.3f}. The image adds {100 * gain:.1f} points"
        f"{_between(figures['visual_gain_ci'])}."
    )
    if figures["kept_reason"]:
        sentences.append(f"Visual gain kept: not given, {figures['kept_reason']}.")
    else:
        kept = ", ".join(
            f"{name} {_percent(value)}{_between(figures['kept_ci'][name])}" for name, value in figures["kept"].items()
        )
        sentences.append(f"Visual gain kept: {kept}." if kept else "There are no degraded rows to keep it on.")
    return sentences


def order_sentences(figures: Mapping[str, Any]) -> list[str]:
    """Say what several orders of the options show."""
    levels = figures.get("by_severity") or {}
    shifts = ", ".join(
        f"{name} {level['agreement_shift_orders']:+.3f}{_range(level['agreement_shift_orders_ci'])}"
        for name, level in levels.items()
    )
    return [
        f"Agreement shift over orders, the figure to quote: "
        f"{shifts or format(figures['agreement_shift_orders'], '+.3f')}.",
        f"Two votes agree in {_percent(figures['agreement_within'])} within an order and in "
        f"{_percent(figures['agreement_between'])} across orders: order gap {figures['order_gap']:+.3f}"
        f"{_range(figures['order_gap_ci'])}, 0 without a pull of positions.",
        *(
            f"With {options} options, votes by position: "
            f"{', '.join(_percent(share) for share in each['share'])} (even: {_percent(each['chance'])}); right where "
            f"the right option stands there: {', '.join(_percent(share) for share in each['recall'])}."
            for options, each in figures["positions"].items()
        ),
        "Calibration shift and confidence of this run pool its orders: they are not to be set beside published ones.",
    ]


def deferral_sentences(figures: Mapping[str, Any]) -> list[str]:
    """Say when the model may answer, and what that gives."""
    target, sure = _percent(figures["target"]), _percent(1 - figures["delta"])
    if figures["threshold"] is None:
        return [f"Answering only when sure: {figures['reason']}"]
    needed = (
        f"at least {figures['votes_needed']} of {figures['trials']} votes agree"
        if figures["votes_needed"] is not None
        else f"one option has a probability of at least {figures['threshold']:.2f}"
    )
    told = "; ".join(
        f"{name}: {_percent(level['answered'])} answered{_between(level['answered_ci'])}"
        + (
            f", {_percent(level['right'])} of these right{_between(level['right_ci'])}"
            if level["right"] is not None
            else ""
        )
        for name, level in figures["by_severity"].items()
    )
    return [
        f"Answering only when {needed} keeps {target} right on new clean images (true in {sure} of such choices). "
        f"{told}. Nothing is promised on degraded images."
    ]


def subset_sentence(subset: Mapping[str, Any]) -> str:
    """Say what a run on a subset may be used for."""
    return (
        f"Measured on a subset of at most {subset['rows']} rows: {error_sentence(subset['rows'], subset['of'])}. It "
        "compares only with runs on the same rows, and is not ranked with whole ones."
    )


def control_sentences(figures: ControlFigures) -> list[str]:
    """Say all of it, what a reader must know first at the beginning."""
    return [
        *(blind_sentences(figures.blind) if figures.blind else []),
        *([subset_sentence(figures.subset)] if figures.subset else []),
        *([f"Asked differently from the paper: {'; '.join(figures.told)}."] if figures.told else []),
        *(order_sentences(figures.option_orders) if figures.option_orders else []),
        *(deferral_sentences(figures.deferral) if figures.deferral else []),
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _between(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"


def _range(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f" ({interval[0]:+.3f} to {interval[1]:+.3f})"
