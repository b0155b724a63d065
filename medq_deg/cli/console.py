"""What the command line shows while it works: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment

from medq_deg.evaluation.progress import Progress as RunProgress
from medq_deg.storable import REPLACEMENT, storable


class Output:
    """How the command that runs shows its work.

    Attributes
    ----------
    quiet : bool
        Whether progress and notes are left out.
    json : bool
        Whether standard output is kept for the result as JSON.
    depth : int
        How many commands run, one within the other.
    result : dict
        What the command and those that it calls have told.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.start()

    def start(self, *, quiet: bool = False, json: bool = False) -> None:
        """Forget what was, for another command."""
        self.quiet, self.json = quiet, json
        self.result: dict[str, Any] = {}


OUTPUT = Output()


def tell_result(**values: Any) -> None:
    """Add to the result that `--json` prints."""
    OUTPUT.result.update(values)


class PlainConsole(Console):
    """A console that shows every text as it is: names of models, files and folders are no markup and no commands.

    What rich or a terminal would take for a style, an emoji or a control sequence stays visible or becomes U+FFFD.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, unless standard output is kept for JSON."""
        if self.stderr or not OUTPUT.json:
            super().print(*objects, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield what is written, without control characters in its text."""
        for segment in super().render(renderable, options):
            text = storable(segment.text).replace("\r", REPLACEMENT)
            yield segment if segment.control or text == segment.text else segment._replace(text=text)


console = PlainConsole()
errors = PlainConsole(stderr=True, soft_wrap=True)

LINE_EVERY = 30.0
"""Seconds between two lines about a run that is not shown on a terminal."""


def say(message: str) -> None:
    """Print a line about the work to standard error, as it is."""
    if not OUTPUT.quiet:
        errors.print(message, markup=False, highlight=False)


def say_next(*words: object) -> None:
    """Name the command that comes next, as it can be typed: each word is quoted where a shell asks for it."""
    if OUTPUT.depth <= 1:  # the last word is that of the command that was typed
        say(f"next: {' '.join(shlex.quote(str(word)) for word in words)}")


@contextmanager
def bar(what: str) -> Iterator[Callable[..., None]]:
    """Yield a function of (done, total) that draws a bar with rate and time left, on a terminal only."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=errors, transient=True, disable=OUTPUT.quiet or not errors.is_terminal) as progress:
        task = progress.add_task(what, total=None, rate="", note="")

        def update(done: int, total: int, note: str = "") -> None:
            speed = progress.tasks[0].speed if progress.tasks else None
            progress.update(task, completed=done, total=total, rate=f"{speed:.1f}/s" if speed else "", note=note)

        yield update


@contextmanager
def stages() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function of (stage, done, total) that draws a bar, starting anew with each stage."""
    current = ""
    with bar("starting") as draw:

        def update(stage: str, done: int, total: int) -> None:
            nonlocal current
            if stage != current:
                current = stage
                say(stage)
            draw(done, total or done)

        yield update


@contextmanager
def run_progress() -> Iterator[Callable[[RunProgress], None]]:
    """Yield a function that shows how far a run is: a bar on a terminal, else one line per event.

    Events are the start, every half minute, a failed row, and a wish to stop.
    """
    begun, before, last = time.monotonic(), -1, 0.0
    with bar("asking") as draw:

        def update(progress: RunProgress) -> None:
            nonlocal before, last
            if progress.stopping:
                # Told from within a signal, perhaps amid a print: past the console, which would print that again.
                os.write(2, b"finishing the rows that are being asked; once more stops at once\n")
                return
            now = time.monotonic()
            if before < 0:
                before = progress.done
            tell_failure(progress)
            draw(progress.done, progress.total, progress.told)
            if not errors.is_terminal and (now - last >= LINE_EVERY or not last):
                last = now
                say(_line(progress, (progress.done - before) / (now - begun)))

        yield update


def tell_failure(progress: RunProgress) -> None:
    """Say why the row just asked failed, if it did."""
    if progress.error:
        say(f"failed: {progress.error}")


def _line(progress: RunProgress, rate: float) -> str:
    parts = [f"{progress.done} of {progress.total} rows"]
    if rate > 0:
        left = (progress.total - progress.done) / rate
        parts += [f"{rate:.1f} rows/s", f"{int(left // 60)} min {int(left % 60)} s left"]
    return ", ".join([*parts, *filter(None, [progress.told])])
