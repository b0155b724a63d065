"""After a review: its figures against hand and other formulas, the export, and the dataset without what was removed."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset

from medq_deg.data.build import build
from medq_deg.data.load import open_data
from medq_deg.data.verify import verify
from medq_deg.errors import MedqDegError
from medq_deg.review.agreement import agreements
from medq_deg.review.apply import apply_review
from medq_deg.review.auth import Auth
from medq_deg.review.catalogue import Catalogue, open_catalogue
from medq_deg.review.database import Database
from medq_deg.review.export import as_csv, as_jsonl
from medq_deg.review.report import make_report, removal_interval
from medq_deg.review.results import Opinion, Pair, read_review
from medq_deg.review.store import Store, Verdict
from tests.data.sources_of_demo import write_folder


def pair(number: int, *verdicts: str, question: int | None = None, names: str = "ABC") -> Pair:
    opinions = tuple(
        Opinion(name, Verdict(verdict, "wrong_modality" if verdict == "delete" else None), 0.0)
        for name, verdict in zip(names, verdicts, strict=False)
    )
    return Pair(f"q{number if question is None else question}", "CT", "low_dose", opinions)


@pytest.mark.parametrize(
    ("verdicts", "majority", "some", "every"),
    [
        ((), False, False, False),
        (("keep",), False, False, False),
        (("delete",), True, True, True),
        (("keep", "delete"), False, True, False),
        (("delete", "delete"), True, True, True),
        (("keep", "delete", "delete"), True, True, False),
        (("keep", "keep", "delete"), False, True, False),
    ],
)
def test_the_rules(verdicts: tuple[str, ...], majority: bool, some: bool, every: bool) -> None:
    one = pair(0, *verdicts)
    assert (one.removed("majority"), one.removed("any"), one.removed("all")) == (majority, some, every)


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(MedqDegError, match=r"unknown rule 'most'.*majority, any, all"):
        pair(0, "keep").removed("most")


def two_by_two(both_keep: int, first: int, second: int, both: int) -> list[Pair]:
    given = [("keep", "keep")] * both_keep + [("delete", "keep")] * first + [("keep", "delete")] * second
    given += [("delete", "delete")] * both
    return [pair(number, *verdicts) for number, verdicts in enumerate(given)]


def test_cohens_kappa_of_a_textbook_table() -> None:
    # 20 + 15 of 50 agree (0.7), 0.5 by chance: kappa is 0.4.
    observed, kappa, alpha = agreements(two_by_two(20, 5, 10, 15))
    assert observed.value == pytest.approx(0.7)
    assert kappa.name == "Cohen's kappa"
    assert kappa.value == pytest.approx(0.4)
    assert kappa.interval[0] < 0.4 < kappa.interval[1]
    # Krippendorff's alpha for two coders and nominal values: 1 - (n - 1) * disagreements / (n0 * n1).
    values = {"delete": 5 + 10 + 30, "keep": 40 + 5 + 10}
    assert alpha.value == pytest.approx(1 - 99 * 15 * 2 / 2 / (values["delete"] * values["keep"]))


def test_fleiss_kappa_where_reviewers_change() -> None:
    rng = random.Random(0)
    pairs = []
    for number in range(60):
        bad = rng.random() < 0.3
        verdicts = ["delete" if bad != (rng.random() < 0.2) else "keep" for _ in range(3)]
        pairs.append(pair(number, *verdicts, names="".join(rng.sample("ABCDE", 3))))
    _, kappa, alpha = agreements(pairs)
    counts = np.array([[3 - each.deletions, each.deletions] for each in pairs])
    share = counts.sum(axis=0) / counts.sum()
    observed = ((counts**2).sum(axis=1) - 3).mean() / 6
    expected = (share**2).sum()
    assert kappa.name == "Fleiss' kappa"
    assert kappa.value == pytest.approx((observed - expected) / (1 - expected))
    assert alpha.value == pytest.approx(kappa.value, abs=0.01)


def test_agreement_is_undefined_rather_than_wrong() -> None:
    assert [each.value for each in agreements([pair(0, "keep"), pair(1, "delete")])] == [None, None, None]
    observed, kappa, alpha = agreements([pair(number, "keep", "keep") for number in range(5)])
    assert observed.value == 1
    assert kappa.value is None
    assert alpha.value is None
    assert "the same" in kappa.note


def test_questions_not_pairs_carry_the_intervals_of_agreement() -> None:
    single = two_by_two(20, 5, 10, 15)
    tripled = [
        pair(number, *(opinion.verdict.verdict for opinion in each.opinions)) for number, each in enumerate(single)
    ]
    tripled = [each for each in tripled for _ in range(3)]
    assert agreements(tripled)[1].interval == pytest.approx(agreements(single)[1].interval)


def test_removal_interval_is_wilsons_where_each_question_has_one_pair() -> None:
    removed = [True] * 10 + [False] * 90
    low, high = removal_interval(removed, [str(number) for number in range(100)])
    # (p + z^2 / 2n -+ z sqrt(p q / n + z^2 / 4n^2)) / (1 + z^2 / n)
    assert (low, high) == (pytest.approx(0.05523, abs=1e-4), pytest.approx(0.17437, abs=1e-4))


def test_pairs_that_share_their_fate_count_once() -> None:
    single = removal_interval([True] * 10 + [False] * 90, [str(number) for number in range(100)])
    tripled = removal_interval([True] * 30 + [False] * 270, [str(number) for number in range(100) for _ in range(3)])
    assert tripled == pytest.approx(single, abs=0.002)


@pytest.mark.parametrize("removed", [True, False])
def test_an_interval_is_never_a_point(removed: bool) -> None:
    low, high = removal_interval([removed] * 6, ["a", "a", "b", "b", "c", "c"])
    assert high - low > 0.3
    assert (low if not removed else high) == (1.0 if removed else 0.0)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        bad = rng.random(60) < rng.choice([0.02, 0.16], size=60)  # 9 % on average
        removed = [bool(each) for each in bad for _ in range(2)]
        low, high = removal_interval(removed, [str(number) for number in range(60) for _ in range(2)])
        hits += low <= 0.09 <= high
    assert hits / 300 > 0.92


class Session:
    """Reviews a whole dataset: what is bad is decided by `bad`, of a question's id and the degradation's number."""

    def __init__(self, catalogue: Catalogue, path: Path, slots: int = 2, names: str = "ABC") -> None:
        self.database = Database(path, create=True)
        self.store = Store(self.database, catalogue, slots)
        auth = Auth(self.database)
        self.reviewers = [auth.log_in(auth.invite(name))[1].reviewer for name in names]
        self.clicks = 0

    def click(self) -> str:
        self.clicks += 1
        return f"click-{self.clicks}"

    def run(self, questions: int | None = None) -> None:
        for _ in range(questions or 10_000):
            working = False
            for reviewer in self.reviewers:
                question = self.store.take(reviewer)
                if question is None:
                    continue
                working = True
                reviewed = self.store.catalogue[question]
                for number in range(len(reviewed.pairs)):
                    rng = random.Random(f"{reviewed.question.question_id} {number}")
                    bad = (rng.random() < 0.3) != (random.Random(f"{reviewer} {question} {number}").random() < 0.1)
                    verdict = Verdict("delete", "severe_too_degraded", "=1|<b>no</b>") if bad else Verdict("keep")
                    self.store.save(reviewer, question, number, verdict, self.click(), [""])
                self.store.finish(reviewer, question, self.click(), 0)
            if not working:
                return


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build({"folder": write_folder(folder / "source")}, folder / "data", shard_bytes=600_000)
    return folder / "data"


@pytest.fixture(scope="module")
def session(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    made = Session(open_catalogue(str(built)), tmp_path_factory.mktemp("session") / "r.sqlite")
    made.run()
    return made


def test_the_report_counts_what_was_said(session: Session) -> None:
    review = read_review(session.database)
    report = make_report(review)
    assert (report.finished, report.questions) == (12, 12)
    assert report.reviewed == report.pairs == sum(len(each.pairs) for each in session.store.catalogue)
    assert report.removal is not None
    assert report.removal.removed == sum(each.deletions == 2 for each in review.pairs)
    assert sum(rate.removed for rate in report.by_degradation) == report.removal.removed
    assert sum(rate.pairs for rate in report.by_modality) == report.pairs
    assert report.reasons == {"severe_too_degraded": sum(each.deletions for each in review.pairs)}
    assert report.time.questions == 24
    assert sum(times.questions for times in report.by_reviewer) == 24
    assert json.loads(json.dumps(report.as_dict()))["questions"] == 12


def test_what_is_not_finished_counts_for_nothing(built: Path, tmp_path: Path) -> None:
    made = Session(open_catalogue(str(built)), tmp_path / "r.sqlite", slots=1, names="A")
    question = made.store.take(made.reviewers[0])
    for number in range(len(made.store.catalogue[question].pairs)):
        made.store.save(made.reviewers[0], question, number, Verdict("delete", "poor_original"), made.click(), [""])
    review = read_review(made.database)
    report = make_report(review)
    assert (report.reviewed, report.begun, report.finished) == (0, 1, 0)
    assert report.removal is None
    assert as_jsonl(review) == ""
    made.store.finish(made.reviewers[0], question, made.click())
    assert make_report(read_review(made.database)).finished == 1


def test_export_holds_every_verdict_once_and_no_formula(session: Session) -> None:
    review = read_review(session.database)
    lines = [json.loads(line) for line in as_jsonl(review).splitlines()]
    with session.database.reading() as tables:
        stored = tables.execute("SELECT COUNT(*) FROM verdicts").fetchone()[0]
    assert len(lines) == stored
    assert len({(line["question_id"], line["degradation"], line["reviewer"]) for line in lines}) == stored
    rows = list(csv.DictReader(io.StringIO(as_csv(review))))
    assert [row["verdict"] for row in rows] == [line["verdict"] for line in lines]
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())
    assert "=1|<b>no</b>" in {line["comment"] for line in lines}


@pytest.mark.parametrize("rule", ["majority", "any", "all"])
def test_apply_drops_both_levels_keeps_l0_and_says_who_and_why(
    session: Session, built: Path, tmp_path: Path, rule: str
) -> None:
    review = read_review(session.database)
    gone = {(each.question_id, each.degradation) for each in review.pairs if each.removed(rule)}
    assert gone
    out = tmp_path / "kept"
    applied = apply_review(str(built), session.database.path, rule, out)
    assert applied.removed == len(gone)
    before = {row["id"]: row for row in open_data(str(built)).columns()}
    after = {row["id"]: row for row in open_data(str(out)).columns()}
    dropped = {row["id"] for row in before.values() if (row["question_id"], row["degradation"]) in gone}
    assert len(dropped) == 2 * len(gone)
    assert after == {name: row for name, row in before.items() if name not in dropped}
    checked = verify(out, sample=10)
    assert checked.problems == []
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["counts"]["severity"]["L0"] == 12
    assert {(each["question_id"], each["degradation"]) for each in manifest["review"]["removed"]} == gone
    told = manifest["review"]["removed"][0]["verdicts"]
    assert {"reviewer", "verdict", "reason", "comment"} <= set(told[0])
    card = (out / "README.md").read_text()
    assert "No expert has reviewed" not in card
    assert "## Expert review" in card
    assert "severe too degraded" in card
    assert "<b>no</b>" not in card
    assert load_dataset(str(out), split="L1").num_rows == manifest["counts"]["severity"]["L1"]


def test_a_removed_dataset_is_another_one(session: Session, built: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    apply_review(str(built), session.database.path, "majority", out)
    with pytest.raises(MedqDegError, match="another dataset"):
        apply_review(str(out), session.database.path, "majority", tmp_path / "again")
    with pytest.raises(MedqDegError, match="not an empty folder"):
        apply_review(str(built), session.database.path, "majority", out)
    assert not (tmp_path / "again").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]


def test_everything_may_be_removed(built: Path, tmp_path: Path) -> None:
    made = Session(open_catalogue(str(built)), tmp_path / "r.sqlite", slots=1, names="A")
    while (question := made.store.take(made.reviewers[0])) is not None:
        for number in range(len(made.store.catalogue[question].pairs)):
            made.store.save(made.reviewers[0], question, number, Verdict("delete", "poor_original"), made.click(), [""])
        made.store.finish(made.reviewers[0], question, made.click())
    out = tmp_path / "kept"
    apply_review(str(built), tmp_path / "r.sqlite", "all", out)
    assert Counter(row["severity"] for row in open_data(str(out)).columns()) == {0: 12}
    assert verify(out).problems == []


def test_clean_rows_and_a_plan_are_degraded_as_they_are_shown(built: Path, tmp_path: Path) -> None:
    clean = tmp_path / "clean" / "data"
    clean.mkdir(parents=True)
    for path in (built / "data").glob("L0-*"):
        (clean / path.name).write_bytes(path.read_bytes())
    planned = open_catalogue(str(tmp_path / "clean"), plan_seed=0)
    stored = open_catalogue(str(built))
    # The build had the same questions and seed, so it has the same pairs; here no image was stored for them.
    assert [each.pairs.keys() for each in planned] == [each.pairs.keys() for each in stored]
    place = next(iter(planned[0].pairs.values()))[1]
    own = next(iter(stored[0].pairs.values()))[1]
    assert np.array_equal(np.asarray(planned.rows[place]["image"]), np.asarray(stored.rows[own]["image"]))
    assert planned.fingerprint != open_catalogue(str(tmp_path / "clean"), plan_seed=1).fingerprint
