"""One slow call, a thousand cancelled ones, ten times too many callers: `make bench-strain`."""
