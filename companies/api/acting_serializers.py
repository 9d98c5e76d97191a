"""What the acting endpoints take of people and locations, and show of them."""

from companies.models import Contact, ContactAssignment
from companies.models.contact import PERSONAL_FIELDS
from companies.services import ASSIGNED
from config.api.serializers import CleanModelSerializer, TextField

from .serializers import SERVERS, AssignmentSerializer, LocationSerializer


class ActingContactSerializer(CleanModelSerializer):
    """A person, as people at the same company see each other."""

    class Meta:
        model = Contact
        fields = ["id", "email", *PERSONAL_FIELDS, "version"]
        read_only_fields = ["id", "email", "version"]


class ActingAssignmentSerializer(AssignmentSerializer):
    """What a person is at the company; whom and where stays as it is."""

    class Meta(AssignmentSerializer.Meta):
        read_only_fields = ["id", "contact", "company", *SERVERS]
        create_only_fields: list[str] = []
        extra_kwargs: dict[str, dict[str, object]] = {}


class InvitationSerializer(CleanModelSerializer):
    """Who is invited, and as what. What a person who is known has, stays."""

    email = TextField(max_length=254)
    first_name = TextField(max_length=100, required=False, allow_blank=True)
    last_name = TextField(max_length=100, required=False, allow_blank=True)
    phone = TextField(max_length=40, required=False, allow_blank=True)
    job_title = TextField(max_length=100, required=False, allow_blank=True)
    language = TextField(
        max_length=12, required=False, allow_blank=True, help_text="BCP 47."
    )

    class Meta:
        model = ContactAssignment
        fields = ["email", *PERSONAL_FIELDS, *ASSIGNED]


class ActingLocationSerializer(LocationSerializer):
    """A location of the company in the path."""

    class Meta(LocationSerializer.Meta):
        read_only_fields = ["id", "company", *SERVERS]
        create_only_fields: list[str] = []
        extra_kwargs: dict[str, dict[str, object]] = {}
