"""Files of rows that a version scores in the background: upload, check, scoring, results, expiry."""
