"""A service as a process of its own. A service's ``main.py`` says how it is built; this says where and how it runs."""
