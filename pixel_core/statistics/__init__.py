"""How good answers are, and how sure: metrics, intervals, paired tests."""
