"""proto <-> use case, nothing else."""
