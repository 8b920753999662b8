"""A paper's experiment as one command: the runs, what is measured of them, and the paper's values beside ours."""
