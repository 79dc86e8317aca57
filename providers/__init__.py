"""Egress to AI providers over their own HTTP wire formats, wrapped in resilience."""
