"""One object for each degradation: what it must hold, and what a user can add."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import medq_deg
from medq_deg import DEGRADATIONS, Degrade, degrade
from medq_deg.degradations import Degradation, Severities
from medq_deg.degradations.registry import unregister
from medq_deg.degradations.version import code_fingerprint
from medq_deg.errors import MedqDegError, UnknownNameError
from medq_deg.taxonomy import CATEGORY_OF, DEGRADATION_NAMES, modalities_of


def veil(image: Any, rng: np.random.Generator, *, level: float, kind: str = "white") -> Any:
    return image * (1 - level) + (255 if kind == "white" else 0) * level


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "name": "veil",
        "function": veil,
        "summary": "a white veil",
        "clinician": "Everything looks washed out.",
        "category": "intensity",
        "modalities": ("endoscopy", "MRI"),
        "limits": {"level": (0.0, 1.0), "kind": ("white", "black")},
        "severities": Severities({"level": 0.2}, {"level": 0.5}, "by eye"),
        "reference": "alpha compositing",
        "random": False,
        **changes,
    }


@pytest.fixture
def added() -> Iterator[Degradation]:
    yield medq_deg.register(**fields())
    unregister("veil")


@pytest.mark.parametrize("entry", DEGRADATIONS.values(), ids=lambda entry: entry.name)
def test_each_published_type_is_complete(entry: Degradation) -> None:
    assert entry.category == CATEGORY_OF[entry.name]
    assert entry.modalities == modalities_of(entry.name)
    assert set(entry.limits) == set(entry.argument_names)
    assert entry.clinician.endswith(".")
    assert list(DEGRADATIONS)[:18] == list(DEGRADATION_NAMES)


def test_what_is_added_is_treated_like_ours(added: Degradation, mri: np.ndarray) -> None:
    assert DEGRADATIONS["veil"] is added
    assert medq_deg.applicable("MRI")[-1] == "veil"
    assert "veil" not in medq_deg.applicable("CT")
    assert np.array_equal(degrade(mri, "Veil", 2), np.rint(mri * 0.5 + 127.5).astype(np.uint8))
    assert np.array_equal(Degrade("veil", 1, seed=1).apply(mri), degrade(mri, "veil", 1))
    assert degrade(mri, "veil", 1, level=0.0, kind="black").tobytes() == mri.tobytes()
    with pytest.raises(MedqDegError, match=r"level must be a number from 0\.0 to 1\.0, got 2"):
        degrade(mri, "veil", 1, level=2)
    assert medq_deg.taxonomy.DEGRADATION_LABELS.index("veil") == 19
    assert medq_deg.taxonomy.category_of("veil") == "intensity"
    plan = medq_deg.make_plan([{"question_id": f"q{n}", "modality": "endoscopy"} for n in range(40)])
    assert plan.counts()["veil"] > 0


def test_the_fingerprint_follows_what_is_registered(mri: np.ndarray) -> None:
    before = code_fingerprint()
    medq_deg.register(**fields())
    assert code_fingerprint() != before
    unregister("veil")
    assert code_fingerprint() == before


def no_limits(image: Any, rng: Any, *, level: float, other: float) -> Any:
    return image


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "Veil"}, "name must be lower-case"),
        ({"name": "bubble"}, "called 'bubble' already"),
        ({"name": "rotation"}, "called 'rotation' already"),
        ({"function": 3}, "function must be callable"),
        ({"summary": " "}, "summary must be a line of text"),
        ({"clinician": ""}, "clinician must be a line of text"),
        ({"reference": None}, "reference must be a line of text"),
        ({"severities": Severities({"level": 0.2}, {"level": 0.5}, "")}, "source 1 must be a line of text"),
        ({"severities": {"level": 0.2}}, "must be given as Severities"),
        ({"severities": Severities({"level": 0.2}, {}, "by eye")}, "a strength must give level"),
        (
            {"severities": Severities({"level": 0.2}, {"level": 1.5}, "by eye")},
            "level must be a number from 0.0 to 1.0",
        ),
        ({"severities": Severities({"level": 0.2}, {"level": 0.3, "x": 1}, "by eye")}, "has no parameter 'x'"),
        ({"category": "fog"}, "category must be one of"),
        ({"modalities": ()}, "must name at least one"),
        ({"modalities": ("PET",)}, "modality must be one of"),
        ({"limits": {"level": (0.0, 1.0)}}, "limits must name each parameter"),
        ({"function": no_limits}, "limits must name each parameter"),
        ({"by_modality": {"CT": Severities({"level": 3.0}, {"level": 0.1}, "by eye")}}, "level must be a number"),
    ],
)
def test_an_incomplete_or_contradictory_entry_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(MedqDegError, match=problem):
        medq_deg.register(**fields(**changes))
    assert "veil" not in DEGRADATIONS


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (lambda image: image[:-1], "must return an array of numbers of shape"),
        (lambda image: None, "got NoneType"),
        (lambda image: image * np.nan, "NaN or infinity"),
        (lambda image: image.astype(complex), "got complex"),
    ],
)
def test_a_result_that_is_no_image_is_named(result: Any, problem: str, mri: np.ndarray) -> None:
    def broken(image: Any, rng: Any) -> Any:
        return result(image)

    entry = Degradation(**fields(name="broken", function=broken, limits={}, severities=Severities({}, {}, "none")))
    medq_deg.register(entry)
    try:
        with pytest.raises(MedqDegError, match=f"broken must return .*|{problem}") as caught:
            degrade(mri, "broken", 1)
        assert problem.rsplit(maxsplit=1)[-1] in str(caught.value) or problem in str(caught.value)
    finally:
        unregister("broken")


def test_ours_cannot_be_removed_and_an_object_cannot_be_changed() -> None:
    with pytest.raises(MedqDegError, match="only a degradation that was added"):
        unregister("bubble")
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEGRADATIONS["bubble"].name = "x"


PLUGIN = """
import numpy as np
from medq_deg.degradations import Degradation, Severities

