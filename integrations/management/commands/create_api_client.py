from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from config.commands import KonzernCommand
from integrations.clients import create_api_client
from integrations.models import ApiClient


class Command(KonzernCommand):
    help = "Create an API client and print its id and secret, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--scopes", required=True, help="separated by blanks")
        sight = parser.add_mutually_exclusive_group()
        sight.add_argument(
            "--hierarchy",
            nargs="+",
            default=[],
            metavar="CODE",
            help="companies that it sees, with all below them",
        )
        sight.add_argument(
            "--all-hierarchies", action="store_true", help="it sees all companies"
        )
        parser.add_argument(
            "--expires",
            type=_moment,
            metavar="DATE",
            help="from then on it gets no token: 2027-01-31, or with a time",
        )
        parser.add_argument(
            "--calls-per-minute", type=int, help="else as many as the settings say"
        )
        parser.add_argument(
            "--url", default="http://127.0.0.1:8000", help="address for the curl line"
        )

    def handle(
        self,
        *,
        name: str,
        scopes: str,
        hierarchy: list[str],
        all_hierarchies: bool,
        expires: datetime | None,
        calls_per_minute: int | None,
        url: str,
        **options: Any,
    ) -> None:
        try:
            client, secret = create_api_client(
                name,
                scopes=scopes,
                hierarchies=[_company(code) for code in hierarchy],
                sees_all_hierarchies=all_hierarchies,
                expires_at=expires,
                calls_per_minute=calls_per_minute,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(f"client_id:     {client.client_id}")
        self.stdout.write(f"client_secret: {secret}")
        self.stdout.write("")
        self.stdout.write(
            f"curl -u '{client.client_id}:{secret}' -d grant_type=client_credentials "
            f"-d 'scope={client.allowed_scopes}' {url.rstrip('/')}/oauth/token/"
        )
        if not hierarchy and not all_hierarchies:
            self.stderr.write(
                "It sees no company yet: use --hierarchy or --all-hierarchies."
            )


def _company(code: str) -> Any:
    # By the relation: companies are a higher app, which this one does not import.
    companies = ApiClient.allowed_hierarchies.rel.model
    found = companies.objects.filter(code__iexact=code).first()
    if found is None:
        raise CommandError(f"There is no company of the code {code}.")
    return found


def _moment(text: str) -> datetime:
    """A moment of ISO 8601; a day is its beginning, in our time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"not a date: {text}") from None
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
