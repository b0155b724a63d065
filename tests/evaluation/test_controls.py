"""Several orders of the options, blind baselines and subsets: what is asked, and what is stored of it."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from math import factorial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from medq_deg import demo
from medq_deg.data.schema import LETTERS
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.asking import Manner
from medq_deg.evaluation.controls import Controls
from medq_deg.evaluation.planning import plan_run, plan_sentences
from medq_deg.evaluation.reparse import reparse
from medq_deg.evaluation.rows import text_columns
from medq_deg.evaluation.run import evaluate, try_rows
from medq_deg.evaluation.store import read_lines
from medq_deg.evaluation.subset import expected_error, take_subset
from medq_deg.models.base import Queries, Query, Reply
from medq_deg.results.score import read_answered, score_run
from medq_deg.seeds import derive_seed

ROWS = 40


class Seeing:
    """Names an option by its text as often as its seed says, else a letter; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Query, int]] = []

    def describe(self) -> dict[str, Any]:
        return {"name": "seeing"}

    def say(self, prompt: str, options: tuple[str, ...], trials: int, seed: int) -> list[str]:
        draw = random.Random(f"{prompt} {seed}")
        return [f"{letter}. {text}" for letter, text in draw.choices([*zip(LETTERS, options, strict=False)], k=trials)]

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        for query in queries:
            self.asked.append((query, trials))
            said = self.say(query.prompt, query.options, trials, query.seed)
            yield Reply(query.id, tuple(said), finish=("stop",) * trials, usage={"prompt_tokens": 7})


class Ordered(Seeing):
    """The same, but it takes all orders in one query."""

    takes_orders = True

    def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
        for query in queries:
            self.asked.append((query, trials))
            talks = query.conversations(trials)
            said = [self.say(each.prompt, each.options, each.trials, each.seed) for each in talks]
            usage = {"prompt_tokens": 7 * len(talks)}
            yield Reply(
                query.id, tuple(text for texts in said for text in texts), finish=("stop",) * trials, usage=usage
            )


def run(model: Any, out: Path, count: int = ROWS, **controls: Any) -> Any:
    options = {name: controls.pop(name) for name in ("trials", "seed", "parser") if name in controls}
    return evaluate(model, demo.rows()[:count], out, data_name="demo", controls=Controls(**controls), **options)


def records(out: Path) -> list[dict[str, Any]]:
    return list(read_lines(out / "answers.jsonl"))


