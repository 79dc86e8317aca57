"""What auth knows without asking anybody: no I/O, no clock, no framework."""
