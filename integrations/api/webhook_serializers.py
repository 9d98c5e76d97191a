"""Input and output of webhook endpoints and deliveries."""

from rest_framework import serializers

from config.api.rows import Shape, made
from config.api.serializers import CleanModelSerializer, NumberField, StrictSerializer
from integrations.api.events import company_of
from integrations.event_types import TYPE_CHOICES
from integrations.models import WebhookDelivery, WebhookEndpoint
from integrations.webhooks.endpoints import MOST_REPLAYED

ENDPOINT = Shape(
    "id",
    "url",
    "description",
    "types",
    "hierarchies",
    "status",
    "reason",
    "position",
    "tested_at",
    "test_result",
    "version",
    "created_at",
    "updated_at",
)
DELIVERY = Shape(
    "id",
    "position",
    "status",
    "attempts",
    "tried_at",
    "next_try_at",
    "response_status",
    "error",
    endpoint="endpoint_id",
    company=made(company_of, "stream"),
    type="event__type",
    subject="event__subject_id",
)


class IdField(serializers.IntegerField):
    """A whole JSON number that may be an id."""

    default_error_messages = {"invalid": "Give an id."}

    def to_internal_value(self, data: object) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class WebhookEndpointSerializer(CleanModelSerializer):
    types = serializers.ListField(
        child=serializers.ChoiceField(TYPE_CHOICES),
        default=list,
        help_text="Events of these types; empty: of all.",
    )
    hierarchies = serializers.ListField(
        child=IdField(),
        default=list,
        help_text="Events of these companies and all below them; empty: of all that "
        "the client sees.",
    )

    class Meta:
        model = WebhookEndpoint
        fields = list(ENDPOINT.fields)
        read_only_fields = [
            *("id", "status", "reason", "position", "tested_at", "test_result"),
            *("version", "created_at", "updated_at"),
        ]


class WithSecretSerializer(WebhookEndpointSerializer):
    secret = serializers.CharField(
        read_only=True, help_text="`whsec_…`, to verify signatures; shown only now."
    )

    class Meta(WebhookEndpointSerializer.Meta):
        fields = [*WebhookEndpointSerializer.Meta.fields, "secret"]


class WebhookDeliverySerializer(serializers.ModelSerializer):
    company = serializers.IntegerField(allow_null=True)
    type = serializers.CharField()
    subject = serializers.IntegerField()
    error = serializers.CharField(
        help_text="If there was no answer: `timeout`, `connection`, `certificate`, "
        "`tls`, `unknown_host`, `private_address`, `webhook_url`."
    )

    class Meta:
        model = WebhookDelivery
        fields = list(DELIVERY.fields)


class ReplaySerializer(StrictSerializer):
    """Positions of events, both included."""

    first = NumberField(min_value=1, max_value=2**63 - 1)
    last = NumberField(min_value=1, max_value=2**63 - 1)

    def validate(self, values: dict[str, int]) -> dict[str, int]:
        if values["last"] < values["first"]:
            raise _wrong_last("Before the first.", "min_value")
        if values["last"] - values["first"] >= MOST_REPLAYED:
            raise _wrong_last(f"At most {MOST_REPLAYED:,} positions.", "range_too_long")
        return values


def _wrong_last(text: str, code: str) -> serializers.ValidationError:
    return serializers.ValidationError({"last": [serializers.ErrorDetail(text, code)]})


class ReplayedSerializer(serializers.Serializer):
    waiting = serializers.IntegerField(help_text="Deliveries of the range that wait.")
