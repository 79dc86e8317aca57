"""Proto to use case and back, nothing else."""
