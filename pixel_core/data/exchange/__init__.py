"""Import and export of trajectories: the original's records, and trainers' chat records."""
