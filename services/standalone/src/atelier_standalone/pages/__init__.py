"""What people see: pages rendered on the server, without script or build step.

:func:`atelier_standalone.pages.site.routes` gives the pages, :class:`atelier_standalone.pages.problems.ProblemPages` says what
went wrong in words where a browser asks.
"""
