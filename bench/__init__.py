"""Speed benchmarks, side by side with peers. None of them asserts a time."""
