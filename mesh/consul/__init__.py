"""The way to a Consul agent."""
