"""The command line, `atelier`."""
