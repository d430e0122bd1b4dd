"""Profiles: TOML files that are laid over the defaults of ``pixel_core.config``."""
