"""Companies, as a tree: head companies and their subsidiaries at any depth."""

import json
import re
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Lower
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from companies import identifiers
from companies.errors import ParentClosed
from companies.names import registration_key, sketch
from companies.tree.guard import (
    HEAD_HAS_ITS_OWN_TREE,
    NUMBERS,
    OnPath,
    TreeManager,
    TreeModel,
    TreeQuerySet,
)
from config.compiled import compiled
from config.fields import (
    CleanCharField,
    CountryField,
    CurrencyField,
    KeyField,
    LanguageField,
    PhoneField,
)
from config.history import track_history
from config.search import holding
from config.text import fold, refuse_unstorable
from integrations.models import EventCounter
from integrations.sight import Viewer

ATTRIBUTES_BYTES = 16 * 1024
ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # in JSON, and not a backslash
MOST_CODES = 500  # to ask for at once
CODE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class Status(models.TextChoices):
    """From good to bad: the worst on the path to the head company counts."""

    ACTIVE = "ACTIVE", _("Active")
    DRAFT = "DRAFT", _("Draft")
    ON_HOLD = "ON_HOLD", _("On hold")
    CLOSED = "CLOSED", _("Closed")


BADNESS = {status: number for number, status in enumerate(Status)}
STATUS_OF_BADNESS = [str(status) for status in Status]
# The columns that say where a company stands, for answers made straight from rows.
DEPTH, HEAD = "level", "tree_id"
DERIVED = ("search_text", "name_sketch", "legal_sketch", "registration_key")


class CompanyQuerySet(TreeQuerySet):
    """Questions about companies."""

    def visible_to(self, viewer: Viewer) -> Self:
        """Companies below those that staff have allowed to the viewer, and these."""
        if viewer.sees_all_hierarchies:
            return self
        enclosing = viewer.allowed_hierarchies.order_by().filter(
            tree_id=OuterRef("tree_id"),
            lft__lte=OuterRef("lft"),
            rght__gte=OuterRef("lft"),
        )
        return self.filter(Exists(enclosing))

    def with_badness(self) -> Self:
        """Annotate `badness`: how bad the worst status is on the path to the head."""
        number = "CASE c.status " + " ".join(
            f"WHEN '{status}' THEN {badness}" for status, badness in BADNESS.items()
        )
        return self.annotate(
            badness=OnPath("id", table=Company._meta.db_table, number=number + " END")
        )

    def with_effective_status(self) -> Self:
        """Annotate `effective_status`: the worst on the path to the head company."""
        names = [
            When(badness=number, then=Value(name)) for name, number in BADNESS.items()
        ]
        return self.with_badness().annotate(
            effective_status=Case(*names, output_field=models.CharField())
        )

    def effectively(self, status: str) -> Self:
        """Companies of that effective status.

        Asks for the few companies that are not active, through their partial index.
        """
        worse = [name for name in Status if BADNESS[name] > BADNESS[Status(status)]]
        rows = self.filter(~Exists(_on_path(worse)))
        if status == Status.ACTIVE:
            return rows
        return rows.filter(Exists(_on_path([status])))

    def with_type(self) -> Self:
        """Annotate `type`: COMPANY for a head company, SUBSIDIARY below one."""
        head = When(parent__isnull=True, then=Value("COMPANY"))
        return self.annotate(
            type=Case(
                head, default=Value("SUBSIDIARY"), output_field=models.CharField()
            )
        )

    def reached_by(self, assignments: models.QuerySet) -> Self:
        """Companies in which one of the assignments counts, and by which it does.

        Annotates its id as `assignment`, its `role`, and `through`, the id of its
        company: of several the strongest role, then the nearest company.
        """
        counting = assignments.filter(
            Q(company=OuterRef("pk")) | Q(covers_subsidiaries=True),
            here_or_above("company"),
        )
        strength = ("ADMIN", "BUYER", "REQUESTER")
        rank = Case(
            *[When(role=role, then=Value(rank)) for rank, role in enumerate(strength)],
            default=Value(len(strength)),
        )
        first = counting.order_by(rank, "-company__level")[:1]
        # Of their hierarchies only: else PostgreSQL asks all companies there are.
        hierarchies = assignments.order_by().values("company__tree_id")
        return self.filter(Exists(counting), tree_id__in=hierarchies).annotate(
            assignment=Subquery(first.values("pk")),
            role=Subquery(first.values("role")),
            through=Subquery(first.values("company_id")),
        )

    def matching(self, query: str) -> Self:
        """Companies that have every word of `query` somewhere in a name or a number.

        Parts of words count, case and accents do not; at most five words do.
        """
        return holding(self, query)

    def with_code(self, code: str) -> Self:
        """The company of that code, in whatever case it is written."""
        return self.alias(_code=Lower("code")).filter(_code=code.lower())


