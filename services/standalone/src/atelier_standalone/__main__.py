"""``atelier``, also as ``python -m atelier_standalone``.

The command line is imported only where it is called: the process of a solver imports this module again, as whatever
``multiprocessing`` spawns imports the program that it is spawned from.
"""


def main() -> None:
    from atelier_standalone.cli.main import app

    app()


if __name__ == "__main__":
    main()
