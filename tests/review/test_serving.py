"""The commands as a coordinator meets them: a process that is killed, ports, hosts, databases, refusals in one line."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from medq_deg import cli
from medq_deg.errors import MedqDegError
from medq_deg.review.database import Database
from medq_deg.review.serve import check_public_url, is_loopback
from tests.review.loading import load
from tests.review.many import write_many
from tests.review.served import Reviewer


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["medq-deg", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            sys.exit(cli.main())
        out = capsys.readouterr()
        return int(end.value.code or 0), out.out, out.err

    return call


@contextmanager
def process(db: Path, *options: str, data: str = "demo") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server of its own, and its address once it listens."""
    command = [sys.executable, "-m", "medq_deg", "review", data, "--db", str(db), "--port", "0", "--no-browser"]
    started = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    try:
        assert started.stderr is not None
        told = []
        for line in started.stderr:
            told.append(line)
            found = re.search(r"open (http://\S+?)/(?:\s|$)", line)
            if found:
                break
        else:
            pytest.fail(f"the server did not start: {told}")
        yield started, found[1]
    finally:
        started.kill()
        started.wait()


def verdicts(db: Path) -> list[tuple[int, int]]:
    database = Database(db)
    with database.reading() as tables:
        found = [tuple(row) for row in tables.execute("SELECT question, pair FROM verdicts ORDER BY question, pair")]
        assert tables.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    database.close()
    return found


@pytest.mark.slow
def test_a_server_that_is_killed_loses_at_most_the_click_in_flight(tmp_path: Path) -> None:
    db = tmp_path / "r.sqlite"
    with process(db) as (server, url):
        reviewer = Reviewer(url)
        number = reviewer.open()
        given: list[tuple[int | None, int]] = []
        while len(given) < 9:
            for pair in range(reviewer.pairs):
                assert reviewer.decide(number, pair, "keep").status_code == 200
                given.append((number, pair))
            number = reviewer.read(reviewer.post(f"/q/{number}/done"))
        # In the middle of a question, while a click is on its way, it is killed.
        assert reviewer.decide(number, 0, "delete", reason="poor_original").status_code == 200
        given.append((number, 0))
        stop = threading.Timer(0.005, os.kill, (server.pid, signal.SIGKILL))
        reviewer.open()
        stop.start()
        with contextlib.suppress(httpx2.HTTPError):
            while True:
                assert reviewer.decide(number, 0, "delete", reason="poor_original").status_code == 200
                reviewer.client.get(f"/q/{number}")
        stop.join()
        assert server.wait() == -signal.SIGKILL
    assert verdicts(db) == sorted(given)
    # The session outlives the server, and the question is where it was.
    with process(db) as (_, url):
        again = Reviewer(url)
        again.client.cookies.update(dict(reviewer.client.cookies))
        assert again.open() == number
        assert re.search(r'value="delete"[^>]*checked', again.text)


@pytest.mark.skipif("MEDQ_LOAD_SECONDS" not in os.environ, reason="takes a minute: set MEDQ_LOAD_SECONDS=60")
def test_twenty_reviewers_at_two_verdicts_a_second(run: Any, tmp_path: Path) -> None:
    db = tmp_path / "r.sqlite"
    seconds = float(os.environ["MEDQ_LOAD_SECONDS"])
    tokens = [run("review", "invite", f"R{number}", "--db", db)[1].strip() for number in range(20)]
    many = write_many(tmp_path / "many", questions=1500)
    with process(db, "--reviewers-per-question", "2", data=str(many)) as (_, url):
        given, took = load(url, tokens, seconds)
    assert verdicts(db) == given
    assert len(given) >= 0.95 * 20 * 2 * seconds
    print(f"{len(given)} verdicts, median {took[len(took) // 2]:.3f} s, 99 % {took[int(0.99 * len(took))]:.3f} s")


def refused(answer: tuple[int, str, str], *words: str) -> None:
    code, _, err = answer
    assert code == 2
    line = err.strip().splitlines()[-1]
    assert "Traceback" not in err
    for word in words:
        assert word in line


def test_the_network_is_refused_while_nobody_is_invited(run: Any, tmp_path: Path) -> None:
    db = tmp_path / "r.sqlite"
    refused(run("review", "demo", "--db", db, "--host", "0.0.0.0", "--no-browser"), "0.0.0.0", "medq-deg review invite")
    refused(run("review", "demo", "--db", db, "--public-url", "https://h.example/r"), "https://h.example/r", "invite")