def here_or_above(path: str) -> Q:
    """For a subquery of companies: rows of the company in hand, or of one above it.

    `path` leads from the row to its company.
    """
    return Q(
        (f"{path}__tree_id", OuterRef("tree_id")),
        (f"{path}__lft__lte", OuterRef("lft")),
        (f"{path}__rght__gte", OuterRef("lft")),
    )


def _on_path(statuses: list[str]) -> CompanyQuerySet:
    return Company.objects.order_by().filter(
        ~Q(status="ACTIVE"),
        status__in=statuses,
        tree_id=OuterRef("tree_id"),
        lft__lte=OuterRef("lft"),
        rght__gte=OuterRef("lft"),
    )


class Company(TreeModel):
    """A business customer: a head company, or a subsidiary below its parent.

    `parent` is the one line of control: rights, limits and groups follow it. Further
    owners are CompanyLinks.
    """

    Status = Status

    code = models.CharField(
        _("code"),
        max_length=64,
        blank=True,
        validators=[
            RegexValidator(
                r"\A" + CODE.pattern + r"\Z",
                _("1 to 64 of the characters A-Z a-z 0-9 . _ -"),
                code="code",
            )
        ],
        help_text=_(
            "The key by which other systems know this company. Made from the name "
            "if left empty."
        ),
    )
    name = CleanCharField(_("name"), max_length=250)
    parent = models.ForeignKey(
        "self",
        verbose_name=_("parent company"),
        on_delete=models.PROTECT,
        related_name="subsidiaries",
        blank=True,
        null=True,
    )
    status = models.CharField(
        _("status"), max_length=8, choices=Status, default=Status.ACTIVE
    )
    legal_name = CleanCharField(_("legal name"), max_length=250, blank=True)
    legal_form = CleanCharField(_("legal form"), max_length=100, blank=True)
    registration_id = CleanCharField(_("registration id"), max_length=64, blank=True)
    registration_agency = CleanCharField(
        _("registration agency"),
        max_length=100,
        blank=True,
        help_text=_("The register that gave the registration id."),
    )
    registered_on = models.DateField(_("registered on"), null=True, blank=True)
    country = CountryField(_("country"), blank=True, help_text=_("ISO 3166-1 alpha-2."))
    tax_id = models.CharField(_("tax id"), max_length=32, blank=True)
    lei = models.CharField(
        _("LEI"),
        max_length=20,
        blank=True,
        help_text=_("Legal Entity Identifier (ISO 17442)."),
    )
    duns = models.CharField(_("D-U-N-S"), max_length=9, blank=True)
    website = models.URLField(_("website"), max_length=500, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = PhoneField(_("phone"), blank=True)
    language = LanguageField(_("language"), blank=True, help_text=_("BCP 47."))
    currency = CurrencyField(_("default currency"), blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    search_text = models.TextField(editable=False, default="")
    # By which possible duplicates are found: see companies/duplicates.py.
    name_sketch = KeyField()
    legal_sketch = KeyField()
    registration_key = KeyField()
    _read_status: str | None = None  # as it was stored when last read
    _made_code: str | None = None  # if the code was made of the name

    history = track_history(excluded=(*NUMBERS, *DERIVED))
    objects = TreeManager.from_queryset(CompanyQuerySet)()

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("companies")
        ordering = ["tree_id", "lft"]
        indexes = [
            models.Index(fields=["tree_id", "lft"], name="companies_company_place"),
            models.Index(fields=["name", "id"], name="companies_company_name"),
            models.Index(
                fields=["name", "id"],
                condition=Q(parent=None),
                name="companies_company_head_name",
            ),
            models.Index(
                fields=["tree_id", "lft"],
                condition=~Q(status="ACTIVE"),
                name="companies_company_not_active",
            ),
            # Whole, not without the empty ones: of a long list of keys PostgreSQL would
            # not see that none is empty.
            models.Index(fields=["name_sketch"], name="companies_company_name_sketch"),
            models.Index(
                fields=["legal_sketch"], name="companies_company_legal_sketch"
            ),
            models.Index(
                fields=["registration_key"], name="companies_company_registration"
            ),
            models.Index(
                fields=["registration_id"], name="companies_company_register_no"
            ),
            models.Index(fields=["duns"], name="companies_company_duns"),
            models.Index(
                fields=["tax_id"],
                condition=~Q(tax_id=""),
                name="companies_company_tax_id",
            ),
            models.Index(fields=["updated_at", "id"], name="companies_company_updated"),
        ]
        constraints = [
            models.UniqueConstraint(
                Lower("code"),
                name="companies_company_unique_code",
                violation_error_code="duplicate_code",
                violation_error_message=_("There is already a company of this code."),
            ),
            models.UniqueConstraint(
                fields=["lei"],
                condition=~Q(lei=""),
                name="companies_company_unique_lei",
                violation_error_code="duplicate_lei",
                violation_error_message=_("There is already a company of this LEI."),
            ),
            models.CheckConstraint(
                condition=~Q(parent=F("id")),
                name="companies_company_not_own_parent",
                violation_error_code="would_close_cycle",
                violation_error_message=_("A company cannot be its own parent."),
            ),
            models.CheckConstraint(
                condition=Q(lft__gte=1) & Q(lft__lt=F("rght")),
                name="companies_company_numbers_in_order",
            ),
            models.CheckConstraint(
                condition=HEAD_HAS_ITS_OWN_TREE,
                name="companies_company_head_has_own_tree",
            ),
        ]
        permissions = [
            ("move_company", _("Can move companies in the tree")),
            ("change_company_status", _("Can activate, hold and close companies")),
            ("merge_company", _("Can merge companies, and take merges back")),
            ("export_data", _("Can take data out as files")),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def event_company_id(self) -> int:
        return self.pk

    def record(self, change: str) -> None:
        if change == "deleted":  # the database takes its locations along
            for location in self.locations.order_by("pk"):
                location.record(change)
        super().record(change)
        if change == "deleted":  # whoever sees the one above is told of it
            above = models.Subquery(
                Company.objects.order_by().filter(pk=self.pk).values("parent")
            )
            gone = Q(stream=self.pk) | Q(above=self.pk)
            EventCounter.objects.filter(gone).update(above=above)

    @property
    def is_head(self) -> bool:
        return self.parent_id is None

    @property
    def head_id(self) -> int:
        """The id of the head company of this company's hierarchy."""
        return self.tree_id

    def save(self, **kwargs: Any) -> None:
        if not self.code:
            self.code = make_code(self.name)
        self.derive()
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], *DERIVED}
        super().save(**kwargs)
        self._remember_status(kwargs.get("update_fields"))

    def derive(self) -> None:
        """Make what is looked up of what is stored."""
        self.search_text = search_text_of(self)
        self.name_sketch = sketch(self.name)
        self.legal_sketch = sketch(self.legal_name)
        self.registration_key = registration_key(self.country, self.registration_id)

    def was_ever_used(self) -> bool:
        """Whether a subsidiary or a person was ever placed here, by the history."""
        people = self.assignments.model.history
        return (
            Company.history.filter(parent=self.pk).exists()
            or people.filter(company=self.pk).exists()
        )

    def refuse_parent(self, parent: Self) -> None:
        if parent.status == Status.CLOSED:
            raise ParentClosed(parent=parent.pk)

    def locks_hierarchy(self, update_fields: Any) -> bool:
        # Nobody may buy below while the status changes: submits share this lock.
        named = update_fields is None or "status" in update_fields
        loaded = "status" not in self.get_deferred_fields()
        return named and loaded and self.status != self._read_status

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **kwargs: Any) -> Self:
        company = super().from_db(db, field_names, values, **kwargs)
        company._remember_status(field_names)
        return company

    def refresh_from_db(self, using: Any = None, fields: Any = None, **kw: Any) -> None:
        super().refresh_from_db(using, fields, **kw)
        self._remember_status(fields)

    def _remember_status(self, fields: Any) -> None:
        """After `fields` (None: all) were read or written."""
        if fields is None or "status" in fields:
            self._read_status = self.__dict__.get("status")

    def validate_constraints(self, exclude: Any = None) -> None:
        without = set() if self.lei else {"lei"}
        if self.code == self._made_code:
            without.add("code")  # nobody had it a moment ago
        elif self._state.adding and not _with_code(self.code.lower()):
            without.add("code")
        super().validate_constraints({*(exclude or ()), *without})

    def clean_fields(self, exclude: Any = None) -> None:
        # First the one form of each identifier: people write it with blanks and dots.
        excluded, errors = set(exclude or ()), {}
        if "country" not in excluded:
            excluded.discard("tax_id")  # which has to be right for its country
        for name, normalise in (
            ("lei", identifiers.normalise_lei),
            ("duns", identifiers.normalise_duns),
            ("tax_id", lambda value: identifiers.normalise_tax_id(value, self.country)),
            ("registration_id", identifiers.normalise_registration_id),
        ):
            value = getattr(self, name)
            if isinstance(value, str) and value and name not in excluded:
                try:
                    setattr(self, name, normalise(value))
                except ValidationError as error:
                    errors[name] = error
        try:
            super().clean_fields(exclude=excluded | errors.keys())
        except ValidationError as others:
            errors = others.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)

    def clean(self) -> None:
        super().clean()
        try:
            check_attributes(self.attributes)
        except ValidationError as error:
            raise ValidationError({"attributes": error}) from error
        if not self.code and self.name:
            self.code = self._made_code = make_code(self.name)


