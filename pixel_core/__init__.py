"""The work itself: stages, models, rewards and the artifact store. Knows no Prefect."""
