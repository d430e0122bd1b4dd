"""The core: stages, models, rewards and the artifact store. Independent of Prefect."""
