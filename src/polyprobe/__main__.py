"""`python -m polyprobe` is the command `polyprobe`."""

from polyprobe.cli import main

if __name__ == "__main__":
    main()
