"""Benchmarks: their definitions, readers and completeness checks."""
