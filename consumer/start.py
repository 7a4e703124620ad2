"""Where the process begins: nothing is imported before Ctrl-C is listened to, as the imports take a second."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C ends it with 130 and no traceback, also while it is being imported."""
    try:
        from consumer.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.exit(130)
