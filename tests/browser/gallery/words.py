"""Texts in two languages, as documents carry them."""


def both(ko: str, en: str) -> dict[str, str]:
    return {"ko": ko, "en": en}
