"""The ward view in a browser."""
