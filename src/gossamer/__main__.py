"""``python -m gossamer`` is the command line."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C is told in a line, also in the seconds that its imports take."""
    try:
        from gossamer.cli import main as run

        run()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it was", file=sys.stderr)
        sys.exit(130)  # 128 and the number of SIGINT: what shells give for Ctrl-C


if __name__ == "__main__":
    main()
