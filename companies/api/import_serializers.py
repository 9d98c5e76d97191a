"""What imports are sent and answered."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from companies.imports import Action, all_kinds
from companies.models import Import
from config.api.serializers import FlagField, StrictSerializer
from config.tables.csv_files import ENCODINGS

LONGEST_HEADER = 1_000
MOST_COLUMNS = 1_000


@extend_schema_field(
    {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
)
class ColumnsField(serializers.Field):
    """Headers of the file, each with our column, or with null to leave it out."""

    default_error_messages = {
        "not_an_object": _("Give an object of header and column, or null."),
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict) or not 0 < len(data) <= MOST_COLUMNS:
            self.fail("not_an_object")
        columns = {}
        for header, column in data.items():
            if not isinstance(column, str | None) or len(header) > LONGEST_HEADER:
                self.fail("not_an_object")
            columns[header] = (column or "")[:LONGEST_HEADER]
        return columns

    def to_representation(self, value: dict[str, str]) -> dict[str, str | None]:
        return {header: column or None for header, column in value.items()}


class KindField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        kinds = [kind.name for kind in all_kinds()]
        if name not in kinds:
            message = f"One of: {', '.join(kinds)}."
            raise serializers.ValidationError(message, code="invalid_choice")
        return name


class UploadSerializer(StrictSerializer):
    kind = KindField(help_text="companies, locations, contacts, …")
    file = serializers.FileField(allow_empty_file=True, max_length=255)
    mapping = ColumnsField(
        required=False, help_text="A JSON object: header to column, or to null."
    )
    encoding = serializers.ChoiceField(
        choices=["", *ENCODINGS], default="", help_text="Of text; default: found out."
    )
    apply = FlagField(default=False)
    partial = FlagField(default=False)
    confirm = FlagField(default=False)


class MappingSerializer(StrictSerializer):
    mapping = ColumnsField(required=False)


class ApplySerializer(StrictSerializer):
    partial = FlagField(default=False)
    confirm = FlagField(default=False)


class TotalsSerializer(serializers.Serializer):
    records = serializers.IntegerField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField(help_text="Moved ones are among them.")
    moved = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = serializers.IntegerField()
    noted = serializers.IntegerField()


class ProgressSerializer(serializers.Serializer):
    step = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)


class SourceSerializer(serializers.Serializer):
    format = serializers.CharField()
    encoding = serializers.CharField()
    delimiter = serializers.CharField()
    sheet = serializers.CharField()
    other_sheets = serializers.ListField(child=serializers.CharField())
    columns = serializers.DictField(child=serializers.CharField())
    left_out = serializers.ListField(child=serializers.CharField())


class FaultSerializer(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()
    record = serializers.IntegerField(allow_null=True)
    column = serializers.CharField(allow_null=True)


class ImportSerializer(serializers.ModelSerializer):
    name = serializers.CharField(source="file_name")
    mapping = serializers.DictField(
        child=serializers.CharField(allow_blank=True), allow_null=True
    )
    totals = TotalsSerializer(allow_null=True)
    source = SourceSerializer(allow_null=True)
    progress = ProgressSerializer()
    faults = FaultSerializer(many=True)

    class Meta:
        model = Import
        fields = [
            "id",
            "kind",
            "name",
            "size",
            "state",
            "mapping",
            "encoding",
            "partial",
            "totals",
            "source",
            "progress",
            "faults",
            "fault_count",
            "created_at",
            "updated_at",
            "finished_at",
        ]


class SaidSerializer(serializers.Serializer):
    code = serializers.CharField()
    column = serializers.CharField(allow_null=True)
    message = serializers.CharField()


class FieldChangeSerializer(serializers.Serializer):
    field = serializers.CharField()
    old = serializers.CharField(allow_blank=True)
    new = serializers.CharField(allow_blank=True)


class RecordSerializer(serializers.Serializer):
    file = serializers.CharField()
    record = serializers.IntegerField()
    line = serializers.IntegerField()
    action = serializers.ChoiceField(choices=[str(one) for one in Action])
    key = serializers.CharField()
    label = serializers.CharField()
    changes = FieldChangeSerializer(many=True)
    problems = SaidSerializer(many=True)
    notes = SaidSerializer(many=True)


class RecordsSerializer(serializers.Serializer):
    results = RecordSerializer(many=True)
    next = serializers.CharField(allow_null=True)
