"""Tidy rows of a search become figures: PNG by matplotlib, interactive HTML by Plotly."""
