"""One address a page of the gallery."""

from django.urls import include, path

from gallery import pages

urlpatterns = [
    path("", include("ansim.sites.web.urls")),
    path("", pages.index, name="index"),
    path("forbidden/", pages.forbidden),
    path("broken/", pages.broken),
    path("<str:name>/", pages.show, name="show"),
]
