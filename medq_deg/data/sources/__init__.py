"""Readers of the data sets that the benchmark is made from, each over its native format.

`registry` knows every source by name, those of plugins too. Every reader streams `SourceRecord`s and tells a
`LoadReport` what became of each row. `docs/sources.md` says how to get and lay out the files.
"""

from medq_deg.data.sources.base import BadRow, LoadReport, Reason, Row, Source, SourceRecord
from medq_deg.data.sources.finish import collect
from medq_deg.data.sources.folder import read_folder
from medq_deg.data.sources.gmai import read_gmai
from medq_deg.data.sources.medxpertqa import read_medxpertqa
from medq_deg.data.sources.omnimedvqa import read_omnimedvqa
from medq_deg.data.sources.release import read_release

__all__ = [
    "BadRow",
    "LoadReport",
    "Reason",
    "Row",
    "Source",
    "SourceRecord",
    "collect",
    "read_folder",
    "read_gmai",
    "read_medxpertqa",
    "read_omnimedvqa",
    "read_release",
]
