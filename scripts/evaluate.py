"""What a launcher starts: ``accelerate launch scripts/evaluate.py --model M --data DIR --out RUN``.

The arguments are those of ``medq-deg evaluate``; the processes share the rows of the run.
"""

import sys

from medq_deg.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "evaluate")
    main()
