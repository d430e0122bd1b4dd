"""Trajectories to and from other people's files: the original's records, trainers' chats."""
