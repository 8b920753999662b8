"""Per-sample difficulty: arrays in, ``(N,)`` out, larger is harder."""
