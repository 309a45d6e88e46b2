"""``python -m tocsin``: the command line, also where its script is not on the path."""

from tocsin.cli import main

if __name__ == "__main__":
    main()
