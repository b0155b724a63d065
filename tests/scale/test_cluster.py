"""A cluster of two workers: the same bytes, whoever dies; and who is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medq_deg import __version__
from medq_deg.data.build import build
from medq_deg.engines.local import LocalEngine
from medq_deg.errors import MedqDegError
from medq_deg.scale.dataset import degrade_dataset
from medq_deg.scale.table import Recipe
from tests.data.sources_of_demo import write_folder
from tests.scale.conftest import Cluster
from tests.scale.sets import command, contents, read, rows, write

pytest.importorskip("distributed")


@pytest.fixture(scope="session")
def wanted(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the engine of this machine makes of the small data set."""
    out = tmp_path_factory.mktemp("wanted") / "out"
    with LocalEngine(1) as engine:
        degrade_dataset(str(small), str(out), Recipe(), engine)
    return contents(out)


def test_a_cluster_makes_the_same_bytes(
    small: Path, wanted: dict[str, bytes], cluster: Cluster, tmp_path: Path
) -> None:
    done = command("degrade", small, tmp_path / "out", "--engine", "dask", "--cluster", cluster.address)
    assert done.returncode == 0, done.stderr
    assert "60 rows in 6 files, all with an image" in done.stdout
    assert contents(tmp_path / "out") == wanted


def test_workers_that_are_started_here_make_the_same_bytes(
    small: Path, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    done = command("degrade", small, tmp_path / "out", "--engine", "dask", "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "out") == wanted


def test_a_broken_image_ends_no_job(cluster: Cluster, tmp_path: Path) -> None:
    content = rows(8)
    content[3]["image"] = {"bytes": b"no image", "path": None}
    write(tmp_path / "in", content, 2)
    done = command("degrade", tmp_path / "in", tmp_path / "out", "--engine", "dask", "--cluster", cluster.address)
    assert done.returncode == 1
    assert "1 without an image, see the column 'error'" in done.stdout
    assert "1 x not a" in done.stderr
    assert [row["error"] is None for row in read(tmp_path / "out")] == [number != 3 for number in range(8)]


def test_a_build_on_a_cluster_is_the_build_of_this_machine(cluster: Cluster, tmp_path: Path) -> None:
    from medq_deg.engines.cluster import dask_engine

    write_folder(tmp_path / "mine")
    here = build({"folder": tmp_path / "mine"}, tmp_path / "here", questions=6)
    with dask_engine(cluster.address, 1) as engine:
        there = build({"folder": tmp_path / "mine"}, tmp_path / "there", questions=6, engine=engine)
    assert there["fingerprint"] == here["fingerprint"]
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


@pytest.fixture(scope="session")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of which two workers make a file in about half a second."""
    return write(tmp_path_factory.mktemp("sets") / "long", rows(800, 256), 16)


def finished(folder: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a running job has finished some files, each of which is whole."""
    for _ in range(1200):
        if len(contents(folder)) >= count:
            break
        assert process.poll() is None
        time.sleep(0.05)
    read(folder)


def start(source: Path, target: Path, cluster: Cluster) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "medq_deg", "degrade", source, target, "--engine", "dask", "--cluster", cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
def test_killed_workers_and_a_killed_scheduler_lose_nothing(
    long: Path, clusters: Callable[..., Cluster], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cluster = clusters()
    job = start(long, out, cluster)
    finished(out, 2, job)
    cluster.workers[0].send_signal(signal.SIGKILL)
    cluster.start_worker()
    finished(out, 4, job)
    assert cluster.scheduler is not None
    cluster.scheduler.send_signal(signal.SIGKILL)
    told = job.communicate(timeout=120)[1].decode()
    assert job.returncode == 2
    assert "the scheduler is gone" in told
    assert "Traceback" not in told
    before = contents(out)
    assert 4 <= len(before) < 16

    cluster.stop()
    again = clusters()
    done = command("degrade", long, out, "--engine", "dask", "--cluster", again.address)
    assert done.returncode == 0, done.stderr
    after = contents(out)
    assert {name: after[name] for name in before} == before
    with LocalEngine(1) as engine:
        degrade_dataset(str(long), str(tmp_path / "wanted"), Recipe(), engine)
    assert after == contents(tmp_path / "wanted")
    assert [path for path in out.rglob("*") if path.suffix == ".part"] == []


def test_a_worker_of_another_version_is_refused_with_both_versions(
    small: Path, clusters: Callable[..., Cluster], tmp_path: Path
) -> None:
    other = tmp_path / "other/medq_deg-9.9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: medq-deg\nVersion: 9.9.9\n")
    cluster = clusters(1)
    cluster.start_worker(PYTHONPATH=os.pathsep.join([str(other.parent), os.environ.get("PYTHONPATH", "")]))
    for _ in range(100):
        done = command("degrade", small, tmp_path / "out", "--engine", "dask", "--cluster", cluster.address)
        if done.returncode:
            break
        (tmp_path / "out").rename(tmp_path / f"before-{time.monotonic_ns()}")  # the other worker was not there yet
    assert done.returncode == 2
    assert f"has medq-deg 9.9.9, this program has {__version__}: install the same on both" in done.stderr


def test_another_python_is_refused_with_both_versions() -> None:
    from medq_deg.engines.cluster import refuse_other, versions_here

    mine = versions_here()
    with pytest.raises(MedqDegError, match=r"has Python 3\.7, this program has 3\.\d+"):
        refuse_other("the worker tcp://a", {**mine, "Python": "3.7"}, mine)


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_refused(small: Path, tmp_path: Path) -> None:
    done = command("degrade", small, tmp_path / "out", "--engine", "dask", "--cluster", "tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "tcp://127.0.0.1:9: no Dask scheduler answers there" in done.stderr
    done = command("degrade", small, tmp_path / "out", "--engine", "dask", "--cluster", "not an address")
    assert done.returncode == 2
    assert "not an address: no Dask scheduler answers there" in done.stderr


def test_a_cluster_needs_the_engine_that_takes_one(small: Path, tmp_path: Path) -> None:
    done = command("degrade", small, tmp_path / "out", "--cluster", "tcp://127.0.0.1:8786")
    assert done.returncode == 2
    assert "--cluster tcp://127.0.0.1:8786 needs --engine dask" in done.stderr


@pytest.mark.slow
def test_two_jobs_on_one_folder_are_refused(small: Path, long: Path, cluster: Cluster, tmp_path: Path) -> None:
    out = tmp_path / "out"
    job = start(long, out, cluster)
    try:
        finished(out, 1, job)
        done = command("degrade", long, out)
        assert done.returncode == 2
        assert "another job is writing here" in done.stderr
    finally:
        job.kill()
        job.wait()
    assert command("degrade", long, out, "--workers", 2).returncode == 0
    assert len(read(out)) == 800
