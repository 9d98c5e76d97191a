"""What the API takes and shows of companies and people, for input and OpenAPI."""

import re
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from companies.models import Company, CompanyLink, Contact, ContactAssignment, Location
from companies.models.assignment import Role
from companies.models.company import HEAD
from config.api.serializers import (
    CleanModelSerializer,
    FlagField,
    StrictSerializer,
    TextField,
    VisibleRelatedField,
)

WRITTEN_ID = 64  # as people write it, with blanks and dots; the model keeps less
SERVERS = ["version", "created_at", "updated_at"]
# Where a company is only pointed at: whoever needs more of it reads it under a lock.
COMPANIES = Company.objects.order_by().only("id", HEAD)


class CodedTextField(TextField):
    """A code out of a long list of ISO; which codes there are says the model."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "allow_blank": True} | kwargs)


class WrittenIdField(TextField):
    """An identifier as people write it; the model brings it into its one form."""

    def __init__(self, **kwargs: Any) -> None:
        options = {"required": False, "allow_blank": True, "max_length": WRITTEN_ID}
        super().__init__(**options | kwargs)


class DecimalTextField(serializers.Field):
    """An exact number, as a string of one form."""

    form = ""

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not re.fullmatch(self.form, data, re.ASCII):
            self.fail("invalid")
        return Decimal(data)


@extend_schema_field({"type": ["string", "null"], "example": "25.50"})
class PercentField(DecimalTextField):
    """A share of 0.01 to 100 percent, as a string with at most two decimals."""

    form = r"[0-9]{1,3}(\.[0-9]{1,2})?"
    default_error_messages = {"invalid": 'A share as a string, such as "25.50".'}


@extend_schema_field({"type": ["string", "null"], "example": "52.520008"})
class DegreesField(DecimalTextField):
    """Degrees (WGS 84), as a string with at most six decimals: about 0.1 m."""

    form = r"-?[0-9]{1,3}(\.[0-9]{1,6})?"
    default_error_messages = {"invalid": 'Degrees as a string, such as "52.520008".'}


class LegalInfoSerializer(CleanModelSerializer):
    country = CodedTextField(max_length=2, help_text="ISO 3166-1 alpha-2, or XK.")
    tax_id = WrittenIdField()
    lei = WrittenIdField(help_text="Legal Entity Identifier (ISO 17442).")
    duns = WrittenIdField()

    class Meta:
        model = Company
        fields = [
            "legal_name",
            "legal_form",
            "registration_id",
            "registration_agency",
            "registered_on",
            "country",
            "tax_id",
            "lei",
            "duns",
        ]


class CompanySerializer(CleanModelSerializer):
    """A company. `parent` can be named on creation; later it is moved."""

    type = serializers.ChoiceField(["COMPANY", "SUBSIDIARY"], read_only=True)
    head = serializers.IntegerField(
        read_only=True, help_text="The id of the head company."
    )
    depth = serializers.IntegerField(read_only=True, help_text="0: a head company.")
    effective_status = serializers.ChoiceField(
        Company.Status.choices,
        read_only=True,
        help_text="The worst on the path to the head company.",
    )
    legal_info = LegalInfoSerializer(source="*", required=False)
    currency = CodedTextField(max_length=3, help_text="ISO 4217.")

    class Meta:
        model = Company
        fields = [
            "id",
            "code",
            "name",
            "type",
            "parent",
            "head",
            "depth",
            "status",
            "effective_status",
            "legal_info",
            "website",
            "email",
            "phone",
            "language",
            "currency",
            "attributes",
            *SERVERS,
        ]
        read_only_fields = ["id", "status", *SERVERS]
        create_only_fields = ["code", "parent"]
        extra_kwargs = {"parent": {"queryset": COMPANIES}}


class BriefCompanySerializer(serializers.ModelSerializer):
    class Meta:
        model = Company
        fields = ["id", "code", "name"]
        read_only_fields = fields


class CompanyNodeSerializer(BriefCompanySerializer):
    """A company in a tree. `next`: where the children are that are not in here."""

    children_count = serializers.IntegerField(read_only=True)
    descendants_count = serializers.IntegerField(read_only=True)
    children = serializers.ListField(child=serializers.DictField(), read_only=True)
    next = serializers.URLField(read_only=True, allow_null=True)

    class Meta(BriefCompanySerializer.Meta):
        fields = [
            *BriefCompanySerializer.Meta.fields,
            "status",
            "children_count",
            "descendants_count",
            "children",
            "next",
        ]
        read_only_fields = fields


class PreviewTokenField(TextField):
    """The token of a preview; the change fails if it would do anything else now."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{
                "max_length": 500,
                "required": False,
                "default": "",
                "allow_blank": True,
                "help_text": "The token of the preview that this was decided on.",
            }
            | kwargs
        )


