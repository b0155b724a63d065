"""The answer to the question that a run is made for, in words: can it be trusted when the image is bad.

One pure function from the scores of a run to one class of answer and its sentences. The command line, the JSON result,
the report and its card all take the answer from here, so that they cannot say different things.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from medq_deg.metrics import FEW_CLUSTERS
from medq_deg.metrics.johnson import TOO_FEW
from medq_deg.results.numbers import change_of_100, more_or_fewer, of_100, range_of_100
from medq_deg.results.sampling import sampling_note

Tone: TypeAlias = Literal["good", "bad", "unsure"]
Scores: TypeAlias = Mapping[str, Any]

MARGIN: Final = 0.03
"""A loss of accuracy that is certainly below this share counts as kept; the same for sureness that keeps pace."""

READABLE: Final = 0.9
"""Least share of the answers that must be readable at each severity."""

READABLE_APART: Final = 0.05
"""Most that the readable shares of two severities may differ."""

CLASSES: Final[Mapping[str, str]] = {
    "incomplete": "rows have no answer",
    "no_clean": "no degraded row has its clean row",
    "unreadable": "answers are not readable at a severity, or much less often than at another",
    "few": f"pairs from fewer than {FEW_CLUSTERS} questions",
    "guessing": "the range of the clean accuracy holds chance",
    "blind": "clean accuracy is not above that without the image",
    "gained": "the whole range of the change is a gain",
    "kept": "a loss of the margin or more is ruled out",
    "falls_unnoticed": "accuracy falls, and sureness does not fall with it",
    "falls_noticed": "accuracy falls, and sureness falls with it",
    "falls_unclear": "accuracy falls, and what sureness does is not known",
    "undecided": "anything else",
}
"""Every class of answer and when it is given; the first that holds is given."""


@dataclass(frozen=True)
class Answer:
    """The answer of a run.

    Attributes
    ----------
    key : str
        One of `CLASSES`.
    word : str
        The verdict in a word or two, such as "No".
    tone : {"good", "bad", "unsure"}
        How to colour the word.
    headline : str
        What happens on severely degraded images, in one sentence.
    evidence : str
        The range, and what it rests on.
    advice : str
        What to do.
    notes : tuple of str
        Sentences that qualify the answer; where a verdict is withheld, the first says why.
    """

    key: str
    word: str
    tone: Tone
    headline: str
    evidence: str
    advice: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.word}. {self.headline}"

    def as_json(self) -> dict[str, Any]:
        """Return the answer as it stands in `metrics.json`."""
        return {**asdict(self), "notes": list(self.notes)}


def answer(scores: Scores, *, margin: float = MARGIN) -> Answer:
    """Answer whether the model of a run can be trusted when the image is bad.

    Parameters
    ----------
    scores : mapping
        What `medq_deg.results.score.score_run` returns: the report of `medq_deg.metrics.summarize`, and
        ``rows`` and ``unanswered`` (rows of the run, and those without an answer), ``chance`` (mean of 1 / options over
        the clean rows); where they exist, ``blind`` (see `medq_deg.metrics.blind`) and ``sampling`` (see
        `medq_deg.models.servers`).
    margin : float
        A loss of accuracy certainly below this counts as kept, a share.

    Returns
    -------
    Answer
    """
    key = _class(scores, margin)
    return Answer(key, *_WORDS[key](scores, margin), notes=_notes(key, scores, margin))


def _class(scores: Scores, margin: float) -> str:
    """Return the first class that holds."""
    levels, effect = scores["by_severity"], scores.get("dunning_kruger") or {}
    if scores.get("unanswered"):
        return "incomplete"
    if effect.get("accuracy_drop") is None:
        return "no_clean"
    readable = [level["parse_rate"] for level in levels.values()]
    if min(readable) < READABLE or max(readable) - min(readable) > READABLE_APART:
        return "unreadable"
    if effect["clusters"] < FEW_CLUSTERS or not effect.get("accuracy_drop_ci"):
        return "few"
    if (levels["L0"].get("accuracy_ci") or [1.0])[0] <= scores["chance"]:
        return "guessing"
    gain = (scores.get("blind") or {}).get("visual_gain_ci")
    if gain is not None and gain[0] <= 0:
        return "blind"
    low, high = effect["accuracy_drop_ci"]
    if high < 0:
        return "gained"
    if high < margin:
        return "kept"
    if low <= 0:
        return "undecided"
    if withheld(scores):
        return "falls_unclear"
    gap = effect["agreement_shift"]
    if gap["verdict"] == "supported":
        return "falls_unnoticed"
    change = gap.get("change_ci")
    if gap["verdict"] == "refuted" or (change is not None and change[1] < margin):
        return "falls_noticed"
    return "falls_unclear"


def withheld(scores: Scores) -> str:
    """Say why nothing is said about sureness; empty where nothing stands in the way."""
    sampling = scores.get("sampling") or {}
    if sampling.get("identical") or sampling.get("neutral") is False:
        return (sampling_note(sampling) or "").rstrip(".")
    reason = ((scores.get("dunning_kruger") or {}).get("agreement_shift") or {}).get("reason")
    if reason == TOO_FEW:
        return f"{_TOO_FEW}, with changes so uneven, to say what its sureness does"
    return f"{reason[:1].upper()}{reason[1:]}".rstrip(".") if reason else ""


Words: TypeAlias = tuple[str, Tone, str, str, str]


def _incomplete(scores: Scores, margin: float) -> Words:
    del margin
    effect = scores.get("dunning_kruger") or {}
    so_far = "" if effect.get("accuracy_drop") is None else f"So far: {_change(effect['accuracy_drop'])}."
    return (
        "Not finished",
        "unsure",
        f"{scores['unanswered']} of {scores['rows']} images are unanswered; the answer may change.",
        so_far,
        "Run the same command again; it goes on where it stopped.",
    )


def _no_clean(scores: Scores, margin: float) -> Words:
    del margin
    levels = scores["by_severity"]
    if not {"L1", "L2"} & set(levels):
        return (
            "Cannot be asked",
            "unsure",
            "The run has no degraded images.",
            f"Of 100 answers, {of_100(scores['accuracy'])} are right on clean ones.",
            "Run the degraded images too (severities 1 and 2).",
        )
    worst = "L2" if "L2" in levels else "L1"
    if "L0" in levels and "L2" not in levels:
        return (
            "Cannot be asked",
            "unsure",
            "The run has no severely degraded images.",
            f"Of 100 answers, {of_100(levels['L1']['accuracy'])} are right on mildly degraded ones.",
            "Run the severely degraded images too (severity 2).",
        )
    return (
        "Cannot be asked",
        "unsure",
        "The run has no clean images to compare with.",
        f"Of 100 answers, {of_100(levels[worst]['accuracy'])} are right on "
        f"{'severely' if worst == 'L2' else 'mildly'} degraded images.",
        "Run the clean images too (severity 0).",
    )


def _unreadable(scores: Scores, margin: float) -> Words:
    del margin
    levels = scores["by_severity"]
    names = {"L0": "on clean images", "L1": "on mildly degraded ones", "L2": "on severely degraded ones"}
    told = ", ".join(f"{of_100(levels[name]['parse_rate'])} of 100 {names[name]}" for name in levels)
    return (
        "Not measured",
        "unsure",
        f"{of_100(1 - scores['parse_rate'])} of 100 answers could not be read, so what is measured is format, not "
        "skill.",
        f"Readable: {told}.",
        "Look at what the model said, mend the prompt, the parser or the limit of tokens, and run it again.",
    )


def _few(scores: Scores, margin: float) -> Words:
    del margin
    effect = scores["dunning_kruger"]
    count = effect["clusters"]
    return (
        "Too few questions",
        "unsure",
        f"{count} question{'' if count == 1 else 's'} cannot answer this; {FEW_CLUSTERS} is the least, some hundred "
        "are better.",
        f"Seen so far: {_change(effect['accuracy_drop'])}. No range is given: it would be too short.",
        "Ask more questions. All else here is an impression.",
    )


def _guessing(scores: Scores, margin: float) -> Words:
    del margin
    clean = scores["by_severity"]["L0"]
    return (
        "Cannot be asked",
        "unsure",
        f"Already on clean images it is no better than guessing: {of_100(clean['accuracy'])} right in 100, chance "
        f"gives {of_100(scores['chance'])}.",
        f"{_range(scores)}: {range_of_100(clean['accuracy_ci'])} right in 100. A model that guesses cannot get worse.",
        "Check prompt, images and parser; then the model.",
    )


def _blind(scores: Scores, margin: float) -> Words:
    del margin
    blind = scores["blind"]
    return (
        "Cannot be asked",
        "unsure",
        f"It is no better with the image than without it: {of_100(scores['by_severity']['L0']['accuracy'])} right in "
        f"100 on clean images, {of_100(blind['blind_accuracy'])} when no image is shown.",
        f"The image adds {change_of_100(blind['visual_gain'])} in 100 ({_range(scores)}: "
        f"{_signed(blind['visual_gain_ci'])}).",
        "It answers from the words of the question. Ask questions that need the image, or take another model.",
    )


def _gained(scores: Scores, margin: float) -> Words:
    del margin
    effect = scores["dunning_kruger"]
    low, high = effect["accuracy_drop_ci"]
    return (
        "Yes, oddly",
        "unsure",
        f"It is right {of_100(-effect['accuracy_drop'])} more times in 100 on severely degraded images than on clean "
        "ones.",
        f"This is unusual ({_range(scores)}: {range_of_100((-high, -low))} more right).",
        "Look for a leak: answers in file names, clean and degraded images mixed up, another prompt.",
    )


def _kept(scores: Scores, margin: float) -> Words:
    low, high = scores["dunning_kruger"]["accuracy_drop_ci"]
    most = f"at most {of_100(high)} more wrong in 100" if high > 0 else "no more wrong"
    return (
        "Yes",
        "good",
        f"On severely degraded images it is about as often right: {most}.",
        f"A loss of {of_100(margin)} or more in 100 is ruled out ({_range(scores)}: {more_or_fewer((low, high))}).",
        "Nothing here speaks against use on such images. Check the kinds that were not tested.",
    )


def _falls(scores: Scores, rest: str) -> tuple[str, str]:
    """Return headline and range of a loss."""
    effect = scores["dunning_kruger"]
    return (
        f"On severely degraded images it is wrong {of_100(effect['accuracy_drop'])} more times in 100{rest}",
        f"{_range(scores)}: {range_of_100(effect['accuracy_drop_ci'])} more.",
    )


def _falls_unnoticed(scores: Scores, margin: float) -> Words:
    headline, evidence = _falls(scores, f", {sureness(scores, margin)}.")
    return (
        "No",
        "bad",
        headline,
        evidence,
        "How sure it seems is no safeguard. Check the image before the model sees it.",
    )


def _falls_noticed(scores: Scores, margin: float) -> Words:
    del margin
    change = scores["by_severity"]["L2"]["change_from_l0"]["agreement"]
    headline, evidence = _falls(scores, ", and it gets less sure to match.")
    evidence += f" Its sureness {'fell' if change <= 0 else 'rose'} by {of_100(abs(change))}."
    return "Partly", "unsure", headline, evidence, "Its doubt can be used: hand over what it is unsure of."


def _falls_unclear(scores: Scores, margin: float) -> Words:
    del margin
    headline, evidence = _falls(scores, ". Whether it notices is not known.")
    advice = "Do not rely on its sureness until more questions were asked."
    if reason := withheld(scores):
        advice = "Do not rely on its sureness."
        evidence += f" {reason}."
    else:
        gap = scores["dunning_kruger"]["agreement_shift"]
        told = f" ({_signed(gap['change_ci'])})" if gap.get("change_ci") else ""
        evidence += f" Its surplus of sureness changed by {change_of_100(gap['change'])}{told}: not enough to decide."
    return "No", "bad", headline, evidence, advice


def _undecided(scores: Scores, margin: float) -> Words:
    effect = scores["dunning_kruger"]
    low, high = effect["accuracy_drop_ci"]
    needed = questions_needed(effect["accuracy_drop"], (low, high), effect["clusters"], margin)
    return (
        "Not known",
        "unsure",
        f"It may be as good on severely degraded images, or up to {of_100(high)} more wrong in 100.",
        f"The {_range(scores)}, {more_or_fewer((low, high))} wrong, holds both no loss and a loss that matters.",
        f"About {needed} questions would settle it.",
    )


_WORDS: Final = {
    "incomplete": _incomplete,
    "no_clean": _no_clean,
    "unreadable": _unreadable,
    "few": _few,
    "guessing": _guessing,
    "blind": _blind,
    "gained": _gained,
    "kept": _kept,
    "falls_unnoticed": _falls_unnoticed,
    "falls_noticed": _falls_noticed,
    "falls_unclear": _falls_unclear,
    "undecided": _undecided,
}

_TOO_FEW: Final = "There are too few questions"

_DECIDED: Final = ("gained", "kept", "falls_unnoticed", "falls_noticed", "falls_unclear", "undecided")


def _notes(key: str, scores: Scores, margin: float) -> tuple[str, ...]:
    """Return the sentences that qualify an answer, the weightiest first."""
    notes = []
    reason = withheld(scores)
    sampled = sampling_note(scores.get("sampling") or {})
    if sampled and not (key == "falls_unclear" and sampled == f"{reason}."):  # its evidence says so
        notes.append(sampled)
    if key in _DECIDED:
        if reason and f"{reason}." not in notes and not key.startswith("falls") and not reason.startswith(_TOO_FEW):
            notes.append(f"{reason}.")
        changes = {name: level.get("change_from_l0") or {} for name, level in scores["by_severity"].items()}
        mild = changes.get("L1", {}).get("accuracy_ci")
        if mild and mild[1] < 0:
            loss = -changes["L1"]["accuracy"]
            notes.append(f"Mildly degraded: {of_100(loss)} more ({range_of_100((-mild[1], -mild[0]))}).")
        clean = scores["by_severity"]["L0"]
        if (clean.get("agreement_shift_ci") or [0.0])[0] > 0 and not reason:
            notes.append(
                f"Already on clean images it is surer than right, by {of_100(clean['agreement_shift'])} "
                f"({range_of_100(clean['agreement_shift_ci'])})."
            )
        gap = changes["L2"].get("agreement_shift_ci")
        if key == "kept" and gap and gap[0] > 0 and not reason:
            notes.append(f"It got surer by {of_100(changes['L2']['agreement_shift'])} without being right more often.")
    if scores.get("subset"):
        notes.append(f"Measured on a subset: {scores['rows']} rows.")
    return tuple(notes)


def sureness(scores: Scores, margin: float = MARGIN) -> str:
    """Say what sureness does where accuracy falls, from the paired change of agreement."""
    change = scores["by_severity"]["L2"]["change_from_l0"]
    low, high = change.get("agreement_ci") or (-math.inf, math.inf)
    if low > 0:
        return "and is even surer"
    if low > -margin and high < margin:
        return "and is just as sure"
    if low <= 0 <= high:
        return "and stays about as sure"
    return f"and is only {of_100(-change['agreement'])} less sure"


def questions_needed(loss: float, interval: Sequence[float], questions: int, margin: float) -> int:
    """Estimate how many questions would exclude no loss, or a loss of the margin, if the loss stays as it is.

    The length of an interval falls with the square root of the questions; the interval must come to lie on one side of
    0 or below the margin, whichever is farther from the estimate. Rounded to two digits.
    """
    half = max(loss - interval[0], interval[1] - loss)
    distance = max(loss, margin - loss)
    needed = questions * (half / distance) ** 2
    digits = int(10 ** max(0, math.floor(math.log10(max(needed, 1))) - 1))
    return max(math.ceil(needed / digits) * digits, questions + 1)


def _range(scores: Scores) -> str:
    """Name the ranges of a run, such as "95 % range"."""
    return f"{100 * (scores.get('confidence_level') or 0.95):g} % range"


def _change(drop: float) -> str:
    if of_100(abs(drop)) == "0":
        return "as often right as on clean images"
    return f"{of_100(abs(drop))} {'more' if drop >= 0 else 'fewer'} wrong in 100"


def _signed(interval: Sequence[float]) -> str:
    return range_of_100(interval, change_of_100)
