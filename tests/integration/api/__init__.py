"""The API with all that it needs."""
