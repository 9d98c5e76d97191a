"""Numbers by which registers and tax offices know a company, checked offline.

A check proves that a number is well formed and that its check digits are right. Whether
it was ever issued only its register can say. Which schemes are known, and what each of
them is, says docs/identifiers.md.
"""

import functools
import importlib
import itertools
import re
from types import ModuleType
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from stdnum import exceptions as faults

from config.text import clean_text

LEI_LENGTH = 20
TAX_ID_MAX_LENGTH = 32

# Full-width letters, digits and signs, as East Asian keyboards write them.
NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}


class Scheme(NamedTuple):
    """A kind of tax number: its name at home, the prefix it is stored with if any."""

    label: str
    vat_prefix: str = ""


# By the names of python-stdnum's modules; the first two letters are the country. Where
# a country has several, the VAT number comes first.
SCHEMES = {
    "ad.nrt": Scheme("NRT"),
    "al.nipt": Scheme("NIPT"),
    "ar.cuit": Scheme("CUIT"),
    "at.uid": Scheme("UID", "AT"),
    "au.abn": Scheme("ABN"),
    "az.voen": Scheme("VÖEN"),
    "be.vat": Scheme("BTW/TVA", "BE"),
    "bg.vat": Scheme("ДДС", "BG"),
    "br.cnpj": Scheme("CNPJ"),
    "by.unp": Scheme("УНП"),
    "ca.bn": Scheme("BN"),
    "ch.vat": Scheme("MWST/TVA/IVA"),
    "ch.uid": Scheme("UID"),
    "cl.rut": Scheme("RUT"),
    "cn.uscc": Scheme("USCC"),
    "co.nit": Scheme("NIT"),
    "cr.cpj": Scheme("CPJ"),
    "cy.vat": Scheme("ΦΠΑ", "CY"),
    "cz.dic": Scheme("DIČ", "CZ"),
    "de.vat": Scheme("USt-IdNr.", "DE"),
    "dk.cvr": Scheme("CVR/SE", "DK"),
    "do.rnc": Scheme("RNC"),
    "dz.nif": Scheme("NIF"),
    "ec.ruc": Scheme("RUC"),
    "ee.kmkr": Scheme("KMKR", "EE"),
    "ee.registrikood": Scheme("registrikood"),
    "eg.tn": Scheme("TRN"),
    "es.nif": Scheme("NIF", "ES"),
    "fi.alv": Scheme("ALV", "FI"),
    "fo.vn": Scheme("V-tal"),
    "fr.tva": Scheme("TVA", "FR"),
    "fr.siren": Scheme("SIREN"),
    "gb.vat": Scheme("VAT", "GB"),
    "gh.tin": Scheme("TIN"),
    "gn.nifp": Scheme("NIFp"),
    "gr.vat": Scheme("ΑΦΜ", "EL"),
    "gt.nit": Scheme("NIT"),
    "hr.oib": Scheme("OIB", "HR"),
    "hu.anum": Scheme("ANUM", "HU"),
    "id.npwp": Scheme("NPWP"),
    "ie.vat": Scheme("VAT", "IE"),
    "il.hp": Scheme("ח.פ."),
    "in.gstin": Scheme("GSTIN"),
    "in.pan": Scheme("PAN"),
    "is.vsk": Scheme("VSK"),
    "is.kennitala": Scheme("kennitala"),
    "it.iva": Scheme("partita IVA", "IT"),
    "jp.cn": Scheme("法人番号"),
    "ke.pin": Scheme("PIN"),
    "kr.brn": Scheme("BRN"),
    "li.peid": Scheme("PEID"),
    "lt.pvm": Scheme("PVM", "LT"),
    "lu.tva": Scheme("TVA", "LU"),
    "lv.pvn": Scheme("PVN", "LV"),
    "ma.ice": Scheme("ICE"),
    "mc.tva": Scheme("TVA", "FR"),
    "md.idno": Scheme("IDNO"),
    "me.pib": Scheme("PIB"),
    "mk.edb": Scheme("ЕДБ"),
    "mt.vat": Scheme("VAT", "MT"),
    "mx.rfc": Scheme("RFC"),
    "mz.nuit": Scheme("NUIT"),
    "nl.btw": Scheme("btw-id", "NL"),
    "no.mva": Scheme("MVA"),
    "no.orgnr": Scheme("orgnr"),
    "nz.ird": Scheme("IRD/GST"),
    "pe.ruc": Scheme("RUC"),
    "pl.nip": Scheme("NIP", "PL"),
    "pt.nif": Scheme("NIF", "PT"),
    "py.ruc": Scheme("RUC"),
    "ro.cf": Scheme("CIF", "RO"),
    "rs.pib": Scheme("PIB"),
    "ru.inn": Scheme("ИНН"),
    "se.vat": Scheme("momsnr", "SE"),
    "se.orgnr": Scheme("orgnr"),
    "sg.uen": Scheme("UEN"),
    "si.ddv": Scheme("ID za DDV", "SI"),
    "sk.dph": Scheme("IČ DPH", "SK"),
    "sm.coe": Scheme("COE"),
    "sn.ninea": Scheme("NINEA"),
    "sv.nit": Scheme("NIT"),
    "th.moa": Scheme("TIN"),
    "tn.mf": Scheme("MF"),
    "tr.vkn": Scheme("VKN"),
    "tw.ubn": Scheme("統一編號"),
    "ua.edrpou": Scheme("ЄДРПОУ"),
    "us.ein": Scheme("EIN"),
    "uy.rut": Scheme("RUT"),
    "ve.rif": Scheme("RIF"),
    "vn.mst": Scheme("MST"),
}
# EU VAT numbers of sellers outside of the EU, and of importers: of no country.
ONE_STOP_SHOP = "eu.oss"
# Territories with an ISO code of their own and the numbers of another country.
TAX_AREAS = {
    **dict.fromkeys(("GP", "MQ", "GF", "RE", "YT"), "FR"),
    **dict.fromkeys(("AS", "GU", "MP", "PR", "VI"), "US"),
    "AX": "FI",
    "GL": "DK",
    "IM": "GB",
}
# Prefixes that are no ISO code: Greece in VAT numbers, Northern Ireland since 2021.
PREFIX_COUNTRIES = {"EL": "GR", "XI": "GB"}
# How people begin a number if not by the country: Japanese numbers on invoices.
OWN_PREFIXES = {"JP": "T"}
# Where a prefix is part of the number, so that it tells a number of another country.
TELLING_PREFIXES = frozenset(
    {scheme.vat_prefix for scheme in SCHEMES.values()} - {""} | {"CH", "GR", "NO", "XI"}
)

