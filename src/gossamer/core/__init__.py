"""The vocabulary of sparse training: which weights, which masks, how many, when, and the one driver."""
