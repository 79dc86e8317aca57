"""Writes the typed client: descriptors -> plan -> source text -> package."""
