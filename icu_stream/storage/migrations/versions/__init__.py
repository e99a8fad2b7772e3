"""The revisions, one file each, numbered; each is plain SQL and is never edited later."""
