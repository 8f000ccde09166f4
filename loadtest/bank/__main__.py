"""`python -m loadtest.bank`: the same as `causeway bank-sim`."""

import argparse
import sys

from loadtest.bank.command import SUMMARY, add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m loadtest.bank", description=SUMMARY)
    add_arguments(parser)
    sys.exit(run(parser.parse_args()))
