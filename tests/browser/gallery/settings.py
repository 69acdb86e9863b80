"""A tiny Django project that draws every component of the shared look, with sample contexts and no database."""

import os
import tempfile
from pathlib import Path

from ansim.sites.web import words

SECRET_KEY = "only for the gallery, which keeps no secrets"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
ROOT_URLCONF = "gallery.urls"
INSTALLED_APPS = ["whitenoise.runserver_nostatic", "django.contrib.staticfiles", "ansim.sites.web"]
MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "ansim.sites.web.context.face",
            ]
        },
    }
]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}
ANSIM_FACE = "gallery.pages.face"
ANSIM_CHARTS = Path(os.environ.get("ANSIM_GALLERY_CHARTS") or Path(tempfile.gettempdir()) / "ansim-gallery-charts")
LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", "한국어"), ("en", "English")]
LOCALE_PATHS = [words.LOCALE]
TIME_ZONE = "Asia/Seoul"
USE_TZ = True
USE_I18N = True
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
