"""RL on OpenRLHF: our episodes and rewards inside its agent interface."""
