"""Users, organisations, API keys, signing keys and what revokes them."""