# The more a number gets right, the further below: several schemes give one answer.
FAULTS = {
    faults.InvalidLength: ("length", _("it has a wrong number of characters")),
    faults.InvalidFormat: ("format", _("it is not in the form of this number")),
    faults.InvalidComponent: ("component", _("a part of it has no meaning")),
    faults.InvalidChecksum: ("checksum", _("its check digits are wrong")),
}
FAULT_ORDER = [f"tax_id_{fault}" for fault, _reason in FAULTS.values()]


def normalise_lei(value: str) -> str:
    """A Legal Entity Identifier in capitals, without blanks and hyphens (ISO 17442-1).

    Raises ValidationError `lei_length`, `lei_characters` or `lei_checksum` (the last
    two digits prove the others: ISO/IEC 7064, MOD 97-10).
    """
    lei = re.sub(r"[ -]", "", one_line(value))
    if not lei:
        return ""
    if not re.fullmatch(r"[0-9A-Za-z]*", lei):
        raise ValidationError(
            _("A Legal Entity Identifier has only the letters A-Z and digits."),
            code="lei_characters",
        )
    if len(lei) != LEI_LENGTH:
        raise ValidationError(
            _("A Legal Entity Identifier has 20 characters, this one has %(length)d."),
            code="lei_length",
            params={"length": len(lei)},
        )
    lei = lei.upper()
    if not lei[-2:].isdigit():
        raise ValidationError(
            _("A Legal Entity Identifier ends with two digits."), code="lei_characters"
        )
    if int("".join(str(int(character, 36)) for character in lei)) % 97 != 1:
        raise ValidationError(
            _("The check digits of this Legal Entity Identifier are wrong."),
            code="lei_checksum",
        )
    return lei


def normalise_duns(value: str) -> str:
    """A D-U-N-S number of Dun & Bradstreet: nine digits, without blanks and hyphens.

    It has no check digit any more: since 2006 they are given out without one. Raises
    ValidationError `duns`.
    """
    duns = re.sub(r"[ -]", "", one_line(value))
    if duns and not re.fullmatch(r"[0-9]{9}", duns):
        raise ValidationError(_("A D-U-N-S number has nine digits."), code="duns")
    return duns


def normalise_registration_id(value: str) -> str:
    """A number in a register, as the register writes it, with single blanks.

    It is not checked, whatever the country: it can come from any of a thousand
    registers (GLEIF's Registration Authorities List), few of which have check digits.
    """
    return one_line(value)


