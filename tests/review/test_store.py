"""What is kept: each click once, no click lost, none doubled, questions to as many reviewers as were asked for."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from medq_deg.errors import MedqDegError
from medq_deg.review.assignment import LEASE
from medq_deg.review.auth import Auth
from medq_deg.review.catalogue import Catalogue
from medq_deg.review.database import Database
from medq_deg.review.store import NO_CLICK, NotYoursError, Store, Verdict

KEEP = Verdict("keep")
DELETE = Verdict("delete", "severe_too_degraded", "nothing left")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Study:
    """A store with reviewers, and a clock that stands still."""

    def __init__(self, path: Path, catalogue: Catalogue, slots: int = 1, reviewers: int = 3) -> None:
        self.clock = Clock()
        self.database = Database(path, create=True)
        self.store = Store(self.database, catalogue, slots, self.clock)
        auth = Auth(self.database)
        self.reviewers = [auth.log_in(auth.invite(f"R{number}"))[1].reviewer for number in range(reviewers)]

    def review(self, reviewer: int, question: int, verdict: Verdict = KEEP, name: str = "") -> None:
        for pair in range(len(self.store.catalogue[question].pairs)):
            known = [self.store.place(reviewer, question).pairs[pair].click]
            self.store.save(reviewer, question, pair, verdict, f"{name}v{reviewer}-{question}-{pair}", known)
        assert self.store.finish(reviewer, question, f"{name}d{reviewer}-{question}") == []


@pytest.fixture
def study(few: Catalogue, tmp_path: Path) -> Study:
    return Study(tmp_path / "r.sqlite", few)


def test_a_click_that_comes_twice_is_stored_once(study: Study) -> None:
    ann = study.reviewers[0]
    question = study.store.take(ann)
    for _ in range(2):
        held, agreed = study.store.save(ann, question, 0, DELETE, "click-1", [NO_CLICK])
        assert (held.verdict, held.click, agreed) == (DELETE, "click-1", True)
    with study.database.reading() as tables:
        assert tables.execute("SELECT COUNT(*) FROM clicks").fetchone()[0] == 1


def test_an_old_page_changes_nothing_and_is_told_what_is_stored(study: Study) -> None:
    ann = study.reviewers[0]
    question = study.store.take(ann)
    study.store.save(ann, question, 0, KEEP, "tab-1", [NO_CLICK])
    held, agreed = study.store.save(ann, question, 0, DELETE, "tab-2", [NO_CLICK])
    assert not agreed
    assert held.verdict == KEEP
    # The same click of a page that knows what is stored is taken.
    assert study.store.save(ann, question, 0, DELETE, "tab-2b", ["tab-1"])[1]


def test_a_click_builds_upon_one_of_its_own_that_was_stored_but_never_answered(study: Study) -> None:
    ann = study.reviewers[0]
    question = study.store.take(ann)
    study.store.save(ann, question, 0, KEEP, "lost-answer", [NO_CLICK])
    held, agreed = study.store.save(ann, question, 0, DELETE, "second", [NO_CLICK, "lost-answer", "second"])
    assert agreed
    assert held.verdict == DELETE


def test_a_question_is_done_only_when_every_degradation_has_its_verdict(study: Study) -> None:
    ann = study.reviewers[0]
    question = next(q for q in range(6) if len(study.store.catalogue[q].pairs) > 1)
    while (taken := study.store.take(ann)) != question:
        study.review(ann, taken)
    pairs = len(study.store.catalogue[question].pairs)
    assert study.store.finish(ann, question, "done-1") == list(range(pairs))
    study.store.save(ann, question, 0, Verdict("delete"), "v-0", [NO_CLICK])
    assert 0 in study.store.finish(ann, question, "done-2")  # a reason is missing
    study.store.save(ann, question, 0, DELETE, "v-1", ["v-0"])
    assert study.store.finish(ann, question, "done-3") == list(range(1, pairs))


def test_a_keep_has_no_reason() -> None:
    assert Verdict("keep", "poor_original").checked() == Verdict("keep")


def test_undo_goes_back_click_by_click_over_questions(study: Study) -> None:
    ann, ben, _ = study.reviewers
    first = study.store.take(ann)
    other = study.store.take(ben)
    study.review(ben, other)
    study.review(ann, first)
    second = study.store.take(ann)
    assert second not in (first, other)
    assert study.store.undo(ann, "undo-1") == first
    assert study.store.place(ann, first).state == "open"
    assert study.store.undo(ann, "undo-2") == first
    assert study.store.place(ann, first).pairs[-1].verdict == Verdict()
    # A double click on undo takes back one click.
    before = study.store.place(ann, first).pairs
    assert study.store.undo(ann, "undo-2") == first
    assert study.store.place(ann, first).pairs == before
    while (
        study.store.undo(ann, f"more-{len(before)}-{study.store.progress(ann)}-{id(before)}-{_count(study)}")
        is not None
    ):
        pass
    assert all(held.verdict == Verdict() for held in study.store.place(ann, first).pairs)
    # Of others nothing was taken back.
    assert study.store.place(ben, other).state == "done"


def _count(study: Study) -> int:
    with study.database.reading() as tables:
        return int(tables.execute("SELECT COUNT(*) FROM clicks").fetchone()[0])


def test_undo_brings_back_what_was_there_before(study: Study) -> None:
    ann = study.reviewers[0]
    question = study.store.take(ann)
    study.store.save(ann, question, 0, DELETE, "v-1", [NO_CLICK])
    study.store.save(ann, question, 0, KEEP, "v-2", ["v-1"])
    study.store.undo(ann, "u-1")
    held = study.store.place(ann, question).pairs[0]
    assert held.verdict == DELETE
    assert held.click == "u-1"  # a page from before the undo is an old page


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_each_question_gets_as_many_reviewers_as_were_asked_for(few: Catalogue, tmp_path: Path, slots: int) -> None:
    study = Study(tmp_path / "r.sqlite", few, slots, reviewers=4)
    working = True
    while working:
        working = False
        held = {reviewer: study.store.take(reviewer) for reviewer in study.reviewers}
        for question in set(held.values()) - {None}:
            assert list(held.values()).count(question) <= slots
        for reviewer, question in held.items():
            if question is not None:
                working = True
                study.review(reviewer, question)
    with study.database.reading() as tables:
        counts = [
            row[0] for row in tables.execute("SELECT COUNT(*) FROM assignments WHERE state = 'done' GROUP BY question")
        ]
        slots_used = tables.execute("SELECT question, slot FROM assignments").fetchall()
    assert counts == [slots] * len(few)
    assert len(set(map(tuple, slots_used))) == len(slots_used)
    assert study.store.progress(study.reviewers[0]).left == 0


def test_reviewers_who_ask_at_the_same_time_never_get_the_same_assignment(few: Catalogue, tmp_path: Path) -> None:
    study = Study(tmp_path / "r.sqlite", few, 1, reviewers=6)
    taken: list[int | None] = []
    start = threading.Barrier(6)

    def ask(reviewer: int) -> None:
        # A connection of its own: another process may serve the same database.
        store = Store(Database(tmp_path / "r.sqlite"), few)
        start.wait()
        taken.append(store.take(reviewer))

    threads = [threading.Thread(target=ask, args=(reviewer,)) for reviewer in study.reviewers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(6))


def test_a_skipped_question_goes_to_others_and_comes_back_at_the_end(study: Study) -> None:
    ann, ben, _ = study.reviewers
    first = study.store.take(ann)
    study.store.save(ann, first, 0, DELETE, "draft", [NO_CLICK])
    study.store.skip(ann, first, "skip-1")
    study.store.skip(ann, first, "skip-1")
    assert study.store.progress(ann).skipped == 1
    seen = []
    while (question := study.store.take(ann)) != first:
        seen.append(question)
        study.review(ann, question)
    assert len(seen) == 5
    assert study.store.place(ann, first).pairs[0].verdict == DELETE  # what was said before is still there
    assert study.store.take(ben) is None
    study.store.skip(ann, first, "skip-2")
    assert study.store.take(ben) == first


def test_a_question_of_somebody_who_left_goes_to_another_and_what_comes_late_is_kept(study: Study) -> None:
    ann, ben, _ = study.reviewers
    question = study.store.take(ann)
    study.store.save(ann, question, 0, DELETE, "early", [NO_CLICK])
    study.clock.now += LEASE / 2
    study.store.seen(ann, question)
    study.clock.now += LEASE / 2 + 1
    assert study.store.take(ben) != question  # the page was open until then
    study.clock.now += LEASE
    study.store.seen(ben, study.store.take(ben))
    given = []
    while (other := study.store.take(ben)) is not None:
        given.append(other)
        study.review(ben, other)
    assert question in given
    assert study.store.place(ann, question).state == "lapsed"
    study.review(ann, question, DELETE)
    assert study.store.place(ann, question).state == "done"
    with study.database.reading() as tables:
        kept = tables.execute("SELECT reviewer, state FROM assignments WHERE question = ?", (question,)).fetchall()
    assert sorted(map(tuple, kept)) == [(ann, "done"), (ben, "done")]


def test_a_question_that_was_never_given_cannot_be_judged(study: Study) -> None:
    ann, ben, _ = study.reviewers
    question = study.store.take(ann)
    with pytest.raises(NotYoursError):
        study.store.save(ben, question, 0, KEEP, "click", [NO_CLICK])
    with pytest.raises(NotYoursError):
        study.store.place(ben, question)


def test_time_is_never_more_than_has_passed(study: Study) -> None:
    ann = study.reviewers[0]
    question = study.store.take(ann)
    study.clock.now += 30
    for pair in range(len(study.store.catalogue[question].pairs)):
        study.store.save(ann, question, pair, KEEP, f"v-{pair}", [NO_CLICK])
    study.store.finish(ann, question, "done", 1e6)
    with study.database.reading() as tables:
        assert tables.execute("SELECT seconds FROM assignments").fetchone()[0] == 30


def test_a_database_of_other_data_is_refused(study: Study, demo_catalogue: Catalogue) -> None:
    with pytest.raises(MedqDegError, match="another dataset"):
        Store(study.database, demo_catalogue)


@pytest.mark.parametrize("slots", [0, 4])
def test_one_to_three_reviewers_per_question(study: Study, few: Catalogue, slots: int) -> None:
    with pytest.raises(MedqDegError, match="1 to 3"):
        Store(study.database, few, slots)


def test_what_is_no_review_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match="no such review database"):
        Database(tmp_path / "missing.sqlite")
    with pytest.raises(MedqDegError, match="is a folder"):
        Database(tmp_path, create=True)
    with pytest.raises(MedqDegError, match="folder does not exist"):
        Database(tmp_path / "none" / "r.sqlite", create=True)
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE t (x)")
    for create in (False, True):
        with pytest.raises(MedqDegError, match="not of a review"):
            Database(foreign, create=create)
    text = tmp_path / "text.sqlite"
    text.write_text("this is no database at all, but a text of some length")
    with pytest.raises(MedqDegError, match="is no review database"):
        Database(text, create=True)


def test_tokens_are_not_stored(study: Study, tmp_path: Path) -> None:
    token = Auth(study.database).invite("Dr. Rossi")
    key, _ = Auth(study.database).log_in(token)
    study.database.close()
    held = b"".join(path.read_bytes() for path in tmp_path.glob("r.sqlite*"))
    assert b"Dr. Rossi" in held
    assert token.encode() not in held
    assert key.encode() not in held


def test_a_new_invitation_ends_the_old_one(study: Study) -> None:
    auth = Auth(study.database)
    old = auth.invite("Ann")
    key, _ = auth.log_in(old)
    new = auth.invite("ann")  # the same person: names differ by more than their case
    assert auth.log_in(old) is None
    assert auth.session(key) is None
    assert auth.log_in(new) is not None
    auth.revoke("Ann")
    assert auth.log_in(new) is None
    with pytest.raises(MedqDegError, match="no reviewer 'Ann' has access"):
        auth.revoke("Ann")


@pytest.mark.parametrize("name", ["", " ", "local", "x" * 61, "<script>", "a\nb", "../x"])
def test_bad_names_are_refused(study: Study, name: str) -> None:
    with pytest.raises(MedqDegError, match="name"):
        Auth(study.database).invite(name)


def test_a_copy_is_whole_while_the_original_is_in_use(study: Study, tmp_path: Path) -> None:
    ann = study.reviewers[0]
    question = study.store.take(ann)
    study.review(ann, question)
    Database(tmp_path / "r.sqlite", writable=False).copy_to(tmp_path / "copy.sqlite")
    again = Store(Database(tmp_path / "copy.sqlite"), study.store.catalogue)
    assert again.place(ann, question).state == "done"
    with pytest.raises(MedqDegError, match="exists"):
        study.database.copy_to(tmp_path / "copy.sqlite")
