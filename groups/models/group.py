"""Customer groups: four automatic ones for each company, and custom ones."""

from functools import reduce
from operator import or_
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import CASCADE, PROTECT, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from companies.models import Company
from config.fields import CleanCharField
from config.history import track_history
from config.search import found_by
from config.text import fold, search_words
from groups.errors import AutomaticGroup
from integrations.recording import Recorded
from integrations.sight import Viewer


class Kind(models.TextChoices):
    """The automatic kinds, the more specific first, and the custom one."""

    ADMINS = "ADMINS", _("Admins")
    BUYERS = "BUYERS", _("Buyers")
    REQUESTERS = "REQUESTERS", _("Requesters")
    CONTACTS = "CONTACTS", _("Contacts")
    CUSTOM = "CUSTOM", _("Custom")


AUTOMATIC = (Kind.ADMINS, Kind.BUYERS, Kind.REQUESTERS, Kind.CONTACTS)
# Set when an automatic group is made, and never again.
FIXED = frozenset({"company", "company_id", "kind", "name", "code"})


def go_with_the_company(collector: Any, field: Any, groups: Any, using: str) -> None:
    """Automatic groups go with their company; custom ones keep it from being deleted.

    Somebody has made a custom group for the company, so it was used.
    """
    custom = [group for group in groups if group.kind == Kind.CUSTOM]
    if custom:
        PROTECT(collector, field, custom, using)
    CASCADE(collector, field, groups, using)


