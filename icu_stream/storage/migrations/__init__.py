"""Alembic's directory: what runs the revisions, and the revisions."""
