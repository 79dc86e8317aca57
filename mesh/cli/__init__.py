"""The `leaky` command: one file a verb."""
