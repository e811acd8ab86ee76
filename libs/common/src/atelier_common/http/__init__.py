"""The HTTP side of every service: see :mod:`atelier_common.http.kit`."""
