"""Parts of a run that a job array left in an object store are merged from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from medq_deg.evaluation.run import Shard
from medq_deg.evaluation.store import RunFolder
from tests.evaluation.test_run import ROWS, Echo, run
from tests.scale.conftest import Bucket
from tests.scale.sets import command

pytest.importorskip("moto")


def part(number: int, out: Path, said: str = "A", trials: int = 10) -> Path:
    run(Echo(said), out, shard=Shard.parse(f"{number}/2"), trials=trials)
    return out


def test_parts_in_folders_of_a_bucket_are_merged(bucket: Bucket, tmp_path: Path) -> None:
    for number in (1, 2):
        bucket.put(part(number, tmp_path / f"part{number}"), f"runs/{number}")
    out = tmp_path / "whole"
    done = command("merge", f"{bucket.address}/runs/1", f"{bucket.address}/runs/2", "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"{ROWS} of {ROWS} rows answered" in done.stdout
    assert len(RunFolder(out).read_answers()) == ROWS


def test_one_folder_of_a_bucket_that_parts_shared_is_merged_beside_one_here(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(part(1, tmp_path / "there"), "runs/shared")
    here = part(2, tmp_path / "here")
    done = command("merge", f"{bucket.address}/runs/shared/", here, "--out", tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    assert len(RunFolder(tmp_path / "whole").read_answers()) == ROWS


def test_what_cannot_be_merged_is_told_of_its_address(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put(part(1, tmp_path / "one"), "runs/1")
    bucket.put(part(2, tmp_path / "two", trials=5), "runs/2")
    one, two, out = f"{bucket.address}/runs/1", f"{bucket.address}/runs/2", tmp_path / "whole"
    other = command("merge", one, two, "--out", out)
    assert other.returncode == 2
    assert f"{two}: holds a run with other settings: trials was" in other.stderr
    nothing = command("merge", f"{bucket.address}/runs/3", "--out", out)
    assert nothing.stderr == f"medq-deg: {bucket.address}/runs/3: is not the folder of a run, run.json is missing\n"
    inside = command("merge", one)
    assert inside.returncode == 2
    assert "a merged run is a folder of this machine; name one with --out" in inside.stderr
