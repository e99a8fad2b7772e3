"""The tests of icu-stream."""
