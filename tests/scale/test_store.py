"""Data sets in an object store: a real server of S3's protocol on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from medq_deg.engines.local import LocalEngine
from medq_deg.errors import MedqDegError
from medq_deg.scale.dataset import degrade_dataset
from medq_deg.scale.hold import hold_place
from medq_deg.scale.places import open_place, replace_place
from medq_deg.scale.table import Recipe
from tests.scale.conftest import Bucket, free_port
from tests.scale.sets import command, contents, rows, write

pytest.importorskip("moto")


def degraded(source: object, target: object) -> None:
    with LocalEngine(1) as engine:
        degrade_dataset(str(source), str(target), Recipe(), engine)


def test_a_bucket_gets_the_bytes_that_a_disk_gets(small: Path, bucket: Bucket, tmp_path: Path) -> None:
    degraded(small, tmp_path / "wanted")
    wanted = contents(tmp_path / "wanted")
    bucket.put(small, "in")
    degraded(f"{bucket.address}/in", f"{bucket.address}/out")
    assert bucket.contents("out") == wanted
    assert [key for key in bucket.listed() if "/parts/" in key or "/jobs/" in key] == []
    degraded(f"{bucket.address}/in/part-003.parquet", tmp_path / "one")
    assert contents(tmp_path / "one") == {"part-003.parquet": wanted["part-003.parquet"]}


def test_workers_of_a_cluster_read_and_write_a_bucket(small: Path, bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(small, "in")
    done = command("degrade", f"{bucket.address}/in/", f"{bucket.address}/out", "--engine", "dask", "--workers", 2)
    assert done.returncode == 0, done.stderr
    degraded(small, tmp_path / "wanted")
    assert bucket.contents("out") == contents(tmp_path / "wanted")


def test_an_address_may_name_its_server(small: Path, bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(small, "in")
    host = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    done = command(
        "degrade",
        f"s3://testing:testing@{bucket.name}/in?endpoint_override={host}&scheme=http",
        tmp_path / "out",
        AWS_ENDPOINT_URL="",
    )
    assert done.returncode == 0, done.stderr
    assert len(contents(tmp_path / "out")) == 6


def test_what_fails_half_way_is_never_seen_under_its_name(bucket: Bucket) -> None:
    out = open_place(f"{bucket.address}/out")

    def fail() -> None:
        with replace_place(out / "a.parquet", out / ".medq-deg") as file:
            file.write(b"half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert not [key for key in bucket.listed() if not key.endswith("/")]


@pytest.mark.slow
def test_a_killed_job_leaves_whole_files_and_the_same_command_goes_on(bucket: Bucket, tmp_path: Path) -> None:
    source = write(tmp_path / "in", rows(320, 256), 16)
    job = subprocess.Popen([sys.executable, "-m", "medq_deg", "degrade", str(source), f"{bucket.address}/out"])
    try:
        while not (seen := bucket.contents("out")):
            assert job.poll() is None
            time.sleep(0.05)
    finally:
        job.send_signal(signal.SIGKILL)
        job.wait()
    for content in (seen | bucket.contents("out")).values():
        pq.read_table(BytesIO(content))
    assert len(seen) < 16
    done = command("degrade", source, f"{bucket.address}/out")
    assert done.returncode == 0, done.stderr
    assert "of which were there before" in done.stdout
    degraded(source, tmp_path / "wanted")
    assert bucket.contents("out") == contents(tmp_path / "wanted")
    assert [key for key in bucket.listed() if "/parts/" in key or "/jobs/" in key] == []


def test_two_jobs_on_one_bucket_folder_are_refused(bucket: Bucket) -> None:
    out = open_place(f"{bucket.address}/out")
    told = pytest.raises(MedqDegError, match="another job is writing here")
    with hold_place(out, refresh=0.5, patience=5), told, hold_place(out, refresh=0.5, patience=5):
        pass
    with hold_place(out):  # nothing holds it any more
        pass


def test_of_two_jobs_that_come_together_at_most_one_works(bucket: Bucket) -> None:
    out = open_place(f"{bucket.address}/out")
    together, inside, most = threading.Barrier(4), [], []

    def come() -> None:
        together.wait()
        try:
            with hold_place(out, refresh=0.2, patience=2):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.5)
                inside.pop()
        except MedqDegError:
            pass

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most, default=0) <= 1


def test_a_ticket_of_a_dead_job_is_taken_away(bucket: Bucket) -> None:
    out = open_place(f"{bucket.address}/out")
    bucket.client.put_object(Bucket=bucket.name, Key="out/.medq-deg/jobs/dead", Body=b"")
    with hold_place(out, patience=0.5):
        assert "out/.medq-deg/jobs/dead" not in bucket.listed()


@pytest.mark.parametrize("where", ["in", "out"])
def test_a_bucket_that_does_not_exist_is_named(small: Path, bucket: Bucket, tmp_path: Path, where: str) -> None:
    source, target = ("s3://no-such-bucket/in", tmp_path / "out") if where == "in" else (small, "s3://no-such-bucket/x")
    with pytest.raises(MedqDegError, match="the bucket 'no-such-bucket' does not exist"):
        degraded(source, target)


def test_a_folder_that_does_not_exist_is_named(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match=f"^{bucket.address}/nothing: no such file or folder$"):
        degraded(f"{bucket.address}/nothing", tmp_path / "out")


def test_a_store_that_does_not_know_who_asks_is_told_of(tmp_path: Path) -> None:
    """moto checks who asks, as Amazon's servers do, in a server that is told to; here it knows nobody."""
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port := free_port())],
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "0"},
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        done = command(
            "degrade",
            "s3://anyone/in",
            tmp_path / "out",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
            AWS_ACCESS_KEY_ID="nobody",
            AWS_SECRET_ACCESS_KEY="nothing",
            AWS_DEFAULT_REGION="us-east-1",
        )
    finally:
        server.kill()
        server.wait()
    assert done.returncode == 2
    assert "s3://anyone/in: the store does not let this job in" in done.stderr
    assert "AWS_ACCESS_KEY_ID" in done.stderr
    assert done.stderr.count("\n") == 1


def test_google_without_credentials_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    told = "gs://anyone/in: the store does not let this job in.*GOOGLE_APPLICATION_CREDENTIALS"
    with pytest.raises(MedqDegError, match=told):
        degraded("gs://anyone/in?retry_limit_seconds=1", tmp_path / "out")


def test_the_hub_is_read_and_not_written(small: Path, tmp_path: Path) -> None:
    from tests.hub.double import HubDouble

    files = {f"data/{path.name}": path.read_bytes() for path in small.glob("*.parquet")}
    hub = HubDouble()
    try:
        hub.repositories["org/images"] = files
        there = {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "home")}
        done = command("degrade", "hf://datasets/org/images/data", tmp_path / "out", **there)
        assert done.returncode == 0, done.stderr
        lost = command("degrade", "hf://datasets/org/nothing", tmp_path / "lost", **there)
        written = command("degrade", small, "hf://datasets/org/images/out", **there)
    finally:
        hub.close()
    degraded(small, tmp_path / "wanted")
    assert contents(tmp_path / "out") == contents(tmp_path / "wanted")
    assert lost.returncode == 2
    assert "hf://datasets/org/nothing" in lost.stderr
    assert lost.stderr.count("\n") == 1
    assert written.returncode == 2
    assert "every file would be a commit there" in written.stderr