class StatusChangeSerializer(StrictSerializer):
    reason = TextField(max_length=500, help_text="Why; it is kept in the history.")
    preview = PreviewTokenField()


class MoveSerializer(StrictSerializer):
    parent = VisibleRelatedField(
        queryset=Company.objects.all(),
        allow_null=True,
        help_text="The new parent; null: to the top, as a head company.",
    )
    reason = TextField(max_length=500, required=False, default="", allow_blank=True)
    preview = PreviewTokenField()


class MoveTargetSerializer(StrictSerializer):
    parent = VisibleRelatedField(queryset=Company.objects.all(), allow_null=True)


class MergeTargetSerializer(StrictSerializer):
    into = VisibleRelatedField(
        queryset=Company.objects.all(), help_text="The company that stays."
    )


class ReasonSerializer(StrictSerializer):
    reason = TextField(max_length=500, required=False, default="", allow_blank=True)


class MergeSerializer(MergeTargetSerializer):
    reason = TextField(max_length=500, required=False, default="", allow_blank=True)
    preview = PreviewTokenField()


class StatusTargetSerializer(StrictSerializer):
    status = serializers.ChoiceField(Company.Status.choices)


class TopicSerializer(serializers.Serializer):
    """One respect in which the change is felt: lines for people."""

    topic = serializers.CharField(
        help_text="`place`, `statuses`, `people`, `limits`, `rules`, …"
    )
    before = serializers.ListField(child=serializers.CharField())
    after = serializers.ListField(child=serializers.CharField())


class PreviewSerializer(serializers.Serializer):
    changes = serializers.ListField(
        child=serializers.CharField(), help_text="Sentences for people."
    )
    topics = TopicSerializer(many=True)
    token = serializers.CharField(
        help_text="Sent as `preview` of the change it makes that fail (409 "
        "`preview_outdated`) if it would change anything else."
    )


