"""The command line: parses arguments, shows progress, prints results. All work is done elsewhere."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from medq_deg import __version__
from medq_deg.cli.console import console, errors, say
from medq_deg.cli.data import building, data
from medq_deg.cli.doctor import checking
from medq_deg.cli.evaluate import evaluating
from medq_deg.cli.harness import harnesses
from medq_deg.cli.images import images
from medq_deg.cli.results import results
from medq_deg.cli.review import review
from medq_deg.errors import MedqDegError

ORDER = (
    "demo", "list", "gallery", "degrade", "build", "data", "review", "evaluate", "merge", "reparse", "import-results",
    "score", "report", "compare", "leaderboard", "submit", "enable", "disable", "doctor",
)  # fmt: skip
"""The commands in the order of the work."""


class InOrder(TyperGroup):
    """The commands in the order of the work."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return their names; one that is not in `ORDER` comes last."""
        return sorted(super().list_commands(ctx), key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def get_params(self, ctx: Any) -> Any:
        """Return the options, with no type beside those that take no value."""
        return _bare(super().get_params(ctx))

    def get_command(self, ctx: Any, name: str) -> Any:
        """Return a command that shows no type beside its options that take no value."""
        command = super().get_command(ctx, name)
        for each in (command, *getattr(command, "commands", {}).values()):
            if each is not None and "get_params" not in vars(each):
                each.get_params = partial(_bare_of, each.get_params)
        return command


def _bare_of(get_params: Callable[[Any], Any], ctx: Any) -> Any:
    return _bare(get_params(ctx))


def _bare(parameters: Any) -> Any:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


app = typer.Typer(
    name="medq-deg",
    cls=InOrder,
    help="Can a vision-language model still be trusted when the medical image is bad?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(images)
app.add_typer(building)
app.add_typer(data, name="data")
app.add_typer(evaluating)
app.add_typer(harnesses)
app.add_typer(results)
app.add_typer(review, name="review")
app.add_typer(checking)

# The base of all that typer says about arguments; typer has no name of its own for it.
UsageError: Any = typer.BadParameter.__base__


def main() -> None:
    """Run the command line; what the user did wrong is one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a sign shows another
    warnings.showwarning = lambda message, *where: say(f"warning: {' '.join(str(message).split())}")
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except MedqDegError as error:
        _fail(str(error))
    except UsageError as error:
        _fail(error.format_message().replace("Value error, ", "", 1))  # what typer puts before a wrong choice
    except (typer.Abort, KeyboardInterrupt):
        errors.print("stopped", highlight=False)
        sys.exit(130)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _fail(message: str) -> None:
    errors.print(f"medq-deg: {' '.join(message.split())}", markup=False, highlight=False, style="red")
    sys.exit(2)


def _version(show: bool) -> None:
    if show:
        console.print(f"medq-deg {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version
