"""One slow call, a thousand cancelled ones, kill -9, ten times too many callers."""
