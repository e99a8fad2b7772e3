"""`python -m icu_stream` is the command `icu-stream`."""

from icu_stream.cli import main


main()
