"""One verb a file: a frozen dataclass whose fields are its ports."""