def settings(out: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads((out / "run.json").read_text())["settings"]
    return held


# --- orders of the options --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [2, 3, 4, 5, 26])
def test_orders_are_different_permutations_and_the_first_is_the_given_one(options: int) -> None:
    for number in (2, 5, 7):
        orders = Controls(orders=number).orders_of(0, "q", options)
        assert len(orders) == len(set(orders)) == min(number, factorial(options))
        assert orders[0] == tuple(range(options))
        assert all(sorted(order) == list(range(options)) for order in orders)
        # More orders of the same question begin with the fewer.
        assert Controls(orders=number + 1).orders_of(0, "q", options)[: len(orders)] == orders
    assert Controls().orders_of(0, "q", options) == ()


def test_other_questions_and_seeds_have_other_orders_and_all_permutations_come_up_alike() -> None:
    drawn = Counter(Controls(orders=2).orders_of(0, f"q{number}", 3)[1] for number in range(5000))
    assert set(drawn) == set(itertools.permutations(range(3))) - {(0, 1, 2)}
    assert all(900 < count < 1100 for count in drawn.values())  # 1000 each, sd 28
    assert Controls(orders=5).orders_of(0, "q", 4) != Controls(orders=5).orders_of(1, "q", 4)


def test_votes_are_letters_of_the_rows_own_options_whatever_order_they_were_shown_in(tmp_path: Path) -> None:
    model = Ordered()
    run(model, tmp_path / "run", orders=3)
    rows = {row["id"]: row for row in demo.rows().columns()}
    orders_of_question: dict[str, set[tuple[str, ...]]] = {}
    for record in records(tmp_path / "run"):
        row = rows[record["id"]]
        letters = LETTERS[: len(row["options"])]
        assert record["orders"][0] == letters
        assert record["order"] == ([0] * 4 + [1] * 3 + [2] * 3 if len(letters) > 2 else [0] * 5 + [1] * 5)
        for vote, order, shown, text in zip(
            record["votes"], record["order"], record["shown"], record["texts"], strict=True
        ):
            # What the model said is the letter as shown and the text of the option that the vote stands for.
            assert text == f"{shown}. {row['options'][letters.index(vote)]}"
            assert record["orders"][order][letters.index(shown)] == vote
        orders_of_question.setdefault(row["question_id"], set()).add(tuple(record["orders"]))
    assert all(len(orders) == 1 for orders in orders_of_question.values())
    assert any(len(record["votes"]) - record["votes"].count(record["shown"][0]) for record in records(tmp_path / "run"))


def test_a_model_that_takes_no_orders_is_asked_plainly_and_gets_the_same_votes(tmp_path: Path) -> None:
    plain, ordered = Seeing(), Ordered()
    rows = [dict(row) for row in demo.rows()[:20]]
    for row in rows[::3]:
        row |= {"options": row["options"][:2], "answer": "A"}
    for model, name in ((plain, "plain"), (ordered, "ordered")):
        evaluate(model, rows, tmp_path / name, data_name="demo", controls=Controls(orders=4))
    assert all(query.orders == () and query.prompts == () for query, _ in plain.asked)
    assert {trials for _, trials in plain.asked} == {5, 3, 2}  # two orders of 5 votes where there are two options
    assert {trials for _, trials in ordered.asked} == {10}
    assert {len(record["orders"]) for record in records(tmp_path / "plain")} == {2, 4}
    by_id = {record["id"]: record for record in records(tmp_path / "plain")}
    assert by_id == {record["id"]: record for record in records(tmp_path / "ordered")}


def test_one_order_asks_exactly_what_was_asked_before_there_were_orders(tmp_path: Path) -> None:
    model = Ordered()
    run(model, tmp_path / "run", count=3)
    assert all(query.orders == () and query.prompts == () for query, _ in model.asked)
    assert "orders" not in records(tmp_path / "run")[0]
    assert not {"orders", "image", "subset"} & set(settings(tmp_path / "run"))


def test_a_plain_model_that_fails_at_one_order_has_failed_at_the_row_alone(tmp_path: Path) -> None:
    class Failing(Seeing):
        def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
            for reply in super().answer(queries, trials):
                count = len(self.asked)
                yield (
                    Reply(reply.id, error="lost") if count == 30 else Reply(reply.id, ("A",)) if count == 50 else reply
                )

    summary = run(Failing(), tmp_path / "run", orders=2)
    assert (summary.answered, summary.failed) == (ROWS - 2, 2)
    told = sorted(record["error"] for record in records(tmp_path / "run") if record["status"] == "failed")
    assert told == ["1 answers instead of 5 to order 2 of the options", "lost"]
    assert run(Seeing(), tmp_path / "run", orders=2).answered == 2


def test_probabilities_are_kept_by_order_and_their_mean_in_the_rows_own_letters(tmp_path: Path) -> None:
    class Exact(Seeing):
        """Sure of the letter that it shows first, by 0.7, and the rest of the next."""

        def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
            for query in queries:
                yield Reply(query.id, ("A",) * trials, {"A": 0.7, "B": 0.2})

    run(Exact(), tmp_path / "run", orders=2, count=5)
    for record in records(tmp_path / "run"):
        first, second = record["orders"]
        assert len(record["probabilities_by_order"]) == 2
        for shares, order in zip(record["probabilities_by_order"], (first, second), strict=True):
            assert shares[order[0]] == 0.7
            assert shares[order[1]] == 0.2
        for letter, share in record["probabilities"].items():
            expected = sum({order[0]: 0.7, order[1]: 0.2}.get(letter, 0.0) for order in (first, second)) / 2
            assert share == pytest.approx(expected)


def test_votes_in_orders_are_scored_checked_and_read_again(tmp_path: Path) -> None:
    run(Ordered(), tmp_path / "run", orders=5)
    assert read_answered(tmp_path / "run", 1.0).checks == []
    assert reparse(tmp_path / "run", tmp_path / "again") == (0, ROWS)
    assert records(tmp_path / "run") == records(tmp_path / "again")
    path = tmp_path / "run" / "answers.jsonl"
    first, *others = records(tmp_path / "run")
    for broken in ({"orders": ["ABC", "ABC"]}, {"order": [9] * 10}, {"order": None}, {"orders": ["AC", "CA"]}):
        path.write_text("".join(json.dumps(record) + "\n" for record in [{**first, **broken}, *others]))
        with pytest.raises(MedqDegError, match=r"answers.jsonl, line 1: order"):
            score_run(tmp_path / "run", n_resamples=10)


@pytest.mark.parametrize(
    ("controls", "told"),
    [
        ({"orders": 6}, "orders must be at most half of the votes, 5 of 10, got 6"),
        ({"orders": 0}, "orders must be 1 or more, got 0"),
        ({"image": "blurred"}, "unknown image 'blurred'"),
        ({"subset": ROWS + 1}, f"a subset of {ROWS + 1} rows is larger than the data, which has {ROWS}"),
        ({"subset": 9}, "whole questions, and at least 10 are needed"),
    ],
)
def test_controls_that_cannot_be_are_refused_before_anything_is_asked(
    controls: dict[str, Any], told: str, tmp_path: Path
) -> None:
    model = Seeing()
    with pytest.raises(MedqDegError, match=told):
        run(model, tmp_path / "run", **controls)
    assert model.asked == []
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("controls", "told"),
    [
        ({"orders": 2}, "orders was 1, is 2"),
        ({"image": "none"}, "image was 'shown', is 'none'"),
        ({"subset": 100}, "subset.rows was None, is 100"),
    ],
)
def test_a_run_is_not_continued_with_other_controls(controls: dict[str, Any], told: str, tmp_path: Path) -> None:
    run(Seeing(), tmp_path / "run", count=120)
    with pytest.raises(MedqDegError, match="holds a run with other settings") as error:
        run(Seeing(), tmp_path / "run", count=120, **controls)
    assert told in str(error.value)


