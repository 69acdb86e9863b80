"""Shared look of the pages of all site kinds. Add to a site's settings:

INSTALLED_APPS: "ansim.sites.web"; context processor: "ansim.sites.web.context.face"; LOCALE_PATHS: [words.LOCALE];
urls: path("", include("ansim.sites.web.urls")).
"""
