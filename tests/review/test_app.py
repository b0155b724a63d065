"""The page over HTTP: who gets in, what a form may say, and what is refused."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from medq_deg.data.schema import Question
from medq_deg.review.auth import PER_SECONDS, TRIES, Limiter
from medq_deg.review.catalogue import Catalogue
from medq_deg.review.pages import Settings
from medq_deg.review.terms import MOST_COMMENT
from tests.review.served import Reviewer, Served, hidden, served


def rows(review: Served, query: str, *values: object) -> list[tuple[object, ...]]:
    with review.store.database.reading() as tables:
        return [tuple(row) for row in tables.execute(query, values).fetchall()]


def test_the_first_page_shows_all_there_is_to_a_question(review: Served) -> None:
    reviewer = Reviewer(review.url)
    number = reviewer.open()
    reviewed = review.store.catalogue[number]
    for text in (reviewed.question.question, *reviewed.question.options, reviewed.question.modality):
        assert text in reviewer.text
    for degradation in reviewed.pairs:
        assert degradation.replace("_", " ") in reviewer.text.lower()
    images = re.findall(r'<img src="([^"]+)"', reviewer.text)
    assert len(images) == 3 * len(reviewed.pairs)
    for image in images:
        answer = reviewer.client.get(image)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/png"
        assert "immutable" in answer.headers["cache-control"]


def test_every_answer_carries_the_security_headers(review: Served) -> None:
    reviewer = Reviewer(review.url)
    reviewer.open()
    image = re.findall(r'<img src="([^"]+)"', reviewer.text)[0]
    style = re.findall(r'href="([^"]+\.css)"', reviewer.text)[0]
    for path in ("/", "/login", "/q/99", image, style, "/nothing", "/alive"):
        headers = reviewer.client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(review: Served) -> None:
    answer = httpx2.get(f"{review.url}/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


def test_nothing_is_inline_and_nothing_is_fetched_from_elsewhere(review: Served) -> None:
    reviewer = Reviewer(review.url)
    reviewer.open()
    assert re.search(r"<script(?![^>]*\bsrc=)", reviewer.text) is None
    assert re.search(r"<style|\sstyle=|\son\w+=", reviewer.text) is None
    assert re.search(r"(?:src|href|action|hx-\w+)=\"(?:https?:)?//", reviewer.text) is None


def test_a_form_without_its_token_is_refused_and_changes_nothing(review: Served) -> None:
    reviewer = Reviewer(review.url)
    number = reviewer.open()
    for csrf in ("", "wrong", "é"):
        fields = {"csrf": csrf, "click": "c" * 16, "pair": "0", "verdict": "keep", "known": ""}
        for path in (f"/q/{number}/verdict", f"/q/{number}/done", f"/q/{number}/skip", "/undo", "/logout"):
            assert reviewer.client.post(path, data=fields).status_code == 403
    assert rows(review, "SELECT * FROM clicks") == []
    assert reviewer.open() == number


def test_who_has_no_session_sees_nothing(few: Catalogue, tmp_path: Path) -> None:
    with served(few, tmp_path / "r.sqlite") as review:
        review.auth.invite("Ann")
        stranger = httpx2.Client(base_url=review.url)
        assert "Access token" in stranger.get("/").text
        version = few.fingerprint[:12]
        assert stranger.get(f"/image/{version}/0/0/0").status_code == 401
        assert stranger.get("/alive").status_code == 401
        assert stranger.get("/q/0").headers["location"] == "/"
        assert stranger.post("/q/0/verdict", data={"verdict": "keep"}).status_code == 401


def test_a_wrong_token_is_refused_and_the_sixth_has_to_wait(few: Catalogue, tmp_path: Path) -> None:
    with served(few, tmp_path / "r.sqlite") as review:
        token = review.auth.invite("Ann")
        for _ in range(TRIES):
            wrong = Reviewer(review.url, token[:-1] + "x" * 2)
            assert wrong.answer.status_code == 401
            assert "wrong" in wrong.answer.text
        late = Reviewer(review.url, token)
        assert late.answer.status_code == 429
        assert 0 < int(late.answer.headers["retry-after"]) <= PER_SECONDS + 1


def test_the_limit_ends_with_time_and_counts_by_address() -> None:
    now = 0.0
    limiter = Limiter(lambda: now)
    for _ in range(TRIES):
        assert limiter.wait("a") == 0
        limiter.wrong("a")
    assert limiter.wait("a") == PER_SECONDS
    assert limiter.wait("b") == 0
    now = PER_SECONDS
    assert limiter.wait("a") == 0


def test_a_login_form_of_another_browser_is_refused(few: Catalogue, tmp_path: Path) -> None:
    with served(few, tmp_path / "r.sqlite") as review:
        token = review.auth.invite("Ann")
        entry = hidden(httpx2.get(f"{review.url}/login").text, "entry")
        answer = httpx2.post(f"{review.url}/login", data={"token": token, "entry": entry})
        assert answer.status_code == 403
        assert Reviewer(review.url, token).answer.status_code == 303


def test_logging_out_ends_the_session(few: Catalogue, tmp_path: Path) -> None:
    with served(few, tmp_path / "r.sqlite") as review:
        ann = Reviewer(review.url, review.auth.invite("Ann"))
        ann.open()
        cookies = dict(ann.client.cookies)
        assert ann.post("/logout").status_code == 303
        assert httpx2.get(f"{review.url}/alive", cookies=cookies).status_code == 401


def test_a_reviewer_never_sees_what_another_said(few: Catalogue, tmp_path: Path) -> None:
    with served(few, tmp_path / "r.sqlite", slots=2) as review:
        ann = Reviewer(review.url, review.auth.invite("Ann"))
        ben = Reviewer(review.url, review.auth.invite("Ben"))
        first = ann.open()
        ann.review(first, "delete", reason="wrong_modality", comment="a secret opinion")
        assert ben.open() == first  # a question that has begun is filled first
        assert "a secret opinion" not in ben.text
        assert re.search(r'name="(?:verdict|reason)"[^>]*checked', ben.text) is None
        assert "Ann" not in ben.text


def test_two_reviewers_get_different_questions(few: Catalogue, tmp_path: Path) -> None:
    with served(few, tmp_path / "r.sqlite") as review:
        ann = Reviewer(review.url, review.auth.invite("Ann"))
        ben = Reviewer(review.url, review.auth.invite("Ben"))
        first, second = ann.open(), ben.open()
        assert first != second
        assert ben.client.get(f"/q/{first}").status_code == 404
        assert ben.decide(first, 0, "delete", reason="wrong_modality", known="").status_code == 404


def test_a_page_from_before_changes_nothing(review: Served) -> None:
    reviewer = Reviewer(review.url)
    number = reviewer.open()
    assert reviewer.decide(number, 0, "keep").status_code == 200
    answer = reviewer.decide(number, 0, "delete", reason="wrong_modality")  # the same page, never reloaded
    assert "another tab" in answer.text
    assert re.search(r'value="keep"[^>]*checked', answer.text)
    assert rows(review, "SELECT verdict FROM verdicts") == [("keep",)]
    reviewer.open()
    assert reviewer.decide(number, 0, "delete", reason="wrong_modality").status_code == 200


def test_a_double_click_on_next_goes_one_question_further(review: Served) -> None:
    reviewer = Reviewer(review.url)
    number = reviewer.open()
    for pair in range(reviewer.pairs):
        reviewer.decide(number, pair, "keep")
    answers = [reviewer.post(f"/q/{number}/done", click="x" * 16) for _ in range(2)]
    after = {reviewer.read(answer) for answer in answers}
    assert len(after) == 1
    assert rows(review, "SELECT COUNT(*) FROM assignments") == [(2,)]


def test_next_says_what_is_missing(review: Served) -> None:
    reviewer = Reviewer(review.url)
    number = reviewer.open()
    answer = reviewer.post(f"/q/{number}/done")
    assert answer.headers["hx-reswap"] == "none"
    assert "Not yet" in answer.text
    reviewer.decide(number, 0, "delete")
    assert "Not yet" in reviewer.post(f"/q/{number}/done").text
    assert rows(review, "SELECT state FROM assignments") == [("open",)]


NO_VERDICTS = [
    {"verdict": "perhaps"},
    {"verdict": "delete", "reason": "bad mood"},
    {"verdict": "keep", "severity_l1": "7"},
    {"verdict": "keep", "severity_l1": "-1"},
    {"verdict": "keep", "comment": "x" * (MOST_COMMENT + 1)},
    {"verdict": "keep", "click": "short"},
    {"verdict": "keep", "click": "x" * 1000},
]


def test_what_is_no_verdict_is_refused_in_a_sentence(review: Served) -> None:
    reviewer = Reviewer(review.url)
    number = reviewer.open()
    for fields in NO_VERDICTS:
        answer = reviewer.decide(number, 0, **fields)
        assert answer.status_code == 422
        assert 10 < len(answer.text) < 300
        assert "Traceback" not in answer.text
    assert rows(review, "SELECT * FROM verdicts") == []


def test_a_degradation_that_there_is_not_is_refused(review: Served) -> None:
    reviewer = Reviewer(review.url)
    number = reviewer.open()
    for pair in ("99", "-1", "x", "", "１"):
        answer = reviewer.post(f"/q/{number}/verdict", pair=pair, verdict="keep", known="")
        assert answer.status_code == 404


def test_a_comment_of_ten_megabytes_is_refused_and_the_server_lives(review: Served) -> None:
    reviewer = Reviewer(review.url)
    number = reviewer.open()
    answer = reviewer.decide(number, 0, "keep", comment="x" * 10_000_000)
    assert answer.status_code == 413
    assert "64 KiB" in answer.text
    assert reviewer.decide(number, 0, "keep").status_code == 200


NOWHERE = [
    "/static/../../pyproject.toml",
    "/static/%2e%2e/%2e%2e/etc/passwd",
    "/static/x/..%2f..%2f..%2fetc%2fpasswd",
    "/static/x/review.css",
    "/image/x/../../etc/passwd",
    "/image/x/0/0/..",
    "/image/x/0/0/9",
    "/image/x/0/99/1",
    "/image/x/-1/0/0",
    "/image/x/99999999/0/0",
    "/q/..%2f..",
    "/q/99999999",
    "/docs",
    "/openapi.json",
]


def test_paths_lead_nowhere_else(review: Served) -> None:
    reviewer = Reviewer(review.url)
    reviewer.open()
    for path in NOWHERE:
        # As it is: clients tidy paths up before they send them.
        request = reviewer.client.build_request("GET", review.url)
        request.url = request.url.copy_with(raw_path=path.encode())
        answer = reviewer.client.send(request)
        assert answer.status_code == 404, path
        assert "root:" not in answer.text


def test_another_host_name_is_refused(review: Served) -> None:
    answer = httpx2.get(f"{review.url}/", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert "set-cookie" not in answer.headers


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'\u202e\0"


def test_html_in_questions_and_comments_stays_text(few: Catalogue, tmp_path: Path) -> None:
    first = few[0]
    asked = replace(first.question, question=HOSTILE, options=(HOSTILE + "a", "b"), skills=(HOSTILE,), answer="A")
    hostile = replace(few, questions=(replace(first, question=asked),), name=HOSTILE)
    with served(hostile, tmp_path / "r.sqlite") as review:
        reviewer = Reviewer(review.url)
        number = reviewer.open()
        assert "<script>alert" not in reviewer.text
        assert "<img src=x" not in reviewer.text
        assert "\0" not in reviewer.text
        assert "\u202e" not in reviewer.text
        assert reviewer.decide(number, 0, "keep", comment=HOSTILE).status_code == 200
        reviewer.open()
        assert "<script>alert" not in reviewer.text
        assert "&lt;script&gt;alert(1)" in reviewer.text.split("<textarea")[1]
    assert isinstance(asked, Question)


def test_a_form_works_without_any_script(review: Served) -> None:
    reviewer = Reviewer(review.url)
    number = reviewer.open()
    for pair in range(reviewer.pairs):
        known = hidden(reviewer.text, "known", f'id="known-{pair}"')
        fields = {"csrf": reviewer.csrf, "click": f"plain-form-{pair}", "pair": pair, "known": known, "verdict": "keep"}
        answer = reviewer.client.post(f"/q/{number}/verdict", data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/q/{number}")
    answer = reviewer.client.post(f"/q/{number}/done", data={"csrf": reviewer.csrf, "click": "plain-done-1"})
    assert answer.status_code == 303
    assert answer.headers["location"] != f"/q/{number}"


def test_behind_a_proxy_addresses_cookies_and_the_limit_are_those_of_the_browser(
    few: Catalogue, tmp_path: Path
) -> None:
    settings = Settings("https://hospital.example/review", local=False, hosts=("hospital.example", "127.0.0.1"))
    with served(few, tmp_path / "r.sqlite", settings=settings) as review:
        token = review.auth.invite("Ann")
        sent = {"Host": "hospital.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.7"}
        for base in ("/review", ""):  # whether or not the proxy takes the base path away
            answer = httpx2.get(f"{review.url}{base}/login", headers=sent)
            assert answer.status_code == 200
            assert 'action="/review/login"' in answer.text
            assert "Path=/review" in answer.headers["set-cookie"]
            assert "Secure" in answer.headers["set-cookie"]
            assert "strict-transport-security" in answer.headers
            style = re.findall(r'href="(/review/static/[^"]+\.css)"', answer.text)[0]
            assert httpx2.get(f"{review.url}{style}", headers=sent).status_code == 200
        assert httpx2.get(f"{review.url}/review/", headers=sent).text.count("Access token")

        def log_in(address: str, token: str) -> int:
            headers = {**sent, "X-Forwarded-For": address}
            page = httpx2.get(f"{review.url}/login", headers=headers)
            cookie = page.headers["set-cookie"].split(";")[0]
            data = {"token": token, "entry": hidden(page.text, "entry")}
            return httpx2.post(f"{review.url}/login", data=data, headers={**headers, "Cookie": cookie}).status_code

        assert [log_in("10.0.0.7", "wrong") for _ in range(TRIES + 1)] == [401] * TRIES + [429]
        assert log_in("10.0.0.8", token) == 303


@pytest.mark.slow
def test_twenty_reviewers_lose_and_double_nothing(demo_catalogue: Catalogue, tmp_path: Path) -> None:
    """The short form: what one second of each gives, as quickly as it can be taken."""
    with served(demo_catalogue, tmp_path / "r.sqlite", slots=3) as review:
        tokens = [review.auth.invite(f"R{number}") for number in range(20)]

        def work(token: str) -> list[tuple[int, int]]:
            reviewer = Reviewer(review.url, token)
            number, given = reviewer.open(), []
            for _ in range(3):
                for pair in range(reviewer.pairs):
                    assert reviewer.decide(number, pair, "keep").status_code == 200
                    given.append((number, pair))
                number = reviewer.read(reviewer.post(f"/q/{number}/done"))
            return given

        with ThreadPoolExecutor(20) as pool:
            given = list(pool.map(work, tokens))
        told = sorted(pair for each in given for pair in each)
        assert [
            tuple(row) for row in rows(review, "SELECT question, pair FROM verdicts ORDER BY question, pair")
        ] == told
        assert rows(review, "SELECT COUNT(*) FROM clicks WHERE kind = 'verdict'") == [(len(told),)]
        assert rows(review, "SELECT COUNT(*) FROM assignments WHERE state = 'done'") == [(60,)]
        assert max(row[0] for row in rows(review, "SELECT COUNT(*) FROM assignments GROUP BY question")) <= 3


def test_an_image_that_cannot_be_decoded_says_so_and_its_question_can_be_reviewed(broken: Served) -> None:
    reviewer = Reviewer(broken.url)
    number = reviewer.open()
    while broken.store.catalogue[number].clean != 0:
        number = reviewer.review(number)
    answer = reviewer.client.get(re.findall(r'<img src="([^"]+)"', reviewer.text)[0])
    assert answer.status_code == 422
    assert "truncated" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert reviewer.decide(number, 0, "delete", reason="poor_original").status_code == 200
