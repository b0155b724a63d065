"""`load_dataset("medq-deg")` in fresh processes, offline, in any directory; images made on the fly."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from numpy.typing import NDArray

import medq_deg
from medq_deg.data import fly
from medq_deg.data.build import build
from medq_deg.data.builder import MedqDegBuilder
from medq_deg.enable import disable, enable, pth_file
from medq_deg.errors import MedqDegError
from tests.data.sources.samples import encoded, write_tsv
from tests.data.sources_of_demo import write_folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build({"folder": write_folder(folder / "mine")}, folder / "data")
    return folder / "data"


def python(code: str, directory: Path) -> str:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(directory / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LOAD = "import medq_deg\nfrom datasets import get_dataset_config_names, load_dataset\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("d = load_dataset('medq-deg', 'demo'); print(*map(len, d.values()))", "85 166 166"),
        ("print(load_dataset('medq_deg', 'demo', split='L2')[0]['image'].size)", "(512, 512)"),
        ("print(len(load_dataset('medq-deg', 'demo', split='L1[:10%]')))", "17"),
        ("print(len(load_dataset('medq-deg', 'demo', split='L1', num_proc=2)))", "166"),
        ("print(next(iter(load_dataset('medq-deg', 'demo', split='L0', streaming=True)))['severity'])", "0"),
        ("print(get_dataset_config_names('medq-deg'))", "['default', 'demo', 'release']"),
    ],
)  # fmt: skip
def test_the_bare_name_loads_the_demo_set(code: str, printed: str, tmp_path: Path) -> None:
    assert python(LOAD + code, tmp_path).endswith(printed)


@pytest.mark.slow
def test_a_build_loads_by_name_and_by_path_with_the_same_rows(built: Path, tmp_path: Path) -> None:
    code = (
        f"{LOAD}a = load_dataset('medq-deg', data_dir={str(built)!r})\nb = load_dataset({str(built)!r})\n"
        "print([a[s]['id'] == b[s]['id'] and a[s].features == b[s].features for s in ('L0', 'L1', 'L2')])\n"
    )
    assert python(code, tmp_path).endswith("[True, True, True]")


def test_without_data_and_network_one_error_says_what_to_do(tmp_path: Path) -> None:
    code = (
        f"{LOAD}try:\n    load_dataset('medq-deg')\nexcept Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    told = python(code, tmp_path)
    for words in ("MedqDegError", "jiyaoliufd/MedQ-DEG-Bench", "data_dir=FOLDER", "medq-deg build", "'demo'"):
        assert words in told


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MedqDegError, match="holds no shards of L0, L1, L2; make them with `medq-deg build"):
        MedqDegBuilder(data_dir=str(tmp_path), cache_dir=str(tmp_path / "c")).download_and_prepare()
    with pytest.raises(MedqDegError, match="is not a folder"):
        MedqDegBuilder(data_dir=str(tmp_path / "none"), cache_dir=str(tmp_path / "c")).download_and_prepare()


@pytest.mark.slow
def test_the_builder_works_when_called_directly(tmp_path: Path) -> None:
    builder = MedqDegBuilder(config_name="demo", cache_dir=str(tmp_path))
    builder.download_and_prepare()
    assert len(builder.as_dataset(split="L0")) == 85


@pytest.mark.slow
def test_enabling_makes_the_name_work_without_importing_medq_deg(tmp_path: Path) -> None:
    was_there = pth_file().exists()
    try:
        assert enable() == pth_file()
        code = "import datasets; print(len(datasets.load_dataset('medq-deg', 'demo', split='L0')))"
        assert python(code, tmp_path).endswith("85")
        assert disable()
        assert not disable()
    finally:
        if was_there:
            enable()


@pytest.fixture(scope="module")
def rows(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    cache = str(tmp_path_factory.mktemp("cache"))
    splits = {name: datasets.load_dataset(str(built), split=name, cache_dir=cache) for name in ("L0", "L1", "L2")}
    plan = medq_deg.make_plan(splits["L0"], seed=0)
    return {
        "clean": splits["L0"],
        "plan": plan,
        "lazy": medq_deg.apply_plan(splits["L0"], plan),
        "stored": {row["id"]: np.asarray(row["image"]) for split in splits.values() for row in split},
    }


def same(row: dict[str, Any], stored: dict[str, NDArray[np.uint8]]) -> bool:
    return np.array_equal(np.asarray(row["image"]), stored[row["id"]])


def test_images_made_on_the_fly_are_those_of_the_build(rows: dict[str, Any]) -> None:
    assert len(rows["lazy"]) == len(rows["plan"]) == len(rows["stored"])
    assert all(same(row, rows["stored"]) for row in rows["lazy"])
    stored = rows["lazy"].cast_column("image", datasets.Image(decode=False))
    assert all(row["image"]["bytes"] is None for row in stored), "no image is stored"


def test_cached_and_streamed_rows_are_the_same(rows: dict[str, Any]) -> None:
    cached = medq_deg.apply_plan(rows["clean"], rows["plan"], cached=True)
    assert cached.features == rows["lazy"].features
    assert all(same(row, rows["stored"]) for row in cached)
    streamed = list(medq_deg.apply_plan(rows["clean"], rows["plan"], streaming=True))
    assert len(streamed) == len(rows["plan"])
    assert all(same(row, rows["stored"]) for row in streamed)


def test_select_shuffle_map_and_pickle_keep_the_images(rows: dict[str, Any]) -> None:
    some = rows["lazy"].shuffle(seed=3).select(range(10))
    assert all(same(row, rows["stored"]) for row in some)
    means = some.map(lambda row: {"mean": float(np.asarray(row["image"]).mean())}, remove_columns=["image"])
    assert [row["mean"] for row in means] == [float(rows["stored"][row["id"]].mean()) for row in means]
    copy = pickle.loads(pickle.dumps(rows["lazy"]))
    assert same(copy[4], rows["stored"])
    assert len(rows["lazy"][:3]["image"]) == 3


def test_data_loader_workers_see_the_same_images(rows: dict[str, Any]) -> None:
    data = pytest.importorskip("torch.utils.data")
    loader = data.DataLoader(rows["lazy"], batch_size=4, num_workers=2, collate_fn=list)
    assert all(same(row, rows["stored"]) for batch in loader for row in batch)


def test_clean_rows_may_have_been_shuffled(rows: dict[str, Any]) -> None:
    lazy = medq_deg.apply_plan(rows["clean"].shuffle(seed=1), rows["plan"])
    assert all(same(row, rows["stored"]) for row in lazy.select(range(8)))


def test_fingerprints_are_stable_and_follow_the_code(rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    again = medq_deg.apply_plan(rows["clean"], rows["plan"])
    assert again._fingerprint == rows["lazy"]._fingerprint
    other = medq_deg.apply_plan(rows["clean"], medq_deg.make_plan(rows["clean"], seed=1))
    assert other._fingerprint != rows["lazy"]._fingerprint
    monkeypatch.setattr(fly, "code_fingerprint", lambda: "another version")
    assert medq_deg.apply_plan(rows["clean"], rows["plan"])._fingerprint != rows["lazy"]._fingerprint


def test_a_plan_for_other_questions_is_refused(rows: dict[str, Any]) -> None:
    with pytest.raises(MedqDegError, match="the plan has question 'q0', which the clean rows do not have"):
        medq_deg.apply_plan(rows["clean"], medq_deg.make_plan([{"question_id": "q0", "modality": "CT"}]))


def test_a_image_needs_no_other_column(rows: dict[str, Any]) -> None:
    alone = rows["lazy"].select_columns(["image", "id"])
    assert all(same(row, rows["stored"]) for row in alone.select(range(4)))


def test_on_the_fly_degrades_any_dataset_whatever_the_order(rows: dict[str, Any]) -> None:
    for transform in (
        medq_deg.OnTheFly("gaussian_noise", severity=2, id_column="question_id"),
        medq_deg.OnTheFly("gaussian_noise", severity=2, modality="CT"),
    ):
        noisy = rows["clean"].with_transform(transform)
        made = {row["question_id"]: np.asarray(row["image"]) for row in noisy}
        again = {row["question_id"]: np.asarray(row["image"]) for row in noisy.shuffle(seed=5)}
        assert made.keys() == again.keys()
        assert all(np.array_equal(made[key], again[key]) for key in made)
    with pytest.raises(MedqDegError, match="no column 'scan'; the columns are"):
        rows["clean"].with_transform(medq_deg.OnTheFly("bubble", 1, column="scan"))
    with pytest.raises(MedqDegError, match="bubble has no parameter 'size'"):
        medq_deg.OnTheFly("bubble", 1, size=3)


def test_a_run_can_be_made_over_a_dataset_with_class_labels(rows: dict[str, Any], tmp_path: Path) -> None:
    from medq_deg.evaluation.run import evaluate
    from medq_deg.evaluation.store import RunFolder
    from tests.evaluation.test_run import Echo

    evaluate(Echo(), rows["lazy"], tmp_path / "run", data_name="mine")
    stored = RunFolder(tmp_path / "run").read_rows()
    assert stored[0]["modality"] in medq_deg.taxonomy.MODALITIES
    assert stored[1]["degradation"] in medq_deg.taxonomy.DEGRADATION_NAMES


def test_the_authors_release_loads_from_a_folder_of_their_files(tmp_path: Path) -> None:
    row = {"question": "What is in this MRI image?", "A": "Liver", "B": "Spleen", "answer": "A", "modality": "MRI"}
    write_tsv(tmp_path / "MedQ-Robust-good-test.tsv", [{"index": 1, "image": encoded(), **row}])
    made = {"degradation_type": "ghosting_artifact", "image": encoded()}
    write_tsv(
        tmp_path / "MedQ-Robust-simulate-test.tsv",
        [{"index": 1, "degradation_severity": word, **made, **row} for word in ("mild", "severe")],
    )
    code = f"{LOAD}d = load_dataset('medq-deg', 'release', data_dir={str(tmp_path)!r})\n"
    code += "print([[r['id'], r['task'], r['image'].size[0] > 0] for s in d.values() for r in s])\n"
    told = python(code, tmp_path)
    assert told.endswith(
        "[['test-1/none/L0', -1, True], ['test-1/ghosting/L1', -1, True], ['test-1/ghosting/L2', -1, True]]"
    )
