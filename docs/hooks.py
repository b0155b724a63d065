"""What mkdocs is taught: a page of every public name, and the pages of the repository that lie outside docs/."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import medq_deg

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "index.md": "README.md",
    "benchmarks/README.md": "benchmarks/README.md",
    "benchmarks/severity.md": "benchmarks/severity.md",
    "metric.md": "metrics/calibration_shift/README.md",
    "demo_model.md": "medq_deg/demo/tiny-llava/README.md",
    "demo_notice.md": "medq_deg/demo/NOTICE.md",
}
"""Pages of the site, and the files of the repository that they are."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def api() -> str:
    """Return the page of every public name, in the order of `medq_deg.__all__`."""
    parts = ["# Python\n", "Every public name of the package. They are loaded when first used.\n"]
    parts += [f"::: medq_deg.{name}\n" for name in medq_deg.__all__]
    return "\n".join(parts)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that do not lie in docs/."""
    files.append(File.generated(config, "api.md", content=api()))
    for uri, path in OUTSIDE.items():
        text = _FRONT.sub("", (ROOT / path).read_text(encoding="utf-8"))
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Turn links between files of the repository into links between pages; a file that is no page is named."""
    uri = page.file.src_uri
    place = (ROOT / OUTSIDE.get(uri, f"docs/{uri}")).parent
    pages = {path: uri for uri, path in OUTSIDE.items()}

    def link(found: re.Match[str]) -> str:
        picture, text, target, anchor = found.groups()
        path = os.path.relpath(place / target, ROOT)
        to = pages.get(path, path.removeprefix("docs/"))
        if files.get_file_from_path(to) is not None:
            return f"{picture}[{text}]({os.path.relpath(to, Path(uri).parent)}{anchor or ''})"
        return f"{text} (`{path}`)" if (ROOT / path).exists() else found[0]

    return _LINK.sub(link, markdown)