def normalise_tax_id(value: str, country: str) -> str:
    """A company's VAT or tax number in its one stored form, right for its country.

    EU and UK VAT numbers are stored with their prefix, as VIES writes them (Council
    Directive 2006/112/EC, article 215): DE136695976, for Greece EL094259216. Others are
    stored as their country writes them, without blanks. Without a country the number
    has to begin with one, and keeps it. A number of a country whose scheme we do not
    know is taken as given.

    A company can be registered for VAT abroad: a number whose prefix says another
    country, and that is right there, is stored with that prefix.

    Raises ValidationError `tax_id_length`, `tax_id_format`, `tax_id_component` or
    `tax_id_checksum` for a number that is wrong for its country, and
    `tax_id_needs_country` if nothing tells the country.
    """
    given = one_line(value)
    if len(given) > TAX_ID_MAX_LENGTH:
        raise ValidationError(_("The tax number is too long."), code="tax_id_length")
    # Letters that only capitals make Latin ones (dotless i, sharp s) are foreign too.
    if any(not letter.isascii() and letter.upper().isascii() for letter in given):
        raise ValidationError(
            _("The tax number has foreign letters."), code="tax_id_format"
        )
    number = re.sub(r"[ .]", "", given).upper()
    if not number:
        return ""
    if number.startswith(("EU", "IM")):
        try:
            return validate(ONE_STOP_SHOP, number)
        except ValidationError:
            pass  # then it has to be right for the country
    if not country:
        return _right_by_prefix(number)
    if not schemes_of(country):
        return _right_abroad(number) or given
    try:
        return _right_for(country, number)
    except ValidationError:
        if abroad := _right_abroad(number):
            return abroad
        raise


def schemes_of(country: str) -> list[str]:
    """The schemes of the tax numbers that a company of the country can have."""
    start = TAX_AREAS.get(country, country).lower() + "."
    return [scheme for scheme in SCHEMES if scheme.startswith(start)]


def validate(scheme: str, value: str) -> str:
    """The number in the compact form of its scheme: one of SCHEMES, or ONE_STOP_SHOP.

    Raises ValidationError `tax_id_length`, `tax_id_format`, `tax_id_component` or
    `tax_id_checksum`.
    """
    try:
        number = _module(scheme).validate(value)
        # Some schemes take the digits of other scripts for digits.
        if not number.isascii():
            raise faults.InvalidFormat
    except faults.ValidationError as error:
        fault, reason = FAULTS[type(error)]
        raise ValidationError(
            _("Not a %(scheme)s of %(country)s: %(reason)s."),
            code=f"tax_id_{fault}",
            params={
                "scheme": (SCHEMES.get(scheme) or Scheme("OSS")).label,
                "country": scheme[:2].upper(),
                "reason": reason,
            },
        ) from error
    return number


def one_line(value: str) -> str:
    """The text on one line: no control characters, narrow letters, single blanks."""
    return " ".join(clean_text(value).translate(NARROW).split())


@functools.cache
def _module(scheme: str) -> ModuleType:
    """python-stdnum's module of a scheme, loaded when first needed: there are many."""
    country, name = scheme.split(".")
    # Names that Python keeps for itself have an underscore behind them there.
    package = f"{country}_" if country in ("in", "is") else country
    return importlib.import_module(f"stdnum.{package}.{name}")


def _right_for(country: str, number: str) -> str:
    """The stored form of a number by the first scheme of the country that it fits.

    If it fits none, the refusal of the scheme to which it comes closest is raised.
    """
    prefixes = (TAX_AREAS.get(country, country), OWN_PREFIXES.get(country, country))
    bare = {number.removeprefix(p) for p in prefixes if number.startswith(p)}
    forms = [number, *bare]
    refusals = []
    for scheme, form in itertools.product(schemes_of(country), forms):
        try:
            found = validate(scheme, form)
        except ValidationError as error:
            refusals.append(error)
            continue
        prefix = SCHEMES[scheme].vat_prefix
        if prefix == "GB" and number.startswith("XI"):
            prefix = "XI"
        return found if found.startswith(prefix) else prefix + found
    raise max(refusals, key=lambda refusal: FAULT_ORDER.index(str(refusal.code)))


def _right_by_prefix(number: str) -> str:
    """The stored form of a number that has to tell its country by its first letters."""
    country = PREFIX_COUNTRIES.get(number[:2], number[:2])
    if len(number) == 2 or not schemes_of(country):
        raise ValidationError(
            _("Give the country, or begin the tax number with it (like DE136695976)."),
            code="tax_id_needs_country",
        )
    found = _right_for(country, number)
    tells = found.startswith((number[:2], "EL") if country == "GR" else number[:2])
    return found if tells else country + found


def _right_abroad(number: str) -> str | None:
    """The stored form of a number whose prefix tells its country, if right there."""
    if number[:2] not in TELLING_PREFIXES:
        return None
    try:
        return _right_by_prefix(number)
    except ValidationError:
        return None
