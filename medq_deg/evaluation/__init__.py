"""Running a model over rows: settings of a run, the answer store, the loop, and scoring what is there."""
