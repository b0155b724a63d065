"""Parquet data sets of images, on this machine or in an object store, degraded file by file on an engine.

`places` opens addresses, `hold` keeps two jobs off one output, `table` degrades the rows of a batch, `streaming` takes
one file from its source to its target, and `dataset` does so with every file of a data set. The engines that run the
work are in `medq_deg.engines`.
"""
