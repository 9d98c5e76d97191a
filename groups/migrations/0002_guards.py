"""Guards of the database itself, whoever writes, raw SQL included.

A group keeps its kind and its company, and an automatic group has no stored members:
both databases refuse the row. A company has its four automatic groups when a transaction ends: PostgreSQL looks at the end of each
that creates a company or deletes an automatic group, in which order ever. SQLite cannot
look at the end of a transaction; there the model refuses, and check_groups finds what
raw SQL has done.
"""

from django.db import migrations

TABLE = "groups_customergroup"
MEMBERS = "groups_groupmember"

POSTGRESQL = [
    f"""
    CREATE FUNCTION groups_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'group % keeps its kind and company', OLD.id
            USING ERRCODE = 'check_violation',
            CONSTRAINT = '{TABLE}_fixed', TABLE = '{TABLE}';
    END $$
    """,
    f"""
    CREATE TRIGGER {TABLE}_fixed
    BEFORE UPDATE OF kind, company_id ON {TABLE} FOR EACH ROW
    WHEN ((OLD.kind, OLD.company_id) IS DISTINCT FROM (NEW.kind, NEW.company_id))
    EXECUTE FUNCTION groups_refuse_change()
    """,
    f"""
    CREATE FUNCTION groups_refuse_member() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT 1 FROM {TABLE} WHERE id = NEW.group_id AND kind <> 'CUSTOM'
        ) THEN
            RAISE EXCEPTION 'group % follows the assignments', NEW.group_id
                USING ERRCODE = 'check_violation',
                CONSTRAINT = '{MEMBERS}_custom', TABLE = '{MEMBERS}';
        END IF;
        RETURN NEW;
    END $$
    """,
    f"""
    CREATE TRIGGER {MEMBERS}_custom
    BEFORE INSERT OR UPDATE OF group_id ON {MEMBERS} FOR EACH ROW
    EXECUTE FUNCTION groups_refuse_member()
    """,
    f"""
    CREATE FUNCTION groups_require_four() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        company bigint;
    BEGIN
        IF TG_OP = 'INSERT' THEN company := NEW.id; ELSE company := OLD.company_id; END IF;
        IF 4 <> (SELECT COUNT(*) FROM {TABLE}
                 WHERE company_id = company AND kind <> 'CUSTOM')
            AND EXISTS (SELECT 1 FROM companies_company WHERE id = company)
        THEN
            RAISE EXCEPTION 'company % has not got its four automatic groups', company
                USING ERRCODE = 'check_violation',
                CONSTRAINT = '{TABLE}_four', TABLE = '{TABLE}';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER groups_company_has_four
    AFTER INSERT ON companies_company DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION groups_require_four()
    """,
    f"""
    CREATE CONSTRAINT TRIGGER {TABLE}_four
    AFTER DELETE ON {TABLE} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.kind <> 'CUSTOM')
    EXECUTE FUNCTION groups_require_four()
    """,
]
POSTGRESQL_BACK = [
    f"DROP TRIGGER {TABLE}_four ON {TABLE}",
    "DROP TRIGGER groups_company_has_four ON companies_company",
    "DROP FUNCTION groups_require_four()",
    f"DROP TRIGGER {MEMBERS}_custom ON {MEMBERS}",
    "DROP FUNCTION groups_refuse_member()",
    f"DROP TRIGGER {TABLE}_fixed ON {TABLE}",
    "DROP FUNCTION groups_refuse_change()",
]
SQLITE = [
    f"""
    CREATE TRIGGER {TABLE}_fixed
    BEFORE UPDATE OF kind, company_id ON {TABLE} FOR EACH ROW
    WHEN OLD.kind <> NEW.kind OR OLD.company_id IS NOT NEW.company_id
    BEGIN
        SELECT RAISE(ABORT, '{TABLE}_fixed');
    END
    """,
    *[
        f"""
        CREATE TRIGGER {MEMBERS}_custom_{name}
        BEFORE {event} ON {MEMBERS} FOR EACH ROW
        WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.group_id AND kind <> 'CUSTOM')
        BEGIN
            SELECT RAISE(ABORT, '{MEMBERS}_custom');
        END
        """
        for name, event in (("insert", "INSERT"), ("update", "UPDATE OF group_id"))
    ],
]
SQLITE_BACK = [
    f"DROP TRIGGER {TABLE}_fixed",
    f"DROP TRIGGER {MEMBERS}_custom_insert",
    f"DROP TRIGGER {MEMBERS}_custom_update",
]


def run(statements_by_vendor):
    def work(apps, schema_editor):
        connection = schema_editor.connection
        with connection.cursor() as cursor:
            for statement in statements_by_vendor[connection.vendor]:
                cursor.execute(statement)

    return work


class Migration(migrations.Migration):
    dependencies = [("groups", "0001_initial")]

    operations = [
        migrations.RunPython(
            run({"postgresql": POSTGRESQL, "sqlite": SQLITE}),
            run({"postgresql": POSTGRESQL_BACK, "sqlite": SQLITE_BACK}),
        ),
    ]
