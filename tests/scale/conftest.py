"""A cluster of two workers, and a server that speaks S3, both on loopback and both real programs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.scale.sets import rows, write


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 60 rows in 6 files."""
    return write(tmp_path_factory.mktemp("sets") / "small", rows(60), 6)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Cluster:
    """A scheduler and workers, each a process."""

    port: int
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        self.scheduler = _start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")

    def start_worker(self, **environment: str) -> None:
        arguments = (self.address, "--nworkers", "1", "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard")
        self.workers.append(_start("worker", *arguments, **environment))

    def stop(self) -> None:
        # Workers look for their scheduler for some seconds before they end without it.
        for processes in (self.workers, [*filter(None, [self.scheduler])]):
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _start(kind: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


@pytest.fixture
def clusters() -> Iterator[Callable[..., Cluster]]:
    """Start clusters that end with the test."""
    pytest.importorskip("distributed")
    started: list[Cluster] = []

    def start(workers: int = 2) -> Cluster:
        cluster = Cluster(free_port())
        started.append(cluster)
        cluster.start_scheduler()
        for _ in range(workers):
            cluster.start_worker()
        return cluster

    yield start
    for cluster in started:
        cluster.stop()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of two workers that tests share and leave as it is."""
    pytest.importorskip("distributed")
    shared = Cluster(free_port())
    shared.start_scheduler()
    for _ in range(2):
        shared.start_worker()
    yield shared
    shared.stop()


@dataclass
class Bucket:
    """A bucket of the S3 server."""

    name: str
    client: Any

    @property
    def address(self) -> str:
        return f"s3://{self.name}"

    def listed(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return [entry["Key"] for entry in found]

    def get(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def put(self, folder: Path, below: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{below}/{path.relative_to(folder).as_posix()}"
                self.client.put_object(Bucket=self.name, Key=key, Body=path.read_bytes())

    def contents(self, below: str) -> dict[str, bytes]:
        """The finished files of a folder by their names."""
        start = f"{below}/"
        names = [key.removeprefix(start) for key in self.listed() if key.startswith(start) and key.endswith(".parquet")]
        return {name: self.get(start + name) for name in names}


@pytest.fixture(scope="session")
def _server() -> Iterator[str]:
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    before = dict(os.environ)
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://{host}:{port}",
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
    )
    yield f"http://{host}:{port}"
    os.environ.clear()
    os.environ.update(before)
    server.stop()


@pytest.fixture
def bucket(_server: str) -> Bucket:
    """A bucket of its own for a test; what this test starts afterwards knows the way to it."""
    boto3 = pytest.importorskip("boto3")
    made = Bucket(f"test-{uuid.uuid4().hex[:12]}", boto3.client("s3", endpoint_url=_server))
    made.client.create_bucket(Bucket=made.name)
    return made
