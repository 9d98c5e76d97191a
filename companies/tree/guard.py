"""The guarded tree: every change of the hierarchy comes through here, whoever makes it.

`parent` is the truth. django-mptt's numbers (lft, rght, level, tree_id) are an index
over it, and mptt alone keeps it right for one careful writer at a time only: it trusts
what objects in memory say. Here every structural write runs in a transaction, takes the
lock of its hierarchies and reads the companies again under it. `tree_id` is the primary
key of the head company: no next number to race for, and the key of the hierarchy.

Uses private names of django-mptt 0.20.0: hence its exact pin and the tests of traps.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, NoReturn, Self

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, models, router, transaction
from django.db.models import Max, Q, Subquery
from django.db.models.expressions import RawSQL
from mptt.exceptions import InvalidMove
from mptt.managers import TreeManager as MpttManager
from mptt.models import MPTTModel
from mptt.querysets import TreeQuerySet as MpttQuerySet

from companies.errors import ParentGone, TooDeep, TreeChanged, WouldCloseCycle
from config.compiled import ByKey
from config.db import acquire_gate, part_of_transaction, write_connection
from config.errors import StaleVersion
from integrations.recording import Recorded

NUMBERS = ("lft", "rght", "level", "tree_id")
TREE_COLUMNS = frozenset({"parent", "parent_id", *NUMBERS})
MOST_TRIES = 20
FEW = 3  # companies that one change locks; imports and merges lock many


def lock_companies[M: models.Model](
    model: type[M],
    companies: Iterable[M | int | None],
    *,
    shared: bool = False,
    using: str | None = None,
) -> dict[int, M]:
    """Lock the hierarchies of these companies until the end; the companies, read again.

    Ascending, so that two movers never wait for each other. A company may change its
    hierarchy while we wait for the lock: then give the locks back and try again.
    Raises DoesNotExist if one is gone, TreeChanged after twenty tries.
    """
    named = [company for company in companies if company is not None]
    wanted = {getattr(company, "pk", company) for company in named}
    # Objects in hand know where they were; if they are elsewhere now, we shall see.
    heads = {getattr(company, "__dict__", {}).get("tree_id") for company in named}
    connection = write_connection(model, using)
    nodes = model._base_manager.using(connection.alias).filter(pk__in=wanted)
    if connection.vendor != "postgresql":
        acquire_gate(using=connection.alias)
        return _read(nodes, wanted)
    for _ in range(MOST_TRIES):
        attempt = transaction.savepoint_create(connection.alias)
        if not heads or None in heads:
            heads = set(nodes.order_by().values_list("tree_id", flat=True).distinct())
        acquire_gate(heads=heads, shared=shared, using=connection.alias)
        found = _read(nodes, wanted)
        if {node.tree_id for node in found.values()} <= heads:
            transaction.savepoint_commit(attempt, connection.alias)
            return found
        # Gives the locks of this attempt back: further ones would not be ascending.
        transaction.savepoint_rollback(attempt, connection.alias)
        heads = set()
    raise TreeChanged(companies=sorted(wanted))


def _read[M: models.Model](nodes: models.QuerySet[M], wanted: set[int]) -> dict[int, M]:
    if len(wanted) <= FEW and nodes.db == DEFAULT_DB_ALIAS:
        rows = _by_key(nodes.model).get_all(sorted(wanted))
    else:
        rows = nodes.all()  # never the cached rows of an earlier attempt
    found = {node.pk: node for node in rows}
    if len(found) != len(wanted):
        raise nodes.model.DoesNotExist(f"{sorted(wanted - found.keys())} are gone.")
    return found


@cache
def _by_key(model: type[models.Model]) -> ByKey:
    return ByKey(model._base_manager.all())


class TreeQuerySet(MpttQuerySet):
    """Rows of the tree: asked by place, never written in bulk."""

    def under(self, company: models.Model | int) -> Self:
        """The company itself and every subsidiary below it, at any depth.

        Reads the tree numbers in the database: those of `company` may be out of date.
        """
        node = self._node(company)
        return self.filter(
            tree_id=Subquery(node.values("tree_id")),
            lft__gte=Subquery(node.values("lft")),
            lft__lte=Subquery(node.values("rght")),
        )

    def above(self, company: models.Model | int) -> Self:
        """The company itself and its parents, up to the head company.

        Walks up by `parent`: a thousandth of the cost of asking the tree numbers.
        """
        return self.filter(pk__in=_walked(self.model, [company], UP))

    def above_any(self, companies: Iterable[models.Model | int]) -> Self:
        """These companies and all above any of them, up to their head companies."""
        found = list(companies)
        return (
            self.filter(pk__in=_walked(self.model, found, UP)) if found else self.none()
        )

    def under_any(self, companies: Iterable[models.Model | int]) -> Self:
        """These companies and all below any of them. Walks down by `parent`."""
        found = list(companies)
        if not found:
            return self.none()
        return self.filter(pk__in=_walked(self.model, found, DOWN))

    def below(self, company: models.Model | int) -> Self:
        """Every subsidiary below the company, without itself."""
        return self.under(company).exclude(pk=getattr(company, "pk", company))

    def at_most_below(self, company: models.Model | int, levels: int) -> Self:
        """Of what is below the company, so many levels: 1 are its own subsidiaries."""
        top = Subquery(self._node(company).values("level"))
        return self.filter(level__lte=top + levels)

    def in_hierarchy_of(self, company: models.Model | int) -> Self:
        """All companies of the same hierarchy."""
        return self.filter(tree_id=Subquery(self._node(company).values("tree_id")))

    def heads(self) -> Self:
        """Head companies only."""
        return self.filter(parent=None)

    def head_first(self) -> Self:
        """From the top down; on a path: head company, its subsidiary, and so on."""
        return self.order_by("level", "pk")

    def nearest_first(self) -> Self:
        """On a path to the head company: the company itself, its parent, and so on."""
        return self.order_by("-level")

    def with_place(self) -> Self:
        """Annotate `depth` (0: a head company), `head` (its id) and their number below.

        That is `descendants_count`: all subsidiaries, at any depth.
        """
        return self.annotate(
            depth=models.F("level"),
            head=models.F("tree_id"),
            descendants_count=(models.F("rght") - models.F("lft") - 1) / 2,
        )

    def _node(self, company: models.Model | int) -> models.QuerySet:
        pk = getattr(company, "pk", company)
        return self.model._base_manager.filter(pk=pk).order_by()[:1]

    def update(self, **values: Any) -> int:
        if TREE_COLUMNS & values.keys():
            raise TypeError("Companies are moved one by one, by save() or move().")
        return super().update(**values)

    def bulk_update(self, objs: Any, fields: Any, *args: Any, **kwargs: Any) -> int:
        if TREE_COLUMNS & set(fields):
            raise TypeError("Companies are moved one by one, by save() or move().")
        return super().bulk_update(objs, fields, *args, **kwargs)

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Use companies.tree.load, which numbers the tree.")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Row by row, leaves first: mptt closes no gap for rows that go in bulk."""
        deleted: dict[str, int] = {}
        with transaction.atomic(using=self.db):
            rows = self.order_by("tree_id", "-lft").values_list("pk", flat=True)
            for pk in list(rows):
                for node in self.model._base_manager.using(self.db).filter(pk=pk):
                    for label, count in node.delete()[1].items():
                        deleted[label] = deleted.get(label, 0) + count
        return sum(deleted.values()), deleted


