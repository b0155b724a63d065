"""Breakdowns: the report of `calibration_shift` for a whole run and for each value of chosen columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medq_deg.metrics.cells import VERDICT_LEVEL, describe, make_study
from medq_deg.metrics.dunning_kruger import add_holm, add_page
from medq_deg.metrics.figures import SHIFTS
from medq_deg.metrics.rows import RunRows, Source
from medq_deg.metrics.shift import settings
from medq_deg.metrics.votes import Invalid, encode


def summarize(
    rows: Iterable[Mapping[str, Any]],
    by: Sequence[str | Sequence[str]] = ("severity",),
    *,
    source: Source = "votes",
    invalid: Invalid = "wrong",
    confidence_level: float | None = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Report on a run as a whole and broken down by columns.

    Parameters
    ----------
    rows : iterable of N mappings
        Each with ``question_id``, ``answer``, ``num_choices`` or ``options``, ``votes`` or ``probabilities``
        as `source` says, ``severity`` (in all rows or in none), the columns in `by`, and ``id`` for error
        messages.
    by : sequence of column names or of tuples of them
        Each name is a breakdown of its own; a tuple crosses its columns. A row whose column holds a list,
        such as ``skills``, belongs to the cell of each of its values.
    source : {"votes", "probabilities"}, default "votes"
        Which column to read.
    invalid, confidence_level, n_resamples, seed
        As in `calibration_shift`; intervals are on by default.

    Returns
    -------
    dict
        The report of `calibration_shift` on all rows; ``orders``, the largest number of orders of the options that a
        row was asked in (agreement is then counted within orders; see `medq_deg.metrics.order_figures`); and ``by``:
        for each breakdown a dict from the value (as text; severities as L0, L1, L2; crossed values joined by " x ") to
        the report of that cell. Rows without a value are in the cell "(missing)". A degraded row is paired with its
        clean row even where that row lies in another cell, as it does in a breakdown by degradation. Within one
        breakdown the p-values of ``dunning_kruger`` are also adjusted by Holm's method: ``p_supported_holm``,
        ``p_refuted_holm`` and ``verdict_holm`` for each of the three shifts. Holm's method covers one breakdown, not
        the page: what survives over all cells of all breakdowns is in ``p_supported_page``, ``p_refuted_page`` and
        ``verdict_page``.

    Raises
    ------
    MedqDegError
        If a row lacks a column, or as in `calibration_shift`; rows are named by their id.
    """
    run = RunRows(rows)
    given = run.encoded(source)
    breakdowns = run.breakdowns(by)
    table = encode(**given, invalid=invalid)
    study = make_study(
        table,
        groups=run.column("question_id"),
        severities=run.severities(),
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        seed=seed,
    )

    level = VERDICT_LEVEL if confidence_level is None else confidence_level
    reports: dict[str, dict[str, Any]] = {}
    for columns, positions in breakdowns.items():
        cells = {key: describe(study, at) for key, at in positions.items()}
        verdicts = [cell["dunning_kruger"] for cell in cells.values() if cell.get("dunning_kruger")]
        for shift in SHIFTS:
            add_holm([each[shift] for each in verdicts], level)
        reports[columns] = cells
    result = {**describe(study), **settings(study, invalid), "orders": run.orders(), "by": reports}
    add_page([result], level)
    return result
