"""Doubles of what costs money: three AI providers and a payment provider with its own books."""
