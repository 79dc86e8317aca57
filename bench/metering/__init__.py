"""Group commit against one transaction a call, on the same database."""
