"""An OpenAI-compatible endpoint that runs whole episodes."""
