"""The service's rpcs: proto to use case and back."""
