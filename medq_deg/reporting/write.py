"""From folders of runs to the files of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medq_deg.data.load import Data, open_data
from medq_deg.data.names import EMBEDDED
from medq_deg.data.schema import TEXT_COLUMNS, columns_of
from medq_deg.errors import MedqDegError
from medq_deg.evaluation.controls import Controls
from medq_deg.evaluation.run import fingerprint
from medq_deg.files import replace_file
from medq_deg.reporting.browser import BUDGET, browse
from medq_deg.reporting.card import card
from medq_deg.reporting.collect import Run, collect, compare
from medq_deg.reporting.figures import figures_of
from medq_deg.reporting.images import NO_IMAGES, Images
from medq_deg.reporting.page import about, render
from medq_deg.reporting.view import parts_of

OTHER_IMAGES = (
    "The images come from data, or from a version of the degradations, other than a model was asked about: they may "
    "differ from what it saw."
)


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    coverage: float = 1.0,
    data: Sequence[Mapping[str, Any]] | None = None,
    blind: Sequence[Path] = (),
    n_resamples: int = 1000,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> list[Path]:
    """Write the report on some runs: one HTML file, and beside it a folder of figures.

    Parameters
    ----------
    runs : sequence of Path
        Folders of runs.
    out : Path
        The HTML file. Beside it go the card, ``<stem>_card.png``, the answer of the first run as one image, and the
        charts, as SVG, PNG and CSV in the folder ``<stem>_figures``.
    coverage : float
        Least share of each run's rows that must be answered, in [0, 1].
    data : sequence of mappings, optional
        Rows with images, to show beside what the models said; a `datasets.Dataset` will do. Without it, the images
        of the demonstration set are made again, and other runs are shown without images.
    blind : sequence of Path
        Folders of blind baselines of the runs, see `medq_deg.results.controlled`.
    n_resamples : int
        Of the bootstrap.
    progress : callable
        Called with stage, done and total.

    Returns
    -------
    list of Path
        The files, the HTML file first.

    Raises
    ------
    MedqDegError
        If `out` is a folder or not called .html, no run is given, one is given twice, is none or is answered too
        little, or `data` has none of their rows. Nothing is written then.
    """
    if out.is_dir() or out.suffix.lower() not in (".html", ".htm"):
        raise MedqDegError(f"{out}: the report must be a file that ends in .html")
    folder = out.with_name(f"{out.stem}_figures")
    if folder.exists() and not folder.is_dir():
        raise MedqDegError(f"{folder}: is a file, the figures need a folder there")
    read = collect(runs, blind=blind, coverage=coverage, n_resamples=n_resamples, progress=progress)
    images, note = _images(read, data)
    progress("drawing", 0, 1)
    figures = figures_of(read)
    progress("drawing", 1, 1)
    browser = browse(read, images, budget=BUDGET, progress=progress)
    parts = parts_of(read, images, n_resamples=n_resamples)
    page = render(read, parts, figures, replace(browser, note=note), compare(read, n_resamples=n_resamples))

    written = [out]
    lead = parts[0]
    card_path = out.with_name(f"{out.stem}_card.png")
    with replace_file(card_path) as file:
        file.write(card(lead.answer, about(lead), lead.pair, images, lead.run.answered.source))
    written.append(card_path)
    for figure in figures:
        for suffix, content in ((".svg", figure.file_svg), (".png", figure.png), (".csv", figure.csv())):
            written.append(folder / f"{figure.name}{suffix}")
            with replace_file(written[-1]) as file:
                file.write(content)
    with replace_file(out) as file:
        file.write(page.encode())
    return written


def _images(runs: Sequence[Run], data: Sequence[Mapping[str, Any]] | None) -> tuple[Images, str]:
    """Return where images come from, and what the reader should know of it."""
    if data is None:
        embedded = {run.data_name for run in runs} & {*EMBEDDED}
        if len(embedded) != 1:
            return Images(None), NO_IMAGES
        data = open_data(embedded.pop())
        images = Images(data)
        if not any(row["id"] in images for run in runs for row in run.answered.rows):
            return Images(None), NO_IMAGES  # a folder of the user's that happens to be called so
    columns = list(columns_of(data, TEXT_COLUMNS))
    known = data.fingerprint if isinstance(data, Data) else None
    same = all(run.fingerprint == _fingerprint(run, columns, known) for run in runs)
    return Images(data), "" if same else OTHER_IMAGES


def _fingerprint(run: Run, columns: Sequence[Mapping[str, Any]], known: str | None) -> str | None:
    """Return the fingerprint that these rows would have, as far as the run asked them; None if it could not have."""
    settings = run.answered.settings
    try:
        asked = [columns[place] for place in Controls.of(settings).choose(columns)]
    except MedqDegError:
        return None
    return fingerprint(asked, known or settings["data"].get("version"))
