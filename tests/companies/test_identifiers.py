import csv
import re
import subprocess
import sys
import time
from pathlib import Path

import pycountry
import pytest
from django.core.exceptions import ValidationError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from companies import identifiers
from companies.identifiers import (
    SCHEMES,
    normalise_duns,
    normalise_lei,
    normalise_registration_id,
    normalise_tax_id,
    schemes_of,
    validate,
)

ROOT = Path(__file__).parents[2]
with (ROOT / "tests/data/identifier_checks.csv").open(encoding="utf-8") as file:
    CHECKS = list(csv.DictReader(file))
# Schemes that the country's tax scheme includes: the same numbers, other modules.
INCLUDED = {"es.cif", "fi.ytunnus", "ro.cui"}
# Numbers of registers and of the energy market: kept as registration ids, not checked.
NO_TAX_IDS = {
    "au.acn",
    "de.handelsregisternummer",
    "eu.eic",
    "fr.siret",
    "pl.regon",
    "ro.onrc",
}


def names(row):
    return f"{row['scheme']}:{row['number']}"


def rows(wanted):
    return [row for row in CHECKS if wanted(row["scheme"])]


def wide(text):
    """The text in full-width characters, as East Asian keyboards write it."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def code_of(function, *values):
    with pytest.raises(ValidationError) as refusal:
        function(*values)
    # The message can be shown as it is: no gaps, no echo of long input.
    assert 0 < len(refusal.value.messages[0]) < 200
    return refusal.value.code


def test_every_row_of_the_checks_is_tested():
    tested = {*SCHEMES, *INCLUDED, *NO_TAX_IDS, "eu.oss", "lei", "vatin"}

    assert len(CHECKS) == 262
    assert {row["scheme"] for row in CHECKS} <= tested


@pytest.mark.parametrize("row", rows(lambda s: s in SCHEMES), ids=names)
def test_scheme_agrees_with_known_number(row):
    if row["valid"] == "true":
        assert validate(row["scheme"], row["number"]) == row["normalised"]
    else:
        fault = row["error"].removeprefix("Invalid").lower()
        assert code_of(validate, row["scheme"], row["number"]) == f"tax_id_{fault}"


@pytest.mark.parametrize(
    "row", rows(lambda s: s in SCHEMES or s in INCLUDED or s == "eu.oss"), ids=names
)
def test_company_of_the_country_can_have_the_number(row):
    # given a company of the country; one outside of the EU for its One Stop Shop
    country = row["scheme"][:2].upper().replace("EU", "US")

    if row["valid"] == "true":
        # when
        stored = normalise_tax_id(row["number"], country)
        # then
        assert stored.endswith(row["normalised"])
        assert normalise_tax_id(stored, country) == stored
    else:
        assert code_of(normalise_tax_id, row["number"], country).startswith("tax_id_")


@pytest.mark.parametrize("row", rows(lambda s: s == "vatin"), ids=names)
def test_number_tells_its_country(row):
    if row["valid"] == "true":
        assert normalise_tax_id(row["number"], "") == row["normalised"]
    else:
        assert code_of(normalise_tax_id, row["number"], "") == "tax_id_needs_country"


@pytest.mark.parametrize("row", rows(lambda s: s == "lei"), ids=names)
def test_lei_agrees_with_known_number(row):
    if row["valid"] == "true":
        assert normalise_lei(row["number"]) == row["normalised"]
    else:
        assert code_of(normalise_lei, row["number"]) == "lei_checksum"


@pytest.mark.parametrize(
    "value",
    [
        "2138007q3v9xx4wgjk54",
        " 2138 007Q 3V9X X4WG JK54 ",
        "2138-007Q-3V9X-X4WG-JK54",
        wide("2138007Q3V9XX4WGJK54"),
        "2138007Q3V9XX4WGJK54\u200b\n",
    ],
)
def test_lei_is_normalised(value):
    assert normalise_lei(value) == "2138007Q3V9XX4WGJK54"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2138007KX91SW5ORVU7", "lei_length"),
        ("2138007PGH8HII597E610", "lei_length"),
        ("NA", "lei_length"),
        ("9" * 5_000, "lei_length"),
        ("N/A", "lei_characters"),
        ("2138007Q3V9XX4WGJK5٤", "lei_characters"),
        ("\u0131138007Q3V9XX4WGJK54", "lei_characters"),
        ("2138007Q3V9XX4WGJKA4", "lei_characters"),
        ("2138O07Q3V9XX4WGJK54", "lei_checksum"),
        ("2138007Q3V9XX4WGJK45", "lei_checksum"),
        ("2138007Q3V9X\0X4WGJK54", "unstorable_text"),
    ],
)
def test_wrong_lei_is_refused(value, code):
    assert code_of(normalise_lei, value) == code


@pytest.mark.parametrize(
    "value", ["150483782", "15-048-3782", " 15 048 3782 ", wide("150483782")]
)
def test_duns_is_normalised(value):
    assert normalise_duns(value) == "150483782"


@pytest.mark.parametrize(
    "value", ["15048378", "1504837820", "15048378A", "1" * 5_000, "٣" * 9]
)
def test_wrong_duns_is_refused(value):
    assert code_of(normalise_duns, value) == "duns"


@pytest.mark.parametrize(
    ("value", "country", "stored"),
    [
        ("DE136695976", "DE", "DE136695976"),
        ("136695976", "DE", "DE136695976"),
        ("de 136.695.976", "DE", "DE136695976"),
        (wide("DE136695976"), "DE", "DE136695976"),
        ("DE136695976", "", "DE136695976"),
        ("094259216", "GR", "EL094259216"),
        ("EL 094259216", "GR", "EL094259216"),
        ("GR094259216", "GR", "EL094259216"),
        ("GR094259216", "", "EL094259216"),
        ("0428.759.497", "BE", "BE0428759497"),
        ("U13585627", "AT", "ATU13585627"),
        ("980 7806 84", "GB", "GB980780684"),
        ("XI 980 7806 84", "GB", "XI980780684"),
        ("XI980780684", "", "XI980780684"),
        ("GB980780684", "IM", "GB980780684"),
        ("18547290", "RO", "RO18547290"),
        ("00743.110.157", "IT", "IT00743110157"),
        ("CHE-107.787.577 IVA", "CH", "CHE107787577IVA"),
        ("CHE-107.787.577", "CH", "CHE107787577"),
        ("CHE-107.787.577", "", "CHE107787577"),
        ("NO 995 525 828 MVA", "NO", "995525828MVA"),
        ("NO 995 525 828 MVA", "", "NO995525828MVA"),
        ("556188-8404", "SE", "5561888404"),
        ("556188840401", "SE", "SE556188840401"),
        ("53000004605", "MC", "FR53000004605"),
        ("FR23334175221", "RE", "FR23334175221"),
        ("334 175 221", "FR", "334175221"),
        ("BR16.727.230/0001-97", "BR", "16727230000197"),
        ("T5835678256246", "JP", "5835678256246"),
        ("JP5835678256246", "", "JP5835678256246"),
        ("911144442", "US", "911144442"),
        ("91-1144442", "PR", "911144442"),
        ("IM3720000224", "DE", "IM3720000224"),
        # No scheme is known for the country: as given.
        (" 100-2345678\t9 ", "AE", "100-2345678 9"),
        ("", "DE", ""),
        ("  ", "", ""),
    ],
)
def test_tax_id_is_stored_in_one_form(value, country, stored):
    assert normalise_tax_id(value, country) == stored
    assert normalise_tax_id(stored, country) == stored


@pytest.mark.parametrize(
    ("value", "country", "code"),
    [
        ("DE136695978", "DE", "tax_id_checksum"),
        ("136695978", "DE", "tax_id_checksum"),
        ("DE136695978", "", "tax_id_checksum"),
        ("DE13669597", "DE", "tax_id_length"),
        ("DE13669597A", "DE", "tax_id_format"),
        ("DE13669597٦", "DE", "tax_id_format"),
        ("\u0131E6433435F", "IE", "tax_id_format"),
        ("4\u066504013150", "IS", "tax_id_format"),
        ("07-1144442", "US", "tax_id_component"),
        ("911-14-4442", "US", "tax_id_format"),
        # Of two schemes, the one that the number comes closest to says what is wrong.
        ("12345679", "EE", "tax_id_checksum"),
        # Neither right for Germany nor for France.
        ("FR40303265046", "DE", "tax_id_format"),
        ("136695976", "", "tax_id_needs_country"),
        ("DE", "", "tax_id_needs_country"),
        ("AE1234567", "", "tax_id_needs_country"),
        ("1" * 5_000, "DE", "tax_id_length"),
        ("1" * 5_000, "AE", "tax_id_length"),
        ("DE136\x00695976", "DE", "unstorable_text"),
    ],
)
def test_wrong_tax_id_is_refused(value, country, code):
    assert code_of(normalise_tax_id, value, country) == code


@pytest.mark.parametrize(
    ("value", "country", "stored"),
    [
        ("fr 40 303 265 045", "US", "FR40303265045"),
        ("FR40303265045", "DE", "FR40303265045"),
        ("DE136695976", "AE", "DE136695976"),
        ("EL094259216", "CY", "EL094259216"),
        ("CHE-107.787.577 IVA", "LI", "CHE107787577IVA"),
    ],
)
def test_a_company_may_be_registered_abroad(value, country, stored):
    assert normalise_tax_id(value, country) == stored


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("  HRB \t 44123 \u00a0 B ", "HRB 44123 B"),
        (wide("02723534"), "02723534"),
        ("02723534", "02723534"),
        ("any / thing-1", "any / thing-1"),
        ("", ""),
    ],
)
def test_registration_id_is_only_tidied(value, stored):
    assert normalise_registration_id(value) == stored


COUNTRIES = ["", "AE", *(country.alpha_2 for country in pycountry.countries)]
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ -./", max_size=20),
    st.sampled_from([row["number"] for row in CHECKS]),
)


@given(TEXTS, st.sampled_from(COUNTRIES))
@example("²" * 9, "DE")
@example("٣" * 10, "IS")
@settings(max_examples=1_000, deadline=None)
def test_any_text_is_stored_in_one_form_or_refused(value, country):
    try:
        stored = normalise_tax_id(value, country)
    except ValidationError:
        return
    assert normalise_tax_id(stored, country) == stored


def test_very_long_text_is_refused_at_once():
    # given
    values = ["9" * 5_000, "A" * 5_000, "é" * 5_000, "٣" * 5_000]
    normalise_tax_id("DE136695976", "DE")  # loads the scheme

    # when
    start = time.perf_counter()
    for value in values:
        code_of(normalise_lei, value)
        code_of(normalise_duns, value)
        code_of(normalise_tax_id, value, "DE")

    # then
    assert time.perf_counter() - start < 1


def test_every_scheme_belongs_to_a_country_and_loads():
    for scheme in SCHEMES:
        country = scheme[:2].upper()
        assert pycountry.countries.get(alpha_2=country)
        assert scheme in schemes_of(country)
        assert code_of(validate, scheme, "?").startswith("tax_id_")


def test_schemes_are_loaded_only_when_needed():
    # A process of its own: in this one the other tests have loaded them all.
    program = (
        "import sys; from companies import identifiers;"
        "print(*(m for m in sys.modules if m.startswith('stdnum.')))"
    )
    loaded = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert set(loaded) == {"stdnum.exceptions", "stdnum.util"}


def test_guide_lists_the_schemes():
    guide = (ROOT / "docs/identifiers.md").read_text(encoding="utf-8")

    listed = re.findall(
        r"^\| ([A-Z]{2}) \| [^|]+ \| `([a-z.]+)` \|.*\|$", guide, re.MULTILINE
    )
    territories = re.findall(
        r"^\| ([A-Z]{2}) \| [^|`]+ \| ([A-Z]{2}) \|$", guide, re.MULTILINE
    )

    assert [scheme for _, scheme in listed] == list(SCHEMES)
    assert all(scheme.startswith(f"{c.lower()}.") for c, scheme in listed)
    assert dict(territories) == identifiers.TAX_AREAS
