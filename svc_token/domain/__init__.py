"""The arithmetic of tokens: pure, no I/O, no clock, no framework."""
