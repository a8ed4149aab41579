"""A network and data to numbers: data sets, their splits, and the training loop."""
