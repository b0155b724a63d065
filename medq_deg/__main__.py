"""``python -m medq_deg`` is ``medq-deg``."""

from medq_deg.cli import main

main()
