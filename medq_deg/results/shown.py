"""Runs and results as Python shows them: readable in a shell, a table in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final

from medq_deg.files import read_json
from medq_deg.metrics import FIGURES, HEADLINE
from medq_deg.results.score import METRICS, read_answered
from medq_deg.storable import visible
from medq_deg.taxonomy import SEVERITY_NAMES

_WIDTH: Final = 24


class Run(PathLike[str]):
    """The folder of a run.

    Parameters
    ----------
    path : str or path
        The folder.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def rows(self) -> list[dict[str, Any]]:
        """Return its answered rows: the columns of the data without the image, "votes" and "texts"."""
        return read_answered(self.path, 0.0).rows

    def _repr_html_(self) -> str:
        """Return its headline figures as a table, once it is scored."""
        scored = self.path / METRICS
        told = Scores(read_json(scored))._repr_html_() if scored.is_file() else "<p>not scored yet: medq_deg.score</p>"
        return f"<p><code>{html.escape(repr(self))}</code></p>{told}"


class Scores(dict[str, Any]):
    """What `medq_deg.score` returns: a dict that shows its answer and its headline figures."""

    def __repr__(self) -> str:
        lines = [_headline(self), "".join(f"{cell:>{_WIDTH}}" for cell in ("", *SEVERITY_NAMES))]
        lines += ["".join(f"{cell:>{_WIDTH}}" for cell in cells) for cells in self._cells()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(_headline(self))}</b></p>{_table(('', *SEVERITY_NAMES), self._cells())}"

    def _cells(self) -> Iterator[Sequence[str]]:
        for name in HEADLINE:
            yield FIGURES[name].title, *(_figure(self["by_severity"].get(level, {}), name) for level in SEVERITY_NAMES)


class Comparison(dict[str, Any]):
    """What `medq_deg.compare` returns: a dict that shows its sentence and the differences over all rows."""

    def __repr__(self) -> str:
        lines = [visible(self["sentence"])]
        return "\n".join([*lines, *("".join(f"{cell:>{_WIDTH}}" for cell in cells) for cells in self._cells())])

    def _repr_html_(self) -> str:
        table = _table(("", "second − first", "p"), self._cells())
        return f"<p><b>{html.escape(visible(self['sentence']))}</b></p>{table}"

    def _cells(self) -> Iterator[Sequence[str]]:
        for name in self["figures"]:
            found = self["overall"][name]
            value, interval, p = (found[key] for key in ("difference", "difference_ci", "p"))
            yield FIGURES[name].title, _with_interval(value, interval, "+"), "n/a" if p is None else f"{p:.3f}"


def _headline(scores: Mapping[str, Any]) -> str:
    answer = scores["answer"]
    return visible(f"{answer['word']}. {answer['headline']}")


def _figure(figures: Mapping[str, Any], name: str) -> str:
    sign = "+" if FIGURES[name].unit == "shift" else ""
    return _with_interval(figures.get(name), figures.get(f"{name}_ci"), sign)


def _with_interval(value: float | None, interval: Sequence[float] | None, sign: str) -> str:
    if value is None:
        return "–"
    return f"{value:{sign}.3f}" + (f" [{interval[0]:{sign}.3f}, {interval[1]:{sign}.3f}]" if interval else "")


def _table(heads: Sequence[str], lines: Iterator[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>" for cells in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
