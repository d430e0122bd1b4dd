"""Stages as jobs on a Ray cluster: checked, submitted, followed, re-attached."""
