"""`python -m polyprobe.pocket [SEED]` describes the mini-languages: grammars, example sentences, inference."""

import sys

from polyprobe.pocket.description import describe

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if len(arguments) > 1 or not all(argument.isdecimal() for argument in arguments):
        sys.exit("usage: python -m polyprobe.pocket [SEED]")
    print(describe(*map(int, arguments)), end="")
