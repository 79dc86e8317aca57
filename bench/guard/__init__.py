"""Whether a call costs more than it did when that was last recorded: `make bench-guard`."""
