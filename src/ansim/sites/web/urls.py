"""Addresses that every site has: the language switch and the drawings of charts."""

from django.urls import path
from django.views.i18n import set_language

from ansim.sites.web import figures

urlpatterns = [
    path("language/", set_language, name="set_language"),
    path("charts/<str:name>.<str:scheme>.svg", figures.drawing, name="chart"),
]
