"""One reader a recording format: files in, vitals with gaps out."""
