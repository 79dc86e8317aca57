"""What a run tells of itself as it goes on."""

import time


def say(text: str) -> None:
    """A line, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
