"""The command line, `atelier`."""

from atelier_standalone.cli.main import app

__all__ = ["app"]
