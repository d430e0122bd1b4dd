"""Speed, measured side by side with peers. Nothing here asserts a time."""
