"""``python -m atelier_standalone`` is ``atelier``."""

from atelier_standalone.cli.main import app

if __name__ == "__main__":
    app()
