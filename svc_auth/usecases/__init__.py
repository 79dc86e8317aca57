"""One file a verb: a frozen dataclass with its ports as fields and `async __call__`."""
