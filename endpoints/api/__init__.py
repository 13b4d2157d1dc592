"""The REST interface in the native format: views, their parsing, rights and errors."""
