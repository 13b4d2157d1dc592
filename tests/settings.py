"""The site's settings with a home folder of the tests' own, and without what makes them slow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

HOME = tempfile.mkdtemp(prefix="raisin-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ["RAISIN_HOME"] = HOME
Path(HOME, "static").mkdir()

from raisin_site.settings import *  # noqa: E402, F403
from raisin_site.settings import STORAGES  # noqa: E402

STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTH_PASSWORD_VALIDATORS: list[dict[str, str]] = []

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":  # noqa: F405
    # A file, as in production: threads on an in-memory database lock each other's tables out.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(HOME, "test.sqlite3"))}  # noqa: F405
