"""Passwords, keys and tokens: the ports that are mathematics."""
