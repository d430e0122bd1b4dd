"""Metrics of answers, their intervals, and paired tests."""
