"""The console shows names as they are, whatever they hold."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from medq_deg.cli.console import PlainConsole


def shown(*what: object) -> str:
    file = StringIO()
    console = PlainConsole(file=file, width=200)
    for each in what:
        console.print(each, highlight=False)
    return file.getvalue()


def table(name: str) -> Table:
    made = Table(title=name)
    made.add_column(name)
    made.add_row(name)
    made.add_row(Text(name))
    return made


@pytest.mark.parametrize(
    "name", ["my[/model]v2", "gemma[red] (merged) [v2]", "out[/1]", "[bold]x", ":smile: [link=a]b[/link]"]
)
def test_brackets_in_names_are_no_markup(name: str) -> None:
    assert shown(name).strip() == name
    assert shown(table(name)).count(name) == 4


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
def test_no_name_reaches_the_terminal_as_a_command(name: str) -> None:
    written = shown(name, table(name), Text(name))
    assert not {char for char in written if ord(char) < 32 and char not in "\n\t"} & set(map(chr, range(32)))
    assert "\x9b" not in written
