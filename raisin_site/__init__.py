"""The only place that wires the apps together."""

__version__ = "0.1.0"
