"""Calls between processes: methods, channels, servers and what stands between."""
