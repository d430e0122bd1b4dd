"""Compares arms over seeds: the matrix, its statistics, its claims and its page."""
