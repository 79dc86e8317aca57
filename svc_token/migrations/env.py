"""Alembic's entry into this folder."""

from mesh.storage.migrations import run_environment

run_environment()
