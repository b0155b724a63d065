"""Rows of the benchmark: one question about one image at one severity of one degradation."""
