"""A page where a model is asked, and each step is watched as it happens."""
