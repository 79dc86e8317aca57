"""What usage is and how it is counted: pure functions and values."""