def stripes(image, rng, *, depth):
    rows = np.arange(image.shape[0])[:, None] % 8 < 4
    return image * (1 - depth * (rows if image.ndim == 2 else rows[..., None]))

STRIPES = Degradation(
    name="stripes", function=stripes, summary="dark stripes", clinician="Interference.", category="artifacts",
    modalities=("endoscopy",), limits={"depth": (0.0, 1.0)}, reference="none", random=False,
    severities=Severities({"depth": 0.2}, {"depth": 0.6}, "by eye"),
)
"""


def install(folder: Path, source: str) -> dict[str, str]:
    """Install a plugin into a folder, as a package manager does: a module and the metadata of its distribution."""
    (folder / "stripes_plugin.py").write_text(source)
    metadata = folder / "stripes_plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stripes-plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[medq_deg.degradations]\nstripes = stripes_plugin:STRIPES\n")
    return {"PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "HF_HOME": str(folder / "hf")}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False, timeout=300
    )


@pytest.mark.slow
def test_an_installed_plugin_is_listed_degrades_and_is_built(tmp_path: Path, histology: np.ndarray) -> None:
    from PIL import Image

    site, own = tmp_path / "site", tmp_path / "mine"
    site.mkdir()
    own.mkdir()
    environment = install(site, PLUGIN)
    listed = run(environment, "-m", "medq_deg", "list")
    assert "19 degradations" in listed.stdout
    assert "stripes" in listed.stdout

    Image.fromarray(histology).save(own / "polyp.png")
    lines = [f"polyp.png,Question {n}?,yes,no,A,endoscopy" for n in range(12)]
    (own / "questions.csv").write_text("\n".join(["image,question,A,B,answer,modality", *lines, ""]))
    arguments = ("-m", "medq_deg", "build", "--folder", str(own), "--out", str(tmp_path / "out"), "--workers", "2")
    built = run(environment, *arguments)
    assert built.returncode == 0, built.stderr
    assert '"stripes"' in (tmp_path / "out" / "manifest.json").read_text()
    verified = run(environment, "-m", "medq_deg", "data", "verify", str(tmp_path / "out"))
    assert verified.returncode == 0, verified.stdout + verified.stderr

    code = f"import medq_deg; medq_deg.degrade(medq_deg.read_image({str(own / 'polyp.png')!r}).image, 'stripes', 2)"
    assert run(environment, "-c", code).returncode == 0


def test_a_plugin_that_is_broken_is_named(tmp_path: Path) -> None:
    environment = install(tmp_path, PLUGIN.replace('reference="none"', 'reference=""'))
    listed = run(environment, "-m", "medq_deg", "list")
    assert listed.returncode != 0
    assert "the degradation 'stripes' of stripes-plugin cannot be loaded" in listed.stderr
    assert "reference must be a line of text" in listed.stderr


def test_an_unknown_name_lists_what_was_added(added: Degradation) -> None:
    with pytest.raises(UnknownNameError, match="bubble, veil"):
        degrade(np.zeros((40, 40), np.uint8), "vial", 1)
