"""The report of a run: one HTML file that needs nothing else. Each section is a file of its own; see ``page``."""