@compiled
def _with_code(code: str) -> models.QuerySet:
    return Company.objects.order_by().with_code(code).values_list("pk")


def check_attributes(attributes: Any) -> None:
    """Refuse what is no JSON object, or larger than 16 KB as UTF-8."""
    if not isinstance(attributes, dict):
        raise ValidationError(_("Give a JSON object."), code="not_an_object")
    try:
        text = json.dumps(attributes, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValidationError(_("NaN and infinity are no JSON."), code="nan") from error
    refuse_unstorable("\0" if ESCAPED_NUL.search(text) else text)
    if len(text.encode()) > ATTRIBUTES_BYTES:
        raise ValidationError(_("At most 16 KB."), code="too_large")


def make_code(name: str) -> str:
    """A code out of the name that no company has yet: "acme-de", "acme-de-2" …"""
    base = slugify(fold(name))[:56].strip("-") or "company"
    codes = Company.objects.order_by().annotate(_code=Lower("code"))
    first, last = 1, 10
    while True:
        # Whole codes: only these are found by the index, whatever the collation is.
        tried = [
            f"{base}-{number}" if number > 1 else base for number in range(first, last)
        ]
        taken = set(codes.filter(_code__in=tried).values_list("_code", flat=True))
        for code in tried:
            if code not in taken:
                return code
        first, last = last, last + min(last, MOST_CODES)


def search_text_of(company: Company) -> str:
    """The folded text in which a search for this company looks."""
    parts = (
        company.name,
        company.legal_name,
        company.code,
        company.registration_id,
        company.tax_id,
        company.lei,
    )
    return fold("\n".join(part for part in parts if part))
