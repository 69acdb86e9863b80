"""The shared look of every site kind: templates, styles, charts, forms and words."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "ansim.sites.web"
    label = "ansim_web"

    def ready(self) -> None:
        # The compiled catalogue is not in the repository; build it once after each change of the texts.
        from ansim.sites.web import words

        words.compile_if_stale()
