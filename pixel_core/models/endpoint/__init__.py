"""OpenAI-compatible endpoints: one connection, its rules for failures, what an answer says."""
