"""Stores by URL, SQL databases and their migrations."""
