"""A real terminal of a test's own, by tmux."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

WIDTH, HEIGHT = 140, 45


class Terminal:
    """One pane; `socket` keeps it apart from anybody's tmux."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    @property
    def shown(self) -> str:
        """What is on the screen now."""
        return self.tmux("capture-pane", "-p")

    def press(self, key: str) -> None:
        """As C-c."""
        self.tmux("send-keys", key)

    def tmux(self, *words: str) -> str:
        """One of tmux's commands; what it printed."""
        command = ["tmux", "-S", str(self._socket), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603
        return done.stdout


@contextmanager
def top(folder: Path, env: Mapping[str, str], interval: float) -> Iterator[Terminal]:
    """`leaky top` in one, in a shell that stays when it ends."""
    terminal = Terminal(folder / "tmux")
    # tmux hands on what its server was started with.
    set_ = [f"{key}={text}" for key, text in env.items() if key.startswith("LEAKY_")]
    command = (
        f"{sys.executable} -m mesh.cli top --interval {interval}; echo ended with $?; sleep 600"
    )
    words = ["tmux", "-f", os.devnull, "-S", str(folder / "tmux"), "new-session", "-d"]
    size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
    subprocess.run(["env", *set_, *words, *size, command], check=True, timeout=30)  # noqa: S603, S607
    try:
        yield terminal
    finally:
        terminal.tmux("kill-server")
