"""Processes of this machine that work on one thing together."""