class CustomerGroupQuerySet(models.QuerySet["CustomerGroup"]):
    def visible_to(self, viewer: Viewer) -> Self:
        """Groups of companies that the viewer sees.

        A group across companies belongs to no hierarchy: only a viewer that sees all of
        them sees it.
        """
        if viewer.sees_all_hierarchies:
            return self
        return self.filter(company__in=Company.objects.visible_to(viewer).order_by())

    def automatic(self) -> Self:
        return self.exclude(kind=Kind.CUSTOM)

    def custom(self) -> Self:
        return self.filter(kind=Kind.CUSTOM)

    def across_companies(self) -> Self:
        return self.filter(company=None)

    def with_code(self, code: str) -> Self:
        """The custom group of that code, in whatever case it is written."""
        coded = self.exclude(code="").annotate(_code=Lower("code"))
        return coded.filter(_code=code.lower())

    def matching(self, query: str) -> Self:
        """Groups with every word of `query` in their name or that of their company.

        The code and the price list count as names of the group.
        """
        words = search_words(query)
        if not words:
            return self
        own = [Q(search_text__contains=w) | Q(price_list__icontains=w) for w in words]
        companies = Company.objects.order_by()
        # Most groups have no name of their own: of these only their company's counts.
        named = CustomerGroup.objects.filter(
            reduce(or_, own),
            *(
                one | Q(company__search_text__contains=word)
                for one, word in zip(own, words, strict=True)
            ),
        )
        return found_by(
            self,
            CustomerGroup.objects.filter(company__in=companies.matching(query)),
            named.custom(),
            named.exclude(price_list=""),
        )

    def update(self, **values: Any) -> int:
        self._refuse_automatic(values)
        return super().update(**values)

    def bulk_update(self, objs: Any, fields: Any, *args: Any, **kwargs: Any) -> int:
        pks = [group.pk for group in objs]
        self.filter(pk__in=pks)._refuse_automatic(fields)
        return super().bulk_update(objs, fields, *args, **kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self._refuse_automatic(FIXED)
        return super().delete()

    def _refuse_automatic(self, columns: Any) -> None:
        if FIXED & set(columns) and self.order_by().automatic().exists():
            raise AutomaticGroup


class CustomerGroup(Recorded):
    """Contacts who get the same prices and rights.

    Each company has one group of each automatic kind from the moment it is created.
    Who is in these follows from the assignments when it is read, and is never stored;
    they are shown under the company's name. Custom groups have a name and members of
    their own, for one company or across companies.
    """

    Kind = Kind
    may_come_with_another = True  # the automatic ones come with their company
    _read: dict[str, Any] = {}  # what is fixed, as it was read

    company = models.ForeignKey(
        Company,
        verbose_name=_("company"),
        on_delete=go_with_the_company,
        related_name="customer_groups",
        null=True,
        blank=True,
        help_text=_("Empty: a custom group across companies."),
    )
    kind = models.CharField(
        _("kind"), max_length=10, choices=Kind, default=Kind.CUSTOM, editable=False
    )
    name = CleanCharField(_("name"), max_length=200, blank=True)
    code = models.CharField(
        _("code"),
        max_length=64,
        blank=True,
        validators=[
            RegexValidator(
                r"\A[A-Za-z0-9._-]{1,64}\Z",
                _("1 to 64 of the characters A-Z a-z 0-9 . _ -"),
                code="code",
            )
        ],
        help_text=_("The key by which other systems know this custom group."),
    )
    price_list = CleanCharField(
        _("price list"),
        max_length=64,
        blank=True,
        help_text=_("The code by which a shop's price engine knows the prices."),
    )
    search_text = models.TextField(editable=False, default="")

    history = track_history(excluded=("search_text",))
    objects = CustomerGroupQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer group")
        verbose_name_plural = _("customer groups")
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["price_list", "id"],
                condition=~Q(price_list=""),
                name="groups_group_price_list",
            ),
            models.Index(
                fields=["id"], condition=Q(kind="CUSTOM"), name="groups_group_custom"
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "kind"],
                condition=~Q(kind="CUSTOM"),
                name="groups_customergroup_one_of_each_kind",
                violation_error_code="second_automatic_group",
                violation_error_message=_("The company already has this group."),
            ),
            models.UniqueConstraint(
                Lower("code"),
                condition=~Q(code=""),
                name="groups_customergroup_unique_code",
                violation_error_code="duplicate_code",
                violation_error_message=_("There is already a group of this code."),
            ),
            models.CheckConstraint(
                condition=Q(kind="CUSTOM") | Q(company__isnull=False, name="", code=""),
                name="groups_customergroup_automatic_is_bare",
                violation_error_code="automatic_group",
                violation_error_message=_(
                    "An automatic group has a company, and no name or code of its own."
                ),
            ),
            models.CheckConstraint(
                condition=~Q(kind="CUSTOM") | ~Q(name=""),
                name="groups_customergroup_custom_has_name",
                violation_error_code="required",
                violation_error_message=_("A custom group needs a name."),
            ),
        ]

    def __str__(self) -> str:
        return shown_name(self.kind, self.name, self.company and self.company.name)

    @property
    def is_automatic(self) -> bool:
        return self.kind != Kind.CUSTOM

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **kwargs: Any) -> Self:
        group = super().from_db(db, field_names, values, **kwargs)
        group._note_read()
        return group

    def clean_fields(self, exclude: Any = None) -> None:
        super().clean_fields(exclude)
        if not self.is_automatic and not self.name and "name" not in (exclude or ()):
            text = self._meta.get_field("name").error_messages["blank"]
            raise ValidationError({"name": ValidationError(text, code="blank")})

    def clean(self) -> None:
        super().clean()
        if self._has_other("company_id"):
            text = _("A group stays with its company.")
            raise ValidationError({"company": ValidationError(text, code="read_only")})

    def validate_constraints(self, exclude: Any = None) -> None:
        # "" is no code: no query for it. That a name is missing is said at the field.
        without = () if self.code else ("code",)
        super().validate_constraints({*(exclude or ()), *without})

    def save(self, **kwargs: Any) -> None:
        if not self._state.adding and self._bends_automatic():
            raise AutomaticGroup(group=self.pk)
        self.search_text = (
            "" if self.is_automatic else fold(f"{self.name}\n{self.code}")
        )
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "search_text"}
        super().save(**kwargs)
        self._note_read()

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        if self._read.get("kind", self.kind) != Kind.CUSTOM:
            raise AutomaticGroup(group=self.pk)
        return super().delete(*args, **kwargs)

    def _note_read(self) -> None:
        self._read = {n: v for n, v in self.__dict__.items() if n in FIXED}

    def _bends_automatic(self) -> bool:
        """Whether this save would change what is fixed, of or to an automatic group."""
        automatic = {self._read.get("kind", self.kind), self.kind} != {Kind.CUSTOM}
        return automatic and any(self._has_other(name) for name in FIXED)

    def _has_other(self, name: str) -> bool:
        """Whether the field has another value than this object was read with."""
        return name in self._read and self._read[name] != self.__dict__.get(name)


def shown_name(kind: str, name: str, company_name: str | None) -> str:
    """A custom group's own name; an automatic one goes by its company's name."""
    if kind == Kind.CUSTOM:
        return name
    return f"{company_name}: {Kind(kind).label}"
