"""GPU benchmarks: speed of the 7B architecture with random weights."""
