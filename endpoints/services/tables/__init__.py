"""Files of rows for the worker: read and written by Polars in bounded memory. The server never imports it."""
