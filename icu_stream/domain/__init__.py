"""The pure clinical core: plain functions on plain data, stepped by its shells."""
