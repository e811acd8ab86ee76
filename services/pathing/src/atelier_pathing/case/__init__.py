"""CASE packages (1.0 and 1.1) from outside: read, checked and turned into what pathing thinks with. Pure."""
