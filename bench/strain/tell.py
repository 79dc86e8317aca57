"""What is said meanwhile."""

import sys


def tell(line: str) -> None:
    """On standard error, which is no part of the report."""
    print(line, file=sys.stderr, flush=True)
