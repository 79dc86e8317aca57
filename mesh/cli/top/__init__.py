"""`leaky top`: how the system is doing, live in a terminal."""
