"""Ratios, measured side by side in one run: ``python -m benchmarks``, or one program alone."""
