"""Samplers: each asks for the next candidate as a pure function of what the record holds."""
