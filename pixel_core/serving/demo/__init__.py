"""A page to ask a model and watch each step as it happens."""
