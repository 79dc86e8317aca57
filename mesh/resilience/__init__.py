"""What stands between a caller and a target in trouble: breaker, bulkhead, retry budget."""
