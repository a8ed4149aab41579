"""The language of architecture spaces, and all that can be known of an architecture without torch."""
