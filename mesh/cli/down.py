"""`leaky down`: ends a running `leaky up`."""

import os
import signal

import typer

from mesh.cli import options
from mesh.cli.data import LOCK, environment, holder, wait_until_free
from mesh.cli.refusal import RefusedError
from mesh.settings import Live, MeshSettings

WAIT_SECONDS = 90.0


def down(data: options.Data = None) -> None:
    """Drain the system that runs on the data folder, and wait for its end."""
    folder = Live.read(MeshSettings, environment(data)).current.data
    lock = folder / LOCK
    pid = holder(lock)
    if pid is None:
        typer.echo(f"nothing is running on {folder}")
        return
    if not pid:
        raise RefusedError(f"leaky up on {folder} has only just begun; try again")
    os.kill(pid, signal.SIGTERM)
    if wait_until_free([lock], WAIT_SECONDS):
        raise RefusedError(f"pid {pid} has not ended within {WAIT_SECONDS:g} s")
    typer.echo(f"ended, pid {pid}")
