"""The one place that states the version; knows nothing else, so that a build can read it without NumPy."""

__version__ = "0.1.0"
