"""A Space that shows the package's leaderboard page: submitted runs beside the paper's models.

The page is `medq_deg.reporting.board`; Gradio only serves it, in a frame that may run the page's own script and nothing
else. `board` does the work and needs no Gradio.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

# Before gradio is imported, and for every part of it.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from medq_deg.errors import MedqDegError
from medq_deg.reporting.board import render
from medq_deg.results.leaderboard import published_entries, ranked
from medq_deg.results.submitted import read_submitted

FRESH = 600.0
"""Seconds for which a page is shown before the results are read again."""

CSS = """
body, gradio-app { background: Canvas !important; color-scheme: light dark; overflow: hidden; }
#board iframe { position: fixed; inset: 0; z-index: 10; width: 100%; height: 100%; border: 0; }
"""


def find_results(where: str) -> Path | None:
    """Return the folder of results: a local one, or a copy of the dataset's small files; None where none is named."""
    if not where:
        return None
    if Path(where).is_dir():
        return Path(where)
    from huggingface_hub import snapshot_download

    from medq_deg.hub.refusals import hub_errors

    with hub_errors(where):
        return Path(snapshot_download(where, repo_type="dataset", allow_patterns="results/*/leaderboard.json"))


def board(where: str = "") -> str:
    """Return the page as it is now.

    Parameters
    ----------
    where : str
        A dataset of results or a local folder; see README.md.
    """
    trouble = ""
    try:
        folder = find_results(where)
        submitted, unusable = ([], 0) if folder is None else read_submitted(folder)
    except MedqDegError as error:
        submitted, unusable, trouble = [], 0, f"The submitted results cannot be read: {error}."
    return render(ranked([*published_entries(), *submitted]), unusable=unusable, trouble=trouble)


def kept(make: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> Callable[[], str]:
    """Return a function that makes a page and keeps it for `FRESH` seconds: merged runs appear by themselves."""
    page, made = "", -FRESH

    def show() -> str:
        nonlocal page, made
        if clock() - made >= FRESH:
            page, made = make(), clock()
        return page

    return show


def framed(page: str) -> str:
    """Return a frame that holds a page; the page cannot reach what is around it."""
    return f'<iframe title="MedQ-Deg leaderboard" sandbox="allow-scripts" srcdoc="{escape(page)}"></iframe>'


def build(where: str = "") -> Any:
    """Return the Gradio app, not yet started; see `board`."""
    import gradio as gr

    show = kept(lambda: board(where))
    with gr.Blocks(title="MedQ-Deg leaderboard", analytics_enabled=False) as app:
        place = gr.HTML(elem_id="board", apply_default_css=False)
        app.load(lambda: framed(show()), None, place, show_progress="hidden")
    return app


def launch(**options: Any) -> Any:
    """Start the app with fonts and styles that need nothing from elsewhere."""
    import gradio as gr

    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    app = build(os.environ.get("RESULTS", ""))
    return app.launch(theme=gr.themes.Base(**fonts), css=CSS, footer_links=[], **options)


if __name__ == "__main__":
    launch()
