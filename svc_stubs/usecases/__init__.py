"""What the doubles do."""
