"""Lowered graphs as torch networks: one file for each cell, the operations, and the unrolled network."""
