"""A base for forms: the server checks, in words that say how to mend it; nothing depends on the browser."""

from __future__ import annotations

from typing import Any

from django import forms


class Form(forms.Form):
    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class DayInput(forms.DateInput):
    """The browser's own calendar; ISO dates on the wire whatever the language."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs=attrs, format="%Y-%m-%d")