# --- the blind baseline -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["none", "grey"])
def test_a_blind_run_asks_the_clean_questions_without_their_image(image: str, tmp_path: Path) -> None:
    class Unreadable(list[dict[str, Any]]):
        """Rows whose images must not be read."""

        def __getitem__(self, index: Any) -> Any:
            raise AssertionError("an image was read")

    model = Seeing()
    rows = Unreadable({**row, "image": None} for row in demo.rows()[:ROWS].columns())
    evaluate(model, rows, tmp_path / "run", data_name="demo", controls=Controls(image=image))
    clean = [row["id"] for row in demo.rows()[:ROWS].columns() if row["severity"] == 0]
    assert [query.id for query, _ in model.asked] == clean
    if image == "none":
        assert all(query.image is None for query, _ in model.asked)
    else:
        grey = Image.new("L", (512, 512), 128)
        assert all(query.image is not None and query.image.tobytes() == grey.tobytes() for query, _ in model.asked)
    assert settings(tmp_path / "run")["image"] == image
    # A run of before the setting had this name goes on as what it is.
    held = json.loads((tmp_path / "run" / "run.json").read_text())
    held["settings"]["picture"] = held["settings"].pop("image")
    (tmp_path / "run" / "run.json").write_text(json.dumps(held))
    again = evaluate(model, rows, tmp_path / "run", data_name="demo", controls=Controls(image=image))
    assert (again.answered, again.before) == (0, len(clean))
    # Same seeds, so that only the image differs.
    seen = Seeing()
    run(seen, tmp_path / "seen")
    assert {query.id: query.seed for query, _ in model.asked}.items() <= {q.id: q.seed for q, _ in seen.asked}.items()


