"""Watches live rows and labels for drift: from the request log to reports, window by window."""
