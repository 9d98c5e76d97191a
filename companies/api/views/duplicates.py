"""The endpoint of possible duplicates: of a company, of values, or of all."""

from typing import Any

from django import forms
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.fields import get_error_detail
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from companies.api.serializers import DuplicateSerializer
from companies.duplicates import (
    LEAST,
    Duplicate,
    Facts,
    duplicates_of,
    possible_duplicates,
    report,
)
from companies.models import Company
from config.api.errors import InvalidParameters, invalid_parameter
from config.api.filters import (
    IntegerFormField,
    VisibleChoiceFormField,
    refuse_blanks,
)

NAMES = {"name": "", "legal_name": ""}
NUMBERS = {
    "country": "ISO 3166-1 alpha-2.",
    "registration_id": "",
    "registration_agency": "The register that gave the registration id.",
    "tax_id": "Blanks, dots and hyphens do not matter.",
    "lei": "",
    "duns": "",
}
ADDRESS = {"address_line1": "Street and number.", "postcode": "", "city": ""}
VALUES = NAMES | NUMBERS | ADDRESS
PAGING = ("after", "page_size")
DUPLICATES = inline_serializer(
    "PossibleDuplicates",
    {
        "results": DuplicateSerializer(many=True),
        "next": serializers.URLField(allow_null=True),
    },
)


class DuplicatesForm(forms.Form):
    min_score = IntegerFormField(min_value=1, max_value=100, required=False)
    after = IntegerFormField(min_value=0, required=False)
    page_size = IntegerFormField(min_value=1, max_value=200, required=False)

    def __init__(self, *args: Any, companies: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["company"] = VisibleChoiceFormField(companies, required=False)
        for name in VALUES:
            self.fields[name] = forms.CharField(max_length=250, required=False)


def _parameter(name: str, kind: Any, text: str) -> OpenApiParameter:
    return OpenApiParameter(name, kind, description=text)


class DuplicatesMixin:
    """Companies that may be the same: shown with score and reasons, never refused."""

    @extend_schema(
        summary="Possible duplicates",
        description="Of a stored `company`; or of a company that is about to be "
        "entered, of which `name`, `country` and so on are given; or, without either, "
        "all pairs, each once. The likeliest come first, but pairs come in the order "
        "of their ids: `next` goes on from there, and a page may be short or empty.",
        responses=DUPLICATES,
        filters=False,
        parameters=[
            _parameter("company", OpenApiTypes.INT, "A stored company."),
            *(_parameter(name, OpenApiTypes.STR, VALUES[name]) for name in VALUES),
            _parameter(
                "min_score", OpenApiTypes.INT, f"From 1 to 100; {LEAST} if not given."
            ),
            _parameter("after", OpenApiTypes.INT, "Pairs only: from `next`."),
            _parameter("page_size", OpenApiTypes.INT, "Pairs only: about so many."),
        ],
    )
    @action(
        detail=False,
        parameters=["company", *VALUES, "min_score", *PAGING],
        pagination_class=None,
    )
    def duplicates(self, request: Request) -> Response:
        asked = self._asked()
        among = self.get_queryset()
        options = {"among": among, "least": asked["min_score"] or LEAST}
        if company := asked["company"]:
            found = duplicates_of(company, **options)
            return _answer([_shown(one, company) for one in found])
        values = {name: asked[name] for name in VALUES if asked[name]}
        if values:
            (found,) = possible_duplicates([Facts.given(**values)], **options)
            return _answer([_shown(one) for one in found])
        size = asked["page_size"] or 50
        pairs, last = report(after=asked["after"] or 0, size=size, **options)
        url = request.build_absolute_uri()
        further = None if last is None else replace_query_param(url, "after", last)
        return _answer([_shown(pair.duplicate, pair) for pair in pairs], further)

    def _asked(self) -> dict[str, Any]:
        given = self.request.query_params
        refuse_blanks(self.request, given)
        form = DuplicatesForm(given, companies=self.get_queryset())
        if not form.is_valid():
            raise InvalidParameters(
                {
                    name: get_error_detail(error)
                    for name, errors in form.errors.as_data().items()
                    for error in errors
                }
            )
        one = {"company", *VALUES} & set(given)
        if one and (wrong := sorted(set(PAGING) & set(given))):
            raise invalid_parameter(wrong[0], "Only for all pairs.", "invalid")
        if "company" in one and len(one) > 1:
            text = "Name a company, or give the values of one, not both."
            raise invalid_parameter("company", text, "invalid")
        return form.cleaned_data


def _shown(found: Duplicate, of: Any = None) -> dict[str, Any]:
    pk = of.pk if isinstance(of, Company) else getattr(of, "company", None)
    return {
        "of": None if of is None else {"id": pk, "code": of.code, "name": of.name},
        "company": {"id": found.id, "code": found.code, "name": found.name},
        "score": found.score,
        "reasons": [
            {"code": one.code, "message": str(one.message)} for one in found.reasons
        ],
    }


def _answer(results: list[dict[str, Any]], further: str | None = None) -> Response:
    return Response({"results": results, "next": further})
