"""The vocabulary: every message on the wire, and nothing that computes.

Contracts only ever gain optional fields. A reader lets unknown fields pass, so an
old reader understands a new writer and the other way round.
"""
