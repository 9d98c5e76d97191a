"""Reactions of this app to events in `companies`, which knows nothing of groups."""

from collections.abc import Sequence
from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from companies.merging import Merging
from companies.models import Company
from companies.preview import Standing
from companies.signals import companies_loaded, companies_merging, standing_asked

from . import services
from .merging import move_groups
from .standing import standing_of


@receiver(post_save, sender=Company, dispatch_uid="groups.company_saved")
def company_saved(
    sender: type[Company], instance: Company, created: bool, raw: bool, **kwargs: Any
) -> None:
    if created and not raw:
        services.create_automatic_groups([instance.pk])


@receiver(companies_loaded, dispatch_uid="groups.companies_loaded")
def many_companies_loaded(
    sender: type[Company], company_ids: Sequence[int], **kwargs: Any
) -> None:
    services.load_automatic_groups(company_ids)


@receiver(standing_asked, dispatch_uid="groups.standing_asked")
def say_how_things_stand(
    sender: type[Company], company: int, **kwargs: Any
) -> list[Standing]:
    return standing_of(company)


@receiver(companies_merging, dispatch_uid="groups.companies_merging")
def move_groups_along(sender: type[Company], merging: Merging, **kwargs: Any) -> None:
    move_groups(merging)
