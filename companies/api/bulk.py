"""Many companies in the body of one call, and what became of each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from companies.imports import Action, Plan
from companies.imports.company_records import FIELDS
from companies.imports.records import Record
from companies.models import Company
from config.api.serializers import StrictSerializer, TextField
from config.tables import Problem

from .import_serializers import FieldChangeSerializer, TotalsSerializer
from .serializers import CompanySerializer, LegalInfoSerializer
from .shapes import LEGAL_INFO

MOST = 1_000
LEGAL = frozenset(LEGAL_INFO.fields)
OWN = frozenset(FIELDS) - LEGAL | {"parent_code", "attributes"}
WHOLE = "non_field_errors"

type Errors = dict[str, Any]  # as Django REST framework nests them


class CompanyRecordSerializer(CompanySerializer):
    """A company by its code. What is left out stays as it is; null empties."""

    code = TextField(max_length=64)
    name = TextField(max_length=250, required=False, help_text="New ones need it.")
    legal_info = LegalInfoSerializer(source="*", required=False)
    parent_code = TextField(
        max_length=64,
        required=False,
        allow_null=True,
        help_text="The code of the parent, here or stored; null: a head company.",
    )

    class Meta:
        model = Company
        fields = [
            "code",
            "name",
            "parent_code",
            "legal_info",
            "website",
            "email",
            "phone",
            "language",
            "currency",
            "attributes",
        ]


@extend_schema_field(CompanyRecordSerializer(many=True))
class RecordsField(serializers.Field):
    """Records of companies: what is in them is judged by the plan, all at once."""

    default_error_messages = {
        "not_a_list": "Give a list.",
        "max_length": f"At most {MOST:,}.",
    }

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list")
        if len(data) > MOST:
            self.fail("max_length")
        return data


class BulkSerializer(StrictSerializer):
    companies = RecordsField()


class BulkOutcomeSerializer(serializers.Serializer):
    index = serializers.IntegerField(help_text="Of the record in the body, from 0.")
    action = serializers.ChoiceField(
        choices=[str(one) for one in Action if one != Action.REFUSED]
    )
    id = serializers.IntegerField(
        allow_null=True, help_text="null: would be created (`dry_run`)."
    )
    code = serializers.CharField()
    changes = FieldChangeSerializer(many=True)


class BulkAnswerSerializer(serializers.Serializer):
    dry_run = serializers.BooleanField()
    totals = TotalsSerializer()
    results = BulkOutcomeSerializer(many=True)


def read_records(companies: Sequence[Any]) -> tuple[list[Record], dict[int, Errors]]:
    """The records as importers know them, and what is wrong with their form."""
    records, wrong = [], {}
    for index, sent in enumerate(companies):
        cells: dict[str, str] = {}
        errors = _read(sent, cells)
        record = Record("", index, 0, tuple(cells), tuple(cells.values()))
        if errors:
            wrong[index] = errors
            record.problems.append(Problem("invalid", ""))
        records.append(record)
    return records, wrong


def _read(sent: Any, cells: dict[str, str]) -> Errors:
    """Fill the cells of a record; what is wrong with its form."""
    if not isinstance(sent, dict):
        return {WHOLE: [_NO_OBJECT]}
    own = {name: value for name, value in sent.items() if name != "legal_info"}
    errors = _take(own, OWN, cells)
    legal = sent.get("legal_info", {})
    if not isinstance(legal, dict):
        errors["legal_info"] = [_NO_OBJECT]
    elif inner := _take(legal, LEGAL, cells):
        errors["legal_info"] = inner
    if "code" not in errors and not cells.get("code"):
        errors["code"] = [_NO_CODE]
    return errors


def _take(
    sent: Mapping[str, Any], known: frozenset[str], cells: dict[str, str]
) -> Errors:
    errors: Errors = {}
    for name, value in sent.items():
        if name not in known:
            errors[name] = [_UNKNOWN]
        elif value is None:
            cells[name] = ""
        elif name == "attributes":
            cells[name] = json.dumps(value, default=float, ensure_ascii=False)
        elif isinstance(value, str):
            cells[name] = value.strip()
        else:
            errors[name] = [_NO_TEXT]
    return errors


_NO_OBJECT = ErrorDetail("Give an object.", "not_an_object")
_NO_TEXT = ErrorDetail("Give a text.", "invalid")
_NO_CODE = ErrorDetail("Each record has a code.", "required")
_UNKNOWN = ErrorDetail(
    StrictSerializer.default_error_messages["unknown_field"], "unknown_field"
)


def errors_of(plan: Plan, wrong: Mapping[int, Errors]) -> dict[str, Any]:
    """Everything that is wrong with the records that are refused, by its place."""
    found: dict[int, Errors] = {}
    for outcome in plan.refused:
        errors = found[outcome.number] = wrong.get(outcome.number) or {}
        if not errors:
            for problem in outcome.problems:
                inside, name = errors, problem.column or WHOLE
                if name in LEGAL:
                    inside = errors.setdefault("legal_info", {})
                detail = ErrorDetail(str(problem.message), problem.code)
                inside.setdefault(name, []).append(detail)
    return {"companies": found}


def answer_of(plan: Plan, *, dry_run: bool) -> dict[str, Any]:
    ids = plan.work.stored
    return {
        "dry_run": dry_run,
        "totals": plan.totals,
        "results": [
            {
                "index": one.number,
                "action": one.action,
                "id": ids.get(one.key.lower()),
                "code": one.key,
                "changes": [
                    {
                        "field": f"legal_info.{c.field}"
                        if c.field in LEGAL
                        else c.field,
                        "old": c.old,
                        "new": c.new,
                    }
                    for c in one.changes
                ],
            }
            for one in plan.outcomes
        ],
    }
