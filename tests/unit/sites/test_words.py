"""Every text that a person reads exists in Korean too, and names the same facts."""

from babel.messages.catalog import Catalog

from ansim.sites.web import words


def test_every_text_has_korean():
    assert words.missing(words.extracted(), words.stored()) == [], (
        "run: python -m ansim.sites.web.words extract, then fill the empty msgstr"
    )


def test_korean_names_the_same_facts():
    assert words.mismatched(words.stored()) == []


def test_no_translation_of_a_text_that_is_gone():
    here = {(message.id, message.context) for message in words.extracted()}
    stored = [message for message in words.stored() if message.id]
    assert [message.id for message in stored if (message.id, message.context) not in here] == []


def test_extraction_finds_templates_libraries_and_views():
    places = {location[0] for message in words.extracted() for location in message.locations}
    assert "ansim/documents.py" in places  # N_ of a library
    assert "ansim/sites/web/templates/web/base.html" in places  # {% translate %}
    assert "ansim/sites/web/charts.py" in places  # gettext


def test_missing_and_mismatched_are_found():
    """Positive control: an empty text, a lost fact and an invented fact are each reported."""
    catalogue = Catalog(locale="ko")
    for text in ("Bread", "{count} loaves", "%(n)s pies", "Cake", "100% rye"):
        catalogue.add(text)
    said = Catalog(locale="ko")
    said.add("{count} loaves", "빵 여러 개")
    said.add("%(n)s pies", "파이 %(n)s개")
    said.add("Cake", "케이크 {size}")
    said.add("100% rye", "호밀 100%")
    assert words.missing(catalogue, said) == ["Bread"]
    assert sorted(words.mismatched(said)) == [("Cake", "케이크 {size}"), ("{count} loaves", "빵 여러 개")]


def test_placeholders_of_both_kinds():
    assert words.placeholders("{found!r} of %(n)s at {rate:.1%}, not {{braces}} nor 5 % sure") == {"found", "n", "rate"}


def test_extract_keeps_translations_and_is_stable(tmp_path, monkeypatch):
    monkeypatch.setattr(words, "PO", tmp_path / "django.po")
    first = words.extract()
    text = next(message for message in first if message.id == "Skip to main content")
    assert not text.string
    edited = words.PO.read_text().replace(
        'msgid "Skip to main content"\nmsgstr ""', 'msgid "Skip to main content"\nmsgstr "본문"'
    )
    words.PO.write_text(edited)
    again = words.extract()
    assert again.get("Skip to main content").string == "본문"
    assert words.PO.read_text() == edited


def test_compiled_catalogue_is_what_gettext_reads(tmp_path, monkeypatch):
    import gettext

    monkeypatch.setattr(words, "PO", tmp_path / "django.po")
    monkeypatch.setattr(words, "MO", tmp_path / "django.mo")
    words.PO.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Ansim"\nmsgstr "안심"\n', "utf-8"
    )
    words.compile_if_stale()
    with words.MO.open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Ansim") == "안심"
