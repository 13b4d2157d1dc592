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

if DATABASES["default"]["ENGINE"] == "endpoints.sqlite":  # noqa: F405
    # A file, as in production: threads on an in-memory database lock each other's tables out.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(HOME, "test.sqlite3"))}  # noqa: F405
    # Named as a worker that is started on this database names it.
    DATABASES["default"]["LOG"] |= {"NAME": str(Path(HOME, "test-log.sqlite3")), "WRITABLE": True}  # noqa: F405
else:
    # Several processes of tests may share a server.
    DATABASES["default"]["TEST"] = {"NAME": f"test_raisin_{os.getpid()}"}  # noqa: F405

# A test's own transaction holds what is logged and takes it back; nothing is remembered beyond it.
RAISIN_LOG_GROUPED = False
RAISIN_REFRESH_SECONDS = 0.0
