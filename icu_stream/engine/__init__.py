"""Everything that knows how Faust works, and nothing that knows medicine."""
