"""Data sets, one reader for each format."""