def test_a_port_in_use_is_named(run: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(run("review", "demo", "--db", tmp_path / "r.sqlite", "--port", port), str(port), "in use", "--port")
    assert list(tmp_path.iterdir()) == []  # nothing was made for it
    refused(run("review", "demo", "--db", tmp_path / "r.sqlite", "--port", 99999), "99999", "65535")


def test_bad_input_is_one_line(run: Any, tmp_path: Path) -> None:
    foreign = tmp_path / "text.sqlite"
    foreign.write_text("no database")
    missing = tmp_path / "missing.sqlite"
    refused(run("review", "demo", "--db", foreign), "text.sqlite", "is no review database")
    refused(run("review", "nothing-here", "--db", missing), "nothing-here")
    refused(run("review", "demo", "--db", missing, "--reviewers-per-question", 4), "1 to 3", "4")
    refused(run("review", "demo", "--db", tmp_path / "none" / "r.sqlite"), "folder does not exist")
    refused(run("review", "demo", "--db", missing, "--host", "no.such.host.invalid"), "no.such.host.invalid")
    for command in ("report", "export"):
        options = ["--csv"] if command == "export" else []
        absent = tmp_path / "absent.sqlite"
        refused(run("review", command, absent, *options), "no such review database")
        refused(run("review", command, foreign, *options), "is no review database")
        assert not absent.exists()
    run("review", "invite", "Ann", "--db", tmp_path / "new.sqlite")
    refused(run("review", "export", tmp_path / "new.sqlite"), "--csv", "--jsonl")
    refused(run("review", "export", tmp_path / "new.sqlite", "--csv", "--jsonl"), "--csv", "--jsonl")
    refused(run("review", "report", tmp_path / "new.sqlite", "--rule", "most"), "unknown rule", "majority")
    out = tmp_path / "out"
    refused(run("data", "apply-review", "demo", "--db", tmp_path / "new.sqlite", "--out", out), "nothing was reviewed")
    refused(run("data", "apply-review", "demo", "--db", missing.with_name("m2"), "--out", out), "no such review")
    assert not out.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    # /proc is read-only whoever asks, root too.
    place = Path("/proc/1/r.sqlite") if Path("/proc/1").is_dir() else None
    if place is None:
        pytest.skip("there is no /proc")
    with pytest.raises(MedqDegError, match=r"/proc/1.*cannot be written"):
        Database(place, create=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "fixed"
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(MedqDegError, match="cannot be written"):
        Database(folder / "r.sqlite", create=True)


def test_invite_shows_a_token_once_and_revoke_ends_it(run: Any, tmp_path: Path) -> None:
    db = tmp_path / "r.sqlite"
    code, token, told = run("review", "invite", "Dr. Rossi", "--db", db)
    assert code == 0
    assert len(token.strip()) == 43
    assert "this once" in told
    assert run("review", "revoke", "Dr. Rossi", "--db", db)[0] == 0
    refused(run("review", "revoke", "Dr. Rossi", "--db", db), "Dr. Rossi", "nobody")
    refused(run("review", "invite", "x" * 99, "--db", db), "1 to 60")


def test_report_export_and_backup_of_a_review_that_has_not_begun(run: Any, tmp_path: Path) -> None:
    db = tmp_path / "r.sqlite"
    run("review", "invite", "Ann", "--db", db)
    code, out, _ = run("review", "report", db)
    assert code == 0
    assert "0 of 0 questions" in out
    assert json.loads(run("review", "report", db, "--json")[1])["reviewed"] == 0
    assert run("review", "export", db, "--csv")[1].startswith("question_id,")
    assert run("review", "export", db, "--jsonl")[1] == ""
    assert run("review", "backup", db, tmp_path / "copy.sqlite")[0] == 0
    assert Database(tmp_path / "copy.sqlite").meta("created") == Database(db).meta("created")


def test_review_dir_is_short_for_serve(run: Any) -> None:
    code, out, _ = run("review", "--help")
    assert code == 0
    for word in ("serve", "invite", "report", "export", "backup", "short for"):
        assert word in out
    refused(run("review", "no-such-folder-here"), "no-such-folder-here")
    refused(run("review", "--port", "1", "no-such-folder-here"), "no-such-folder-here")
    for command in ("serve", "invite", "revoke", "report", "export", "backup"):
        assert "Example:" in run("review", command, "--help")[1]


@pytest.mark.parametrize(
    ("host", "alone"), [("127.0.0.1", True), ("::1", True), ("[::1]", True), ("0.0.0.0", False), ("::", False)]
)
def test_who_can_reach_an_address(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


@pytest.mark.parametrize("url", ["host/review", "ftp://h/r", "https://", "https://h/../x", "https://h/?a=b"])
def test_a_public_address_must_be_one(url: str) -> None:
    with pytest.raises(MedqDegError, match="public address"):
        check_public_url(url)
