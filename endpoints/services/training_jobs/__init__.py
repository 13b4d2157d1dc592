"""Runs that are asked for on a page or by REST, and trained by a worker."""
