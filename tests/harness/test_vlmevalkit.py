"""The TSV files for VLMEvalKit, read as its class does: with pandas, options A to E, images by index."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medq_deg import open_data
from medq_deg.data.load import Data
from medq_deg.data.names import HUB_RELEASE
from medq_deg.errors import MedqDegError
from medq_deg.harness.asked import Asked, choose
from medq_deg.harness.imported import import_results
from medq_deg.harness.vlmevalkit import FILES, export_vlmevalkit
from medq_deg.models.prompts import build_prompt
from tests.harness.direct import SUBSET, VOTES, same_as_direct, texts_of


def read(path: Path) -> pd.DataFrame:
    """Load a file as VLMEvalKit does: plain `read_csv`, an index of text, and images that stand in another row."""
    frame = pd.read_csv(path, sep="\t")
    frame["index"] = frame["index"].astype(str)
    frame["image"] = frame["image"].astype(str)
    images = dict(zip(frame["index"], frame["image"], strict=True))
    frame["image"] = [text if len(text) > 64 else images[text] for text in frame["image"]]
    return frame


def prompt_of(line: Any) -> str:
    """Ask as its class for this benchmark does."""
    options = {letter: str(line[letter]).strip() for letter in "ABCDE" if pd.notna(line[letter])}
    shown = "\n".join(f"{letter}. {text}" for letter, text in options.items() if text)
    return f"{line['question']}\n\n{shown}\n\nAnswer with the option letter from the given choices directly."


def answered(exported: Sequence[Path], run: Path, out: Path, ending: str, model: str = "speaker") -> list[Path]:
    """Write results as VLMEvalKit's inference does: all columns but the image, and the prediction."""
    said = texts_of(run)
    names = {file: name for name, file in FILES.items()}
    written = []
    out.mkdir(exist_ok=True)
    for path in exported:
        frame = read(path).drop(columns="image")
        frame["prediction"] = [said[name][vote] for name, vote in zip(frame["medq_id"], frame["vote"], strict=True)]
        target = out / f"{model}_{names[path.name]}.{ending}"
        if ending == "xlsx":
            frame.to_excel(target, index=False)
        elif ending == "json":
            target.write_text(json.dumps(frame.to_dict(orient="records"), indent=4, ensure_ascii=False))
        else:
            frame.to_csv(target, sep="\t", index=False, quoting=1)
        written.append(target)
    return written


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return export_vlmevalkit(choose("demo", subset=SUBSET), tmp_path_factory.mktemp("tsv"), VOTES)


def test_its_class_asks_our_prompts_with_our_images_once_for_each_vote(exported: list[Path]) -> None:
    data = open_data("demo")
    rows = {row["id"]: (place, row) for place, row in enumerate(data.columns())}
    assert [path.name for path in exported] == list(FILES.values())
    seen: list[str] = []
    for path in exported:
        frame = read(path)
        assert frame["index"].is_unique
        for _, line in frame.iterrows():
            place, row = rows[line["medq_id"]]
            assert prompt_of(line) == build_prompt(row["question"], row["options"])
            assert line["answer"] == row["answer"]
            if line["vote"] == 0:
                seen.append(row["id"])
                shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(line["image"]))))
                assert np.array_equal(shown, np.asarray(data[place]["image"]))
        assert set(frame.groupby("medq_id")["vote"].apply(tuple)) == {tuple(range(VOTES))}
        # It never writes a file anew: two images must not share a name, and one image needs one alone.
        assert frame.groupby("image_path")["image"].nunique().max() == 1
    assert len(seen) == len(set(seen)) == len(choose("demo", subset=SUBSET))


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["tsv", "json", "xlsx"])
def test_the_demo_exported_answered_and_imported_is_the_direct_run(
    direct: Path, exported: list[Path], tmp_path: Path, ending: str
) -> None:
    if ending == "xlsx":
        pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    files = answered(exported, direct, tmp_path / "results", ending)
    made = import_results(files, "vlmevalkit", tmp_path / "run", data="demo", model="org/speaker", subset=SUBSET)
    assert made.rows == made.answered
    same_as_direct(tmp_path / "run", direct)


def asked_of(*questions: dict[str, Any]) -> Asked:
    base = next(iter(open_data("demo").columns()))
    rows = [{**base, "id": f"q{n}/none/L0", "question_id": f"q{n}", **each} for n, each in enumerate(questions)]
    image = Image.new("L", (64, 64), 7)
    data = Data("made", "0" * 64, [{**row, "image": image} for row in rows], {})
    return Asked(data, rows, list(range(len(rows))), {})


@pytest.mark.parametrize(
    "options", [["None", "NA", "n/a", "nan"], ["5", "10", "007", "1e3"], ["True", "1.50", "", "x"]]
)
def test_options_that_pandas_takes_for_something_else_reach_the_prompt(options: list[str], tmp_path: Path) -> None:
    options = [option for option in options if option]
    others = {"options": ["a", "b", "c", "d", "e"]}
    asked = asked_of({"options": options, "question": " Which?\n"}, others, {"options": options[:2]})
    (path,) = export_vlmevalkit(asked, tmp_path, 2)
    prompts = [prompt_of(line) for _, line in read(path).iterrows()]
    assert prompts[::2] == [build_prompt(row["question"], row["options"]) for row in asked.columns]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ({"options": list("abcdef")}, "row 'q1/none/L0' has 6 options, and VLMEvalKit shows 5"),
        ({"options": [" a", "b"]}, "row 'q1/none/L0': VLMEvalKit would strip the option ' a'"),
        ({"question": "NA"}, "row 'q1/none/L0': VLMEvalKit's reader would not read 'NA'"),
    ],
)
def test_what_its_reader_cannot_keep_is_refused_by_row_and_nothing_is_written(
    question: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(MedqDegError, match=told):
        export_vlmevalkit(asked_of({}, question), tmp_path / "out", 2)
    assert not (tmp_path / "out").exists()


def test_laid_out_as_a_cache_the_hub_s_library_finds_the_files_offline(tmp_path: Path) -> None:
    (path,) = export_vlmevalkit(asked_of({}), tmp_path, 2, hub_cache=True)
    found = huggingface_hub.snapshot_download(
        HUB_RELEASE, repo_type="dataset", cache_dir=tmp_path / "hub", local_files_only=True
    )
    assert Path(found) / path.name == path
    (repository,) = huggingface_hub.scan_cache_dir(tmp_path / "hub").repos
    assert repository.repo_id == HUB_RELEASE
    assert [revision.refs for revision in repository.revisions] == [frozenset({"main"})]
