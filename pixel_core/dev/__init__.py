"""Development stand-ins for external services; no other package uses them."""
