"""`python -m imbot`: the command line."""

from imbot.cli import main

if __name__ == "__main__":
    main()