class ReasonCodeSerializer(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()


class DuplicateSerializer(serializers.Serializer):
    """A company that may be the same as another."""

    of = BriefCompanySerializer(
        allow_null=True, help_text="The other one; null: of the values given."
    )
    company = BriefCompanySerializer()
    score = serializers.IntegerField(help_text="From 1 to 100: surely the same.")
    reasons = ReasonCodeSerializer(
        many=True, help_text="What speaks for it, and against it."
    )


class FindingSerializer(serializers.Serializer):
    code = serializers.CharField(help_text="Also a value of the filter `quality`.")
    label = serializers.CharField()
    companies = serializers.IntegerField(help_text="In how many it was found.")
    percent = serializers.IntegerField(help_text="Of all companies looked at.")


class QualitySerializer(serializers.Serializer):
    """How complete a company and those below it are; closed ones are left out."""

    companies = serializers.IntegerField(help_text="Looked at.")
    complete = serializers.IntegerField(help_text="In which nothing was found.")
    percent = serializers.IntegerField(help_text="Of them complete, 0 to 100.")
    own = serializers.ListField(
        child=serializers.CharField(), help_text="What was found in the company itself."
    )
    findings = FindingSerializer(many=True)


class HistoryChangeSerializer(serializers.Serializer):
    field = serializers.CharField(help_text='Such as "name" or "legal_info.lei".')
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class HistoryEntrySerializer(serializers.Serializer):
    id = serializers.IntegerField()
    change = serializers.ChoiceField(["created", "changed", "deleted"])
    actor = serializers.CharField(
        help_text='"client:3", "staff:1", "client:3/contact:7" or "system".'
    )
    at = serializers.DateTimeField()
    reason = serializers.CharField()
    request_id = serializers.CharField()
    changes = HistoryChangeSerializer(many=True)


class AddressSerializer(CleanModelSerializer):
    country = CodedTextField(max_length=2, help_text="ISO 3166-1 alpha-2, or XK.")
    latitude = DegreesField(
        required=False, allow_null=True, help_text="North of the equator, -90 to 90."
    )
    longitude = DegreesField(
        required=False, allow_null=True, help_text="East of Greenwich, -180 to 180."
    )

    class Meta:
        model = Location
        fields = [
            "line1",
            "line2",
            "city",
            "region",
            "postcode",
            "country",
            "latitude",
            "longitude",
        ]
        extra_kwargs = {
            "line1": {"source": "address_line1"},
            "line2": {"source": "address_line2"},
        }


class LocationSerializer(CleanModelSerializer):
    """A place where a company is; a new default takes the mark from the old one."""

    address = AddressSerializer(source="*", required=False)

    class Meta:
        model = Location
        fields = [
            "id",
            "code",
            "name",
            "type",
            "company",
            "address",
            "email",
            "phone",
            "is_billing",
            "is_shipping",
            "is_default_billing",
            "is_default_shipping",
            "is_shared",
            "is_active",
            *SERVERS,
        ]
        read_only_fields = ["id", *SERVERS]
        create_only_fields = ["company"]
        extra_kwargs = {"company": {"queryset": COMPANIES}}


class ContactSerializer(CleanModelSerializer):
    """A person at a business customer, once; e-mails differ in more than case."""

    class Meta:
        model = Contact
        fields = [
            "id",
            "external_id",
            "email",
            "first_name",
            "last_name",
            "phone",
            "job_title",
            "language",
            "is_active",
            "erased_at",
            *SERVERS,
        ]
        read_only_fields = ["id", "erased_at", *SERVERS]


class BriefContactSerializer(serializers.ModelSerializer):
    class Meta:
        model = Contact
        fields = ["id", "external_id", "email", "first_name", "last_name", "is_active"]
        read_only_fields = fields


class AssignmentSerializer(CleanModelSerializer):
    """What a contact is in a company; a new primary one takes the mark from the old."""

    class Meta:
        model = ContactAssignment
        fields = [
            "id",
            "contact",
            "company",
            "type",
            "role",
            "covers_subsidiaries",
            "valid_from",
            "valid_until",
            *SERVERS,
        ]
        read_only_fields = ["id", *SERVERS]
        create_only_fields = ["contact", "company"]
        extra_kwargs = {
            "contact": {"queryset": Contact.objects.only("id", "erased_at")},
            "company": {"queryset": COMPANIES},
        }


class LinkSerializer(CleanModelSerializer):
    """What connects two companies beside the tree; gives no rights."""

    percent = PercentField(
        required=False, allow_null=True, help_text="Of the other company, where owned."
    )

    class Meta:
        model = CompanyLink
        fields = [
            "id",
            "company",
            "kind",
            "other",
            "percent",
            "valid_from",
            "valid_until",
            *SERVERS,
        ]
        read_only_fields = ["id", *SERVERS]
        create_only_fields = ["company", "other"]
        extra_kwargs = {name: {"queryset": COMPANIES} for name in create_only_fields}


class PersonSerializer(serializers.ModelSerializer):
    """A contact of a company; `company` is where the assignment comes from."""

    contact = BriefContactSerializer()
    assignment = serializers.IntegerField(source="id", help_text="Its id.")
    in_force = serializers.BooleanField(
        help_text="Today within its dates, and the contact is active."
    )
    inherited = serializers.BooleanField(help_text="From a company above.")
    company = BriefCompanySerializer()

    class Meta:
        model = ContactAssignment
        fields = [
            "contact",
            "assignment",
            "type",
            "role",
            "in_force",
            "valid_from",
            "valid_until",
            "inherited",
            "company",
        ]
        read_only_fields = fields


class ThroughSerializer(serializers.ModelSerializer):
    class Meta:
        model = ContactAssignment
        fields = [
            "id",
            "role",
            "type",
            "company",
            "covers_subsidiaries",
            "valid_from",
            "valid_until",
        ]
        read_only_fields = fields


class ReachSerializer(serializers.Serializer):
    """A company where a person may act, and the assignment by which it is so."""

    company = BriefCompanySerializer()
    role = serializers.ChoiceField(Role.choices, allow_blank=True)
    inherited = FlagField(help_text="By an assignment above that covers subsidiaries.")
    through = ThroughSerializer()
