"""Faust tables, one module a table: name, key, value codec, partitions."""
