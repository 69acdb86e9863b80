"""The Korean font of the papers: found, or refused with what to install (typst would draw empty boxes)."""

from functools import cache
from pathlib import Path

import typst

from ansim.errors import N_, Problem

DEBIAN = Path("/usr/share/fonts/truetype/nanum")
# (text family, monospaced family) in order of preference; the first is what Debian's and Ubuntu's fonts-nanum holds.
FAMILIES = (
    ("NanumGothic", "NanumGothicCoding"),
    ("Pretendard", "DejaVu Sans Mono"),
    ("Noto Sans KR", "DejaVu Sans Mono"),
    ("Noto Sans CJK KR", "DejaVu Sans Mono"),
)


def korean(directory: Path | None = None) -> tuple[typst.Fonts, str, str]:
    """The fonts, the text family and the monospaced family; only those of the directory if one is given.

    Raises Problem "no-korean-font".
    """
    fonts = _fonts(directory)
    families = set(fonts.families())
    for text, mono in FAMILIES:
        if text in families:
            return fonts, text, mono if mono in families else text
    raise Problem(
        "no-korean-font",
        N_("No Korean font was found, so the papers would show empty boxes."),
        where=str(directory or DEBIAN),
        remedy=N_("Install one: apt install {package}"),
        package="fonts-nanum",
    )


@cache
def _fonts(directory: Path | None) -> typst.Fonts:
    # One folder keeps the search short and the result the same on every machine that has it.
    chosen = directory or (DEBIAN if DEBIAN.is_dir() else None)
    return typst.Fonts(include_system_fonts=chosen is None, font_paths=[chosen] if chosen else [])
