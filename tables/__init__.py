"""Faust tables, one module a table: name, key, value codec, partitions."""

ICU_STREAM = True  # the worker refuses a foreign package of this name
