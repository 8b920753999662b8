"""Small programs to copy from; run them from the repository's root, such as ``python examples/bare_loop.py``."""
