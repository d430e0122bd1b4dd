"""Benchmarks: what each is, where its questions are read, and whether they are all there."""
