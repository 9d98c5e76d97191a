"""What the database itself refuses, whoever writes (also raw SQL).

A status moves only along its ways. What was asked for and its snapshot stay as they are,
but for the next revision of a pending request; what was ordered is set with the order;
refunds only grow. Requests, steps, decisions, history and ledger are never deleted, and
the last four never change. Free texts (note, comments) can be emptied: they may name a
person who is erased. All else is ids.
"""

from django.db import migrations

REQUEST = "approvals_purchaserequest"
STEP = "approvals_approvalstep"
DECISION = "approvals_decision"
HISTORY = "approvals_requesthistory"
LEDGER = "approvals_ledgerentry"
# table: (columns that never change, free text that may be emptied)
FROZEN = {
    REQUEST: (
        "id company_id requester_id kind reference currency submitted_at created_at",
        "note",
    ),
    STEP: ("id request_id round position quorum company_id approval_groups roles", ""),
    DECISION: (
        "id request_id step_id round verdict contact_id right_of_id staff_id actor "
        "through request_version decided_at",
        "comment",
    ),
    HISTORY: (
        "id request_id change status version actor on_behalf_of_id amount replaced "
        "call_id at",
        "comment",
    ),
    LEDGER: (
        "id limit_id period period_start kind request_id revision company_id amount "
        "currency reserved_before used_before cap on_exceed actor reason call_id at",
        "",
    ),
}
# Columns of a request that change together, and when they may.
CONTENT = (
    "amount items billing_location_id shipping_location_id snapshot snapshot_hash "
    "revision round"
)
NEXT_REVISION = "OLD.status = 'PENDING' AND NEW.revision = OLD.revision + 1"
ORDER = "order_number ordered_amount"
IS_ORDERED = "OLD.status = 'APPROVED' AND NEW.status = 'ORDERED'"
REFUND = "refunded_amount"
IS_REFUNDED = "OLD.status = 'ORDERED' AND NEW.refunded_amount > OLD.refunded_amount"
ONLY_WHEN = [(CONTENT, NEXT_REVISION), (ORDER, IS_ORDERED), (REFUND, IS_REFUNDED)]
MOVES = {
    "PENDING": "APPROVED DECLINED WITHDRAWN EXPIRED",
    "APPROVED": "ORDERED CANCELLED EXPIRED",
}


def in_list(values):
    return ", ".join(f"'{value}'" for value in values.split())


LEGAL_MOVE = " OR ".join(
    f"(OLD.status = '{old}' AND NEW.status IN ({in_list(new)}))"
    for old, new in MOVES.items()
)
OLD_ROW_STAYS = {
    "postgresql": "NEW.{0} IS DISTINCT FROM OLD.{0}",
    "sqlite": "NEW.{0} IS NOT OLD.{0}",
}


def violated(table, vendor):
    """The condition under which an UPDATE of the table is refused."""
    columns, text = FROZEN[table]
    changed = OLD_ROW_STAYS[vendor]
    parts = [changed.format(column) for column in columns.split()]
    if text:
        kept = f"{changed.format(text)} AND NEW.{text} <> ''"
        also = f" AND NOT ({NEXT_REVISION})" if table == REQUEST else ""
        parts.append(f"({kept}{also})")
    if table == REQUEST:
        for names, allowed in ONLY_WHEN:
            touched = " OR ".join(changed.format(name) for name in names.split())
            parts.append(f"(({touched}) AND NOT ({allowed}))")
    return " OR ".join(parts)


def postgresql():
    yield """
        CREATE FUNCTION approvals_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% of % is refused', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'check_violation',
                CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
        END $$
    """
    refuse = "FOR EACH ROW {} EXECUTE FUNCTION approvals_refuse()"
    for table in FROZEN:
        condition = violated(table, "postgresql")
        yield (
            f"CREATE TRIGGER {table}_is_frozen BEFORE UPDATE ON {table} "
            + refuse.format(f"WHEN ({condition})")
        )
        yield (
            f"CREATE TRIGGER {table}_is_kept BEFORE DELETE ON {table} "
            + refuse.format("")
        )
    yield (
        f"CREATE TRIGGER {REQUEST}_status_moves BEFORE UPDATE ON {REQUEST} "
        + refuse.format(
            f"WHEN (NEW.status <> OLD.status AND NOT COALESCE({LEGAL_MOVE}, false))"
        )
    )
    yield (
        f"CREATE TRIGGER {REQUEST}_status_starts BEFORE INSERT ON {REQUEST} "
        + refuse.format("WHEN (NEW.status NOT IN ('PENDING', 'APPROVED'))")
    )


def postgresql_back():
    for table in FROZEN:
        yield f"DROP TRIGGER {table}_is_frozen ON {table}"
        yield f"DROP TRIGGER {table}_is_kept ON {table}"
    yield f"DROP TRIGGER {REQUEST}_status_moves ON {REQUEST}"
    yield f"DROP TRIGGER {REQUEST}_status_starts ON {REQUEST}"
    yield "DROP FUNCTION approvals_refuse()"


def sqlite():
    def trigger(name, table, event, condition):
        return (
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {condition} "
            f"BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: {name}'); END"
        )

    for table in FROZEN:
        condition = f"WHEN {violated(table, 'sqlite')}"
        yield trigger(f"{table}_is_frozen", table, "UPDATE", condition)
        yield trigger(f"{table}_is_kept", table, "DELETE", "")
    moves = f"WHEN NEW.status <> OLD.status AND NOT ({LEGAL_MOVE})"
    yield trigger(f"{REQUEST}_status_moves", REQUEST, "UPDATE", moves)
    starts = "WHEN NEW.status NOT IN ('PENDING', 'APPROVED')"
    yield trigger(f"{REQUEST}_status_starts", REQUEST, "INSERT", starts)


def sqlite_back():
    for table in FROZEN:
        yield f"DROP TRIGGER {table}_is_frozen"
        yield f"DROP TRIGGER {table}_is_kept"
    yield f"DROP TRIGGER {REQUEST}_status_moves"
    yield f"DROP TRIGGER {REQUEST}_status_starts"


def run(statements_by_vendor):
    def work(apps, schema_editor):
        connection = schema_editor.connection
        with connection.cursor() as cursor:
            for statement in statements_by_vendor[connection.vendor]():
                cursor.execute(statement)

    return work


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial")]

    operations = [
        migrations.RunPython(
            run({"postgresql": postgresql, "sqlite": sqlite}),
            run({"postgresql": postgresql_back, "sqlite": sqlite_back}),
        ),
    ]
