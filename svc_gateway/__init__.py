"""The edge: authenticates once, limits, and transcodes REST into calls."""