class TreeManager(MpttManager.from_queryset(TreeQuerySet)):
    """mptt's manager, with head companies numbered by their primary key."""

    def allocate_pk(self) -> int:
        """The primary key of the next row, taken before it is inserted."""
        connection = write_connection(self.model, self._db)
        table, column = self.model._meta.db_table, self.model._meta.pk.column
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT nextval(pg_get_serial_sequence(%s, %s))", [table, column]
                )
                return cursor.fetchone()[0]
            # BEGIN IMMEDIATE has made us the only writer.
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
            row = cursor.fetchone()
            return (row[0] if row else 0) + 1

    def take_place(self, node: Any, parent: Any) -> None:
        """Make room below `parent`, which is locked; None: a hierarchy of its own."""
        if parent is not None:
            super().insert_node(
                node, parent, "last-child", allow_existing_pk=True, refresh_target=False
            )
            return
        if node.pk is None:
            node.pk = self.allocate_pk()
        node.lft, node.rght, node.level, node.tree_id = 1, 2, 0, node.pk

    def insert_node(
        self,
        node: Any,
        target: Any,
        position: str = "last-child",
        save: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Name the parent only: room is made when the company is saved, under the lock.

        Companies have no order, so beside the target is below its parent.
        """
        node.parent = self._parent_at(target, position)
        if save:
            node.save()
        return node

    def move_node(self, node: Any, target: Any, position: str = "last-child") -> None:
        node.move(self._parent_at(target, position))

    @staticmethod
    def _parent_at(target: Any, position: str) -> Any:
        if target is None or position in ("first-child", "last-child"):
            return target
        return target.parent

    def rebuild(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Use companies.tree.check or companies.tree.load.")

    partial_rebuild = build_tree_nodes = rebuild
    disable_mptt_updates = delay_mptt_updates = rebuild

    def _get_next_tree_id(self) -> NoReturn:
        raise InvalidMove("tree_id is the primary key of the head company.")

    def _make_child_root_node(self, node: Any, new_tree_id: int | None = None) -> None:
        super()._make_child_root_node(node, new_tree_id=node.pk)

    def _make_sibling_of_root_node(self, node: Any, target: Any, position: str) -> None:
        if node.is_child_node():
            self._make_child_root_node(node)

    def _move_root_node(self, node: Any, target: Any, position: str) -> None:
        if target.tree_id == node.tree_id:
            raise InvalidMove("A company cannot be placed below itself.")
        # The parent first: a head company has its own tree_id after each statement.
        rows = models.QuerySet(self.model, using=self._db)
        rows.filter(pk=node.pk).update(parent_id=target.pk)
        super()._move_root_node(node, target, position)


class TreeModel(Recorded, MPTTModel):
    """A recorded row of the tree; its subclass has the foreign key `parent`."""

    tree_id = models.BigIntegerField(editable=False)

    class Meta:
        abstract = True

    def save(
        self,
        *,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        using = using or router.db_for_write(type(self), instance=self)
        with part_of_transaction(using):
            if self._state.adding:
                self._insert(using)
                self.record("created")
            else:
                self.record(self._update(using, update_fields))

    def refuse_parent(self, parent: Self) -> None:
        """Raise if nothing may be placed below `parent`, whose hierarchy is locked."""

    def locks_hierarchy(self, update_fields: Iterable[str] | None) -> bool:
        """Whether saving needs its hierarchy to itself, although nothing moves."""
        return False

    def move(self, parent: Self | None) -> None:
        """Place the company with everything below it under `parent`; None: to the top.

        Raises WouldCloseCycle, TooDeep, ParentGone, StaleVersion, TreeChanged.
        """
        self.parent = parent
        self.save(update_fields=["parent"])

    def delete(self, using: str | None = None, keep_parents: bool = False) -> Any:
        using = using or router.db_for_write(type(self), instance=self)
        with part_of_transaction(using):
            try:
                lock_companies(type(self), [self], using=using)
            except type(self).DoesNotExist:
                return 0, {}  # mptt would close the gap of a row that is gone already
            # Against a first assignment or request at the same moment: it waits, and
            # then finds the company gone.
            row = type(self)._base_manager.using(using).select_for_update()
            row.get(pk=self.pk)
            return super().delete(using=using)

    def validate_constraints(self, exclude: Any = None) -> None:
        # The guard itself sees to place and parent: no queries for their constraints.
        super().validate_constraints({*(exclude or ()), *TREE_COLUMNS})

    def refresh_from_db(
        self, using: str | None = None, fields: Any = None, **kwargs: Any
    ) -> None:
        # Also how a deferred field is loaded. mptt would compare with the parent of
        # before: moving back to it would be no move.
        super().refresh_from_db(using, fields, **kwargs)
        if fields is None or {"parent", "parent_id"} & set(fields):
            self._mptt_meta.update_mptt_cached_fields(self)

    def _insert(self, using: str) -> None:
        parent = None
        if self.parent_id is None:
            acquire_gate(
                using=using
            )  # nobody can see a new hierarchy before its commit
        else:
            found = self._lock([self._parent_in_hand()], using)
            parent = self.parent = found[self.parent_id]
            self.refuse_parent(parent)
            self._check_depth(parent, height=0)
        self.version = 1
        self.lft = self.rght = None  # a copied instance must not keep its place
        given = self.pk
        try:
            type(self)._tree_manager.db_manager(using).take_place(self, parent)
            MPTTModel.save(self, force_insert=True, using=using)
        except BaseException:
            self.pk = given  # a key taken in a transaction that fails is not ours
            raise

    def _update(self, using: str, update_fields: Iterable[str] | None) -> str:
        """Write what changed; returns which change it is: "moved" or "updated"."""
        deferred = self.get_deferred_fields()
        asked = update_fields is None or TREE_COLUMNS & set(update_fields)
        node = None
        if (
            asked
            and "parent_id" not in deferred
            and self._mptt_cached_fields["parent"] != self.parent_id
        ):
            node = self._move_to(self.parent_id, using)
        elif self.locks_hierarchy(update_fields):
            self._lock([self], using)
        names = {
            field.name
            for field in self._meta.concrete_fields
            if not field.primary_key
            and field.name not in TREE_COLUMNS
            and field.attname not in deferred
            and (update_fields is None or field.name in update_fields)
        }
        self.save_version(using, names)
        if node is None:
            return "updated"
        # Not before: an object whose save failed must still know that it has to move.
        for name in NUMBERS:
            setattr(self, name, getattr(node, name))
        self._mptt_cached_fields["parent"] = self.parent_id
        return "moved"

    def _move_to(self, parent_pk: int | None, using: str) -> Self | None:
        """Move the stored row; returns it, or None if it is there already."""
        model = type(self)
        found = self._lock([self, self._parent_in_hand()], using)
        node, parent = found[self.pk], found.get(parent_pk)
        if node.version != self.version:
            raise StaleVersion(version=node.version)
        if node.parent_id == parent_pk:
            return None
        if parent is not None:
            self.refuse_parent(parent)
            if parent.tree_id == node.tree_id and node.lft <= parent.lft <= node.rght:
                raise WouldCloseCycle(company=self.pk, parent=parent_pk)
            below = model._base_manager.using(using).filter(
                tree_id=node.tree_id, lft__gte=node.lft, lft__lte=node.rght
            )
            deepest = below.order_by().aggregate(deepest=Max("level"))["deepest"]
            self._check_depth(parent, height=deepest - node.level)
        model._tree_manager.db_manager(using)._move_node(node, parent)
        rows = models.QuerySet(model, using=using)
        rows.filter(pk=node.pk).update(parent_id=parent_pk)
        return node

    def _parent_in_hand(self) -> Self | int | None:
        parent = self._state.fields_cache.get("parent")
        return parent if parent and parent.pk == self.parent_id else self.parent_id

    def _lock(self, companies: list[Self | int | None], using: str) -> dict[int, Self]:
        try:
            return lock_companies(type(self), companies, using=using)
        except type(self).DoesNotExist:
            if self in companies and not self._exists(using):
                raise
            raise ParentGone(parent=self.parent_id) from None

    def _exists(self, using: str) -> bool:
        return type(self)._base_manager.using(using).filter(pk=self.pk).exists()

    @staticmethod
    def _check_depth(parent: Any, *, height: int) -> None:
        levels = parent.level + 1 + height + 1
        if levels > settings.COMPANY_MAX_DEPTH:
            raise TooDeep(levels=levels, most=settings.COMPANY_MAX_DEPTH)


UP, DOWN = "c.id = walked.parent_id", "c.parent_id = walked.id"


def _walked(
    model: type[models.Model], companies: list[models.Model | int], step: str
) -> RawSQL:
    """The ids of these companies and of all that UP or DOWN leads to."""
    table = model._meta.db_table
    places = ", ".join(["%s"] * len(companies))
    return RawSQL(  # noqa: S611
        f"""WITH RECURSIVE walked(id, parent_id) AS (
            SELECT id, parent_id FROM {table} WHERE id IN ({places})
            UNION SELECT c.id, c.parent_id FROM {table} c JOIN walked ON {step}
        ) SELECT id FROM walked""",  # noqa: S608
        [getattr(company, "pk", company) for company in companies],
    )


class OnPath(models.Func):
    """The greatest value of a number on the way from the company to its head company.

    `OnPath("id", number="CASE …")`; walks up by `parent`, so one row costs its depth.
    """

    output_field = models.IntegerField()

    def __init__(self, company: Any, *, table: str, number: str) -> None:
        super().__init__(company)
        self.template = f"""(WITH RECURSIVE upwards(parent_id, number) AS (
            SELECT c.parent_id, {number} FROM {table} c WHERE c.id = %(expressions)s
            UNION SELECT c.parent_id, {number} FROM {table} c
            JOIN upwards ON c.id = upwards.parent_id
        ) SELECT MAX(number) FROM upwards)"""  # noqa: S608  (words of our own only)


HEAD_HAS_ITS_OWN_TREE = Q(parent__isnull=False) | Q(tree_id=models.F("id"))
