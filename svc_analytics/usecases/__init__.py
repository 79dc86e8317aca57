"""What the service does, a verb a file."""
