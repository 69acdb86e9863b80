"""Django settings of one site, from its folder (see config.py). Nothing here is edited by hand."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF

from ansim.sites.config import site as _site
from ansim.sites.operate import logs

_here = _site()
_sites = Path(__file__).parent

SECRET_KEY = _here.web_key.read_text().strip()
DEBUG = False
ALLOWED_HOSTS = [_here.host, "localhost", "127.0.0.1", *_here.options.get("hosts", [])]
ROOT_URLCONF = "ansim.sites.urls"
ASGI_APPLICATION = "ansim.sites.asgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "ansim.sites.web",
    "ansim.sites.store",
]
MIDDLEWARE = [
    "ansim.sites.operate.metrics.timed",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "ansim.sites.pages.ProblemMiddleware",
    "ansim.sites.refusals.noted",
    "ansim.sites.once.once",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "ansim.sites.web.context.face",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
CSRF_FAILURE_VIEW = "ansim.sites.lost.expired"
ANSIM_FACE = "ansim.sites.people.face"
ANSIM_CHARTS = _here.path("charts")


def _database(url: str) -> dict:
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": _here.path("site.sqlite3"),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",  # a reader that turns writer would fail instead of wait
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
            },
        }
    parts = urlsplit(url)
    named = parts.netloc.rpartition("@")[2]
    host = (parts.hostname or "") if named.startswith("[") else named.partition(":")[0]
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(host),  # a folder of a Unix socket stands there as %2Frun%2Fpostgresql
        "PORT": str(parts.port or ""),
    }


DATABASES = {"default": _database(_here.database)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
LOGIN_URL = "/sign-in/"
SESSION_COOKIE_NAME = f"ansim_{_here.id}"  # cookies know no ports: sites on one machine must not share them
CSRF_COOKIE_NAME = f"ansim_csrf_{_here.id}"
SESSION_COOKIE_AGE = int(timedelta(hours=8).total_seconds())
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True  # notebooks are another port of the same host, and cookies know no ports
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not _here.demo
SESSION_ENGINE = "django.contrib.sessions.backends.db"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_HSTS_SECONDS = 0 if _here.demo else int(timedelta(days=365).total_seconds())
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024

LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", "한국어"), ("en", "English")]
LOCALE_PATHS = [_sites / "locale"]
LANGUAGE_COOKIE_NAME = f"ansim_language_{_here.id}"
USE_I18N = USE_TZ = True
TIME_ZONE = "Asia/Seoul"

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

LOGGING = logs.configuration(_here)

# Mail to people (see mail.py): without a server it is only written to the log.
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend" if "host" in _here.mail else "ansim.sites.mail.Console"
EMAIL_HOST = _here.mail.get("host", "")
EMAIL_PORT = _here.mail.get("port", 587)
EMAIL_USE_TLS = _here.mail.get("tls", True)
EMAIL_HOST_USER = _here.mail.get("user", "")
EMAIL_HOST_PASSWORD = (
    _here.path(_here.mail["password_file"]).read_text("utf-8").strip() if "password_file" in _here.mail else ""
)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = _here.mail.get("sender", f"ansim@{EMAIL_HOST or 'localhost'}")
