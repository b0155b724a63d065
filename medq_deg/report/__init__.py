"""The report on one or more runs: one HTML file that needs nothing else, and its figures and numbers as files."""

from medq_deg.report.write import write_report

__all__ = ["write_report"]
