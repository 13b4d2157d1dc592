"""The browser pages: they read models and call services, never the REST layer."""
