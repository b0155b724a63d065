"""The warnings of the metrics: a value is defined and returned, but a reader should know something about it.

What cannot be computed at all is an error (`medq_deg.errors.MedqDegError`), not a warning.
"""

from __future__ import annotations


class MetricWarning(UserWarning):
    """Base class of all warnings of `medq_deg.metrics`."""


class FewTrialsWarning(MetricWarning):
    """Some rows have so few votes that their confidence is mostly the bias of the estimate."""


class UnparsableWarning(MetricWarning):
    """Unparsable votes decide the figures, or rows were left out because of them."""


class ClusterWarning(MetricWarning):
    """There are too few clusters for an interval."""


class PairingWarning(MetricWarning):
    """Some degraded rows have no clean row of their own to be compared with."""
