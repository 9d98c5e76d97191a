import pytest
from django.core.exceptions import ValidationError

from config.text import clean_text, fold, refuse_unstorable, search_words


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Acme", "Acme"),
        ("  Acme\t", "Acme"),
        ("\u00a0\u2003Acme\u3000", "Acme"),
        ("A\u030arhus", "Århus"),
        ("\u202eemcA", "emcA"),
        ("\u200b", ""),
        ("Ac\u200bme\u2066", "Acme"),
        ("a\x07b\x1b", "ab"),
        ("👩\u200d🚒", "👩\u200d🚒"),
        ("क्\u200dष", "क्\u200dष"),
        ("\uffff", ""),
        ("a\r\nb", "a\nb"),
        ("<script>", "<script>"),
        ("' OR 1=1--", "' OR 1=1--"),
    ],
)
def test_text_has_one_stored_form(given: str, stored: str):
    assert clean_text(given) == stored
    assert clean_text(stored) == stored


@pytest.mark.parametrize("text", ["a\0", "\ud800", "Ä\udfffb"])
def test_what_no_database_keeps_is_refused(text: str):
    for refuse in (refuse_unstorable, clean_text):
        with pytest.raises(ValidationError) as refused:
            refuse(text)
        assert refused.value.code == "unstorable_text"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ärzte", "arzte"),
        ("ÄRZTE", "ärzte"),
        ("Straße", "STRASSE"),
        ("\uff21\uff43\uff4d\uff45", "acme"),
        ("É", "e\u0301"),
        ("ŁÓDŹ", "łódź"),
    ],
)
def test_case_and_accents_do_not_count(one: str, other: str):
    assert fold(one) == fold(other)


def test_a_search_has_at_most_five_words():
    assert search_words(" Größe  A b c d e f ") == ["grosse", "a", "b", "c", "d"]
    assert search_words("\u0301\u0301") == []
