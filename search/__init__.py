"""Many trials to the best architecture: the search service, its record and its command line."""
