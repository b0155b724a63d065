"""The site builds strictly, asks nothing of the network, and has every public name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import medq_deg
from tests.docs.pages import ROOT

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
pytest.importorskip("mkdocstrings", reason="the extra `docs` is not installed")
pytest.importorskip("mkdocs_jupyter", reason="the extra `docs` is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    # Whatever asks a server must fail: no proxy answers at this port.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)],
        cwd=ROOT,
        env={**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert built.returncode == 0, built.stderr
    return out


def test_every_public_name_is_on_the_api_page_with_a_text_of_its_own(site: Path) -> None:
    page = (site / "api.html").read_text(encoding="utf-8")
    for name in medq_deg.__all__:
        assert f'id="medq_deg.{name}"' in page, name
    for name in ("degrade", "open_data", "Degrade"):
        shown = page.partition(f'id="medq_deg.{name}"')[2][:60_000]
        assert "Parameters" in shown, name


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loaded = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=\"?((?:https?:)?//[^\" >]+)")
    for path in site.rglob("*.html"):
        found = loaded.findall(path.read_text(encoding="utf-8"))
        assert not found, f"{path.relative_to(site)}: {found[:3]}"


def test_each_page_of_the_folder_is_on_the_site(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / page.with_suffix(".html").name).exists(), page


def test_the_readme_fits_and_opens_with_its_picture() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 150
    assert lines[2].startswith("![")
    assert lines[2].endswith("(docs/card.png)")
    assert {"make demo", "make test"} <= {line.partition("  ")[0] for line in lines}
