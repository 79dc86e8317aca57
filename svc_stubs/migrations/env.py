"""Alembic's entry."""

from mesh.storage.migrations import run_environment

run_environment()
