"""Every setting of the site, read from the environment with a safe default; nothing else.

A secret may also come from a file: NAME_FILE=/run/secrets/name. docs/operations.md lists them all.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import environ

from raisin_site.home import secret_key

# Set before NumPy loads: small products gain nothing from BLAS threads, which cost memory each.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# For jemalloc, which the server has a copy of and `serve` hands this to: it would keep the memory of each body
# for ten seconds and more. What is larger than the threshold is given back at once.
os.environ.setdefault(
    "_RJEM_MALLOC_CONF",
    "narenas:1,oversize_threshold:32768,dirty_decay_ms:1000,muzzy_decay_ms:0,lg_tcache_max:12",
)

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

# --- Raisin -----------------------------------------------------------------------------------

RAISIN_HOME = Path(env.str("RAISIN_HOME", default=str(BASE_DIR / "var"))).resolve()
# What stands in this file holds where the environment says nothing; the demo writes one.
env.read_env(RAISIN_HOME / "raisin.env")
RAISIN_URL = env.str("RAISIN_URL", default="http://127.0.0.1:8000").rstrip("/")
RAISIN_CSV = env.str("RAISIN_CSV", default="")
RAISIN_MAX_BODY_BYTES = env.int("RAISIN_MAX_BODY_BYTES", default=1_048_576)
RAISIN_MAX_UPLOAD_BYTES = env.int("RAISIN_MAX_UPLOAD_BYTES", default=4_194_304)
RAISIN_MAX_ROWS = env.int("RAISIN_MAX_ROWS", default=1_000)
RAISIN_MAX_LABELS = env.int("RAISIN_MAX_LABELS", default=10_000)
RAISIN_LOGIN_LINK_SECONDS = env.int("RAISIN_LOGIN_LINK_SECONDS", default=3_600)
RAISIN_LOG_SYNCHRONOUS = env.str("RAISIN_LOG_SYNCHRONOUS", default="FULL").upper()
RAISIN_LOG_GROUPED = True
RAISIN_LOG_QUEUE = env.int("RAISIN_LOG_QUEUE", default=1_000)
RAISIN_LEASE_SECONDS = env.float("RAISIN_LEASE_SECONDS", default=30.0)
RAISIN_MAX_FILE_BYTES = env.int("RAISIN_MAX_FILE_BYTES", default=1_073_741_824)
RAISIN_BATCH_DAYS = env.int("RAISIN_BATCH_DAYS", default=30)
RAISIN_DASK_SCHEDULER = env.str("RAISIN_DASK_SCHEDULER", default="")
RAISIN_IN_MEMORY_BYTES = env.int("RAISIN_IN_MEMORY_BYTES", default=67_108_864)
RAISIN_LOG_DAYS = env.int("RAISIN_LOG_DAYS", default=0)
RAISIN_REFRESH_SECONDS = env.float("RAISIN_REFRESH_SECONDS", default=1.0)
RAISIN_ROOT_ENDPOINT = env.str("RAISIN_ROOT_ENDPOINT", default="")
RAISIN_HOST = env.str("RAISIN_HOST", default="127.0.0.1")
# SageMaker and Vertex AI tell a container its port in variables of their own.
_GIVEN_PORT = env.int("SAGEMAKER_BIND_TO_PORT", default=env.int("AIP_HTTP_PORT", default=8000))
RAISIN_PORT = env.int("RAISIN_PORT", default=_GIVEN_PORT)
AIP_HEALTH_ROUTE = env.str("AIP_HEALTH_ROUTE", default="")
AIP_PREDICT_ROUTE = env.str("AIP_PREDICT_ROUTE", default="")
RAISIN_KEY_RATE = env.float("RAISIN_KEY_RATE", default=0.0)
RAISIN_PUBLIC_RATE = env.float("RAISIN_PUBLIC_RATE", default=0.0)
RAISIN_METRICS_PUBLIC = env.bool("RAISIN_METRICS_PUBLIC", default=False)
RAISIN_ACCESS_LOG = env.bool("RAISIN_ACCESS_LOG", default=False)
RAISIN_WEBHOOK_PRIVATE_NETWORKS = env.bool("RAISIN_WEBHOOK_PRIVATE_NETWORKS", default=False)
RAISIN_SECOND_PERSON = env.bool("RAISIN_SECOND_PERSON", default=False)
RAISIN_HTTPS = env.bool("RAISIN_HTTPS", default=RAISIN_URL.startswith("https://"))

# --- Core -------------------------------------------------------------------------------------

DEBUG = env.bool("RAISIN_DEBUG", default=False)
SECRET_KEY = env.str("RAISIN_SECRET_KEY", default="") or secret_key(RAISIN_HOME)
ALLOWED_HOSTS = env.list("RAISIN_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = [RAISIN_URL]
ROOT_URLCONF = "raisin_site.urls"
WSGI_APPLICATION = "raisin_site.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = max(RAISIN_MAX_BODY_BYTES, 2_621_440)

INSTALLED_APPS = [
    "raisin_site.apps.SiteConfig",
    "dashboard.apps.DashboardConfig",
    "endpoints.apps.EndpointsConfig",
    "rest_framework",
    "django_filters",
    "django_htmx",
    "django_tasks",
    "django_tasks_db",
    "axes",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "raisin_site.health.HealthMiddleware",
    "raisin_site.middleware.RequestIdMiddleware",
    "raisin_site.access_log.AccessLogMiddleware",
    "raisin_site.body_room.BodyRoomMiddleware",
    "raisin_site.middleware.ContentSecurityPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "raisin_site.context.shell",
            ],
        },
    }
]

# --- Database ---------------------------------------------------------------------------------

DATABASES = {
    "default": env.db_url("DATABASE_URL", default=f"sqlite:///{RAISIN_HOME / 'raisin.sqlite3'}")
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"] |= {
        "ENGINE": "endpoints.sqlite",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            # A deferred transaction that turns into a writer fails at once under load; IMMEDIATE waits.
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY;"
                "PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-2000"
            ),
        },
        "LOG": {
            "NAME": f"{Path(DATABASES['default']['NAME']).with_suffix('')}-log.sqlite3",
            "PRAGMAS": (f"synchronous={RAISIN_LOG_SYNCHRONOUS}", "journal_size_limit=67108864"),
        },
    }
else:
    # Each of the server's 16 threads may hold a connection while it waits for the log, whose writer needs one more.
    # The URL may bring options of its own, such as ?sslmode=require. A server that is away is noticed within
    # seconds, and so is one that is back: the pool would wait for ever longer between its attempts.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        "tcp_user_timeout": 10_000,
        **DATABASES["default"].get("OPTIONS", {}),
        "pool": {"min_size": 1, "max_size": 17, "timeout": 3, "reconnect_timeout": 2},
    }

# --- Background work --------------------------------------------------------------------------

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

# --- People -----------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "sesame.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard:home"
LOGOUT_REDIRECT_URL = "login"
SESAME_MAX_AGE = timedelta(seconds=RAISIN_LOGIN_LINK_SECONDS)
SESAME_ONE_TIME = True
SESAME_TOKEN_NAME = "token"  # noqa: S105 - the name of the query parameter
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

# --- Browser safety ---------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = RAISIN_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if RAISIN_HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if RAISIN_HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "raisin_site.errors.csrf_failure"

# --- Mail -------------------------------------------------------------------------------------

# Without a host no mail is sent: it waits in the list of deliveries and says so.
_MAIL = env.email_url("EMAIL_URL", default="smtp://")
EMAIL_HOST = _MAIL["EMAIL_HOST"] or ""
EMAIL_HOST_USER = _MAIL["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _MAIL["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = _MAIL.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _MAIL.get("EMAIL_USE_SSL", False)
EMAIL_PORT = _MAIL["EMAIL_PORT"] or (465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25)
# Seconds for each answer of the mail server; a mail must be gone before its lease ends.
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("RAISIN_EMAIL_FROM", default="Raisin <raisin@localhost>")

# --- REST -------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "endpoints.api.auth.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["endpoints.api.permissions.CallerRequired"],
    "DEFAULT_PARSER_CLASSES": ["endpoints.api.parsers.OrjsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["endpoints.api.renderers.OrjsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "endpoints.api.negotiation.AlwaysJson",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "endpoints.api.pagination.NewestFirst",
    "EXCEPTION_HANDLER": "endpoints.api.errors.handle",
    "UNAUTHENTICATED_USER": None,
}

# --- Files, language, time ----------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("RAISIN_STATIC_ROOT", default=str(RAISIN_HOME / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = env.str("RAISIN_TIME_ZONE", default="UTC")

# --- Logs -------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "raisin_site.logging.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    # A caller's mistake is answered to the caller; the log is for ours.
    "loggers": {"django.request": {"level": "ERROR"}, "raisin.access": {"level": "INFO"}},
    "root": {"handlers": ["stderr"], "level": env.str("RAISIN_LOG_LEVEL", default="WARNING")},
}
