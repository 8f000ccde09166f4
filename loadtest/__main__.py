"""`python -m loadtest`: the same as `causeway load`."""

import argparse
import sys

from loadtest.command import SUMMARY, add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=SUMMARY)
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))
