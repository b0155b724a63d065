"""The list of published models: complete, equal to the paper's tables, and consistent with its own rules."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest

from medq_deg import results
from medq_deg.errors import MedqDegError
from medq_deg.models.published import (
    COLUMNS,
    GROUPS,
    RUNS,
    PublishedModel,
    find_published,
    published_models,
    resolve_published,
    table_rows,
)
from tests.paper import paper_table

MODELS = published_models()
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def running(run: str) -> list[PublishedModel]:
    return [model for model in MODELS if model.run == run]


SHIPPED = Path(results.__file__).parent / "paper"

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def test_there_are_40_models_and_no_name_twice() -> None:
    assert len(MODELS) == len({model.name.casefold() for model in MODELS}) == 40


def test_names_groups_and_accuracies_are_the_papers() -> None:
    paper = [
        (row["model"], row["group"], tuple(float(row[f"l{level}_accuracy"]) for level in range(3)))
        for row in paper_table("by_severity")
    ]
    assert [(model.name, model.group, model.accuracy) for model in MODELS] == paper


@pytest.mark.parametrize("table", ["by_category", "by_task"])
def test_every_table_of_the_paper_uses_these_names(table: str) -> None:
    with (SHIPPED / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        assert {row["model"] for row in csv.DictReader(file)} == {model.name for model in MODELS}


def test_groups_and_ways_to_run_are_all_used() -> None:
    assert {model.group for model in MODELS} == set(GROUPS)
    assert {model.run for model in MODELS} == set(RUNS)


@each_model
def test_accuracies_are_percentages(model: PublishedModel) -> None:
    assert all(0 < accuracy < 100 for accuracy in model.accuracy)


@each_model
def test_every_row_has_a_source(model: PublishedModel) -> None:
    assert re.fullmatch(r"https://[\w.-]+/\S+", model.source)


@each_model
def test_open_weights_have_a_hub_id_and_commercial_models_an_api_name(model: PublishedModel) -> None:
    if model.group == "commercial":
        assert (model.hub_id, model.run) == ("", "endpoint")
    else:
        assert HUB_ID.fullmatch(model.hub_id)
    assert bool(model.api_name) == (model.run != "plugin")


@each_model
def test_memory_is_that_of_the_weights_and_a_fifth(model: PublishedModel) -> None:
    if model.group == "commercial":
        assert model.parameters_billion is None
        assert model.min_memory_gib is None
    else:  # the weights in bfloat16, all experts included, and a fifth more for activations and cache
        assert model.parameters_billion is not None
        bytes_needed = model.parameters_billion * 1e9 * 2 * 1.2
        assert model.min_memory_gib == math.ceil(bytes_needed / 2**30) > 0


@each_model
def test_the_parameters_are_no_fewer_than_the_papers_name_says(model: PublishedModel) -> None:
    size = re.search(r"\(([\d.]+)B\)", model.name)
    if size:
        assert model.parameters_billion is not None
        assert model.parameters_billion >= float(size[1])


@each_model
def test_a_name_is_found_in_any_case_and_spacing(model: PublishedModel) -> None:
    for name in (model.name, model.name.upper(), model.name.lower(), f" {model.name.replace('(', ' (')} "):
        assert find_published(name) is model


@pytest.mark.parametrize("model", running("native"), ids=lambda model: model.name)
def test_a_native_model_resolves_to_its_hub_id(model: PublishedModel) -> None:
    assert resolve_published(model.name) == model.hub_id


def test_the_example_of_the_manual_resolves() -> None:
    assert resolve_published("InternVL3-Instruct(78B)") == "OpenGVLab/InternVL3-78B-hf"


@pytest.mark.parametrize("model", running("endpoint"), ids=lambda model: model.name)
def test_an_endpoint_model_says_how_to_call_it(model: PublishedModel) -> None:
    with pytest.raises(MedqDegError, match=re.escape(f"--endpoint URL --model {model.api_name}")):
        resolve_published(model.name)


@pytest.mark.parametrize("model", running("plugin"), ids=lambda model: model.name)
def test_a_plugin_model_names_the_entry_point_group(model: PublishedModel) -> None:
    with pytest.raises(MedqDegError, match=r"medq_deg\.models \(see docs/models\.md\)"):
        resolve_published(model.name)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("InternVL3-Instruct(77B)", "InternVL3-Instruct(78B)"),
        ("Lingshu-7B", "Lingshu(7B)"),
        ("medgemma-27b-it", "MedGemma(27B)"),
        ("gemini-2.5", "Gemini-2.5-Pro"),
    ],
)
def test_a_name_that_is_nearly_a_published_one_gets_suggestions(name: str, nearest: str) -> None:
    with pytest.raises(MedqDegError, match=f"unknown model '{re.escape(name)}'.*{re.escape(nearest)}"):
        resolve_published(name)


@pytest.mark.parametrize("name", ["demo", "gpt2", "my-model", "ORG/InternVL3-Instruct(77B)", "./Lingshu-7B", ""])
def test_names_that_are_nothing_like_a_published_one_pass_unchanged(name: str) -> None:
    assert resolve_published(name) == name
    assert find_published(name) is None


def test_a_folder_comes_before_a_published_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "UniMedVL").mkdir()
    assert resolve_published("UniMedVL") == "UniMedVL"


def test_the_table_shows_every_model_and_marks_ids_that_are_not_sure() -> None:
    rows = table_rows()
    assert [row[0] for row in rows] == [model.name for model in MODELS]
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert [row[2].endswith("?") for row in rows] == [not model.sure for model in MODELS]
    assert ("GPT-5", "commercial", "gpt-5", "endpoint", "-", "70.27", "69.09", "64.30") in rows


def test_the_page_about_them_has_their_counts_and_what_is_unsure() -> None:
    page = (Path(__file__).parents[2] / "docs" / "published_models.md").read_text(encoding="utf-8")
    for run in RUNS:
        assert f"| {run} | {len(running(run))} |" in page
    for model in MODELS:
        assert model.sure or model.name in page or model.name.replace("InternVL3-Instruct", "") in page
