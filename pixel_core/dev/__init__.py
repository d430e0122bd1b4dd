"""Programs that stand in for services during development; no other room uses them."""
