"""The SQLite database engine of the site; see base."""
