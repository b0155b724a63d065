"""Rows of the benchmark: one question about one picture at one severity of one degradation."""