def test_a_model_that_insists_on_a_image_is_told_to_take_grey(tmp_path: Path) -> None:
    class Raising(Seeing):
        def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
            for query in queries:
                yield Reply(query.id, (str(query.image.size),) * trials)

    class Failing(Seeing):
        def answer(self, queries: Queries, trials: int) -> Iterator[Reply]:
            for query in queries:
                yield Reply(query.id, error="no image in the message")

    with pytest.raises(MedqDegError, match=r"the model failed with AttributeError.*; a model or server that insists"):
        run(Raising(), tmp_path / "raising", image="none")
    assert run(Failing(), tmp_path / "failing", image="none").answered == 0
    assert all(record["error"].endswith("--image grey") for record in records(tmp_path / "failing"))
    # With an image, an error is the error it is.
    with pytest.raises(ZeroDivisionError):
        run(type("Broken", (Seeing,), {"answer": lambda *_: iter([1 // 0])})(), tmp_path / "broken")


def test_a_blind_run_needs_clean_rows(tmp_path: Path) -> None:
    rows = [row for row in demo.rows()[:10] if row["severity"] > 0]
    with pytest.raises(MedqDegError, match="image 'none' asks the clean rows"):
        evaluate(Seeing(), rows, tmp_path / "run", data_name="demo", controls=Controls(image="none"))


# --- subsets ----------------------------------------------------------------------------------------------------------


def data(questions: int = 400) -> list[dict[str, Any]]:
    """Clean rows first, then the degraded ones of one to three degradations a question."""
    degraded = [
        {"question_id": f"q{number}", "severity": severity, "options": ["a", "b"]}
        for severity in (1, 2)
        for number in range(questions)
        for _ in range(1 + number % 3)
    ]
    return [*({"question_id": f"q{n}", "severity": 0, "options": ["a", "b"]} for n in range(questions)), *degraded]


def test_a_subset_is_whole_questions_in_hash_order_and_nested() -> None:
    rows = data()
    taken = {most: take_subset(rows, most) for most in (60, 300, 1000, 1300)}
    for most, places in taken.items():
        assert most - 7 < len(places) <= most
        assert places == sorted(set(places))
        questions = {rows[place]["question_id"] for place in places}
        assert places == [place for place, row in enumerate(rows) if row["question_id"] in questions]
        order = sorted({row["question_id"] for row in rows}, key=lambda name: derive_seed(0, name, "subset"))
        assert questions == set(order[: len(questions)])
    assert set(taken[60]) < set(taken[300]) < set(taken[1000]) < set(taken[1300])
    assert take_subset(rows, len(rows)) == list(range(len(rows)))


def test_a_subset_of_a_blind_run_has_the_questions_of_the_subset_with_images(tmp_path: Path) -> None:
    run(Seeing(), tmp_path / "seen", count=200, subset=120, seed=3)
    run(Seeing(), tmp_path / "blind", count=200, subset=120, image="none")
    assert settings(tmp_path / "seen")["subset"] == {"rows": 120, "of": 200, "seed": 0}
    seen = {row["id"] for row in read_lines(tmp_path / "seen" / "rows.jsonl") if row["severity"] == 0}
    assert seen == {row["id"] for row in read_lines(tmp_path / "blind" / "rows.jsonl")}
    assert len(records(tmp_path / "seen")) == settings(tmp_path / "seen")["data"]["rows"] <= 120


def test_the_whole_as_a_subset_is_the_whole(tmp_path: Path) -> None:
    run(Seeing(), tmp_path / "run", count=60, subset=60)
    assert "subset" not in settings(tmp_path / "run")
    assert run(Seeing(), tmp_path / "run", count=60).before == 60


def test_errors_of_subsets_shrink_to_nothing_as_they_become_the_whole() -> None:
    assert expected_error(1000, 24_894) == pytest.approx((2.9, 2.1))
    assert expected_error(3000, 24_894) == pytest.approx((1.6, 1.2), abs=0.05)
    assert expected_error(24_894, 24_894) == (0, 0)


def test_a_plan_counts_what_is_asked() -> None:
    rows = text_columns(demo.rows())
    model = Seeing()
    controls = Controls(orders=4, subset=200)
    list(try_rows(model, demo.rows(), len(rows), trials=8, controls=controls))
    plan = plan_run(rows, 8, controls)
    assert plan.conversations == len(model.asked)
    assert plan.votes == sum(trials for _, trials in model.asked) == 8 * plan.rows
    assert plan.questions == len({query.id.split("/")[0] for query, _ in model.asked})
    big = [{"question_id": f"q{n}", "severity": s, "options": ["a", "b"]} for s in (0, 1) for n in range(4000)]
    told = plan_sentences(big, 10, Controls())
    assert [line.split(":")[0] for line in told] == ["to ask", "with --subset 1000", "with --subset 3000"]
    assert "1000 rows of 500 questions, 1000 to 10000 requests for 10000 votes" in told[1]
    assert plan_sentences(rows, 10, Controls())[1:] == []


def test_a_manner_is_checked_as_a_whole() -> None:
    with pytest.raises(MedqDegError, match="trials must be 2 or more, got 1"):
        Manner(trials=1).check()
    with pytest.raises(MedqDegError, match="orders must be at most half"):
        Manner(trials=3, controls=Controls(orders=2)).check()
