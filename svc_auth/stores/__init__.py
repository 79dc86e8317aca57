"""Where auth keeps what it owns; each loaded only when its URL scheme is asked for."""
