"""The limit of benchmarks/api.py: the same answers without any framework.

A bare WSGI function: one prepared SQL statement per request, JSON made by PostgreSQL;
no authentication, no validation, no hierarchy check. Writes write what Konzern writes
(company, history, groups, event), so that only the work around it differs.
"""

import json
import os
from urllib.parse import parse_qs

import psycopg

MOMENT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
COMPANY = f"""json_build_object(
    'id', c.id, 'code', c.code, 'name', c.name,
    'type', CASE WHEN c.parent_id IS NULL THEN 'COMPANY' ELSE 'SUBSIDIARY' END,
    'parent', c.parent_id, 'head', c.tree_id, 'depth', c.level, 'status', c.status,
    'effective_status', (WITH RECURSIVE up(parent_id, n) AS (
        SELECT p.parent_id, CASE p.status WHEN 'ACTIVE' THEN 0 WHEN 'DRAFT' THEN 1
            WHEN 'ON_HOLD' THEN 2 ELSE 3 END FROM companies_company p WHERE p.id = c.id
        UNION SELECT p.parent_id, CASE p.status WHEN 'ACTIVE' THEN 0 WHEN 'DRAFT' THEN 1
            WHEN 'ON_HOLD' THEN 2 ELSE 3 END
        FROM companies_company p JOIN up ON p.id = up.parent_id
        ) SELECT (ARRAY['ACTIVE', 'DRAFT', 'ON_HOLD', 'CLOSED'])[max(n) + 1] FROM up),
    'legal_info', json_build_object('legal_name', c.legal_name,
        'legal_form', c.legal_form, 'registration_id', c.registration_id,
        'registration_agency', c.registration_agency,
        'registered_on', c.registered_on, 'country', c.country, 'tax_id', c.tax_id,
        'lei', c.lei, 'duns', c.duns),
    'website', c.website, 'email', c.email, 'phone', c.phone, 'language', c.language,
    'currency', c.currency, 'attributes', c.attributes, 'version', c.version,
    'created_at', {MOMENT.format("c.created_at")},
    'updated_at', {MOMENT.format("c.updated_at")})"""
PAGE = (
    "SELECT json_build_object('results', COALESCE(json_agg(item ORDER BY {order}), "
    "'[]'), 'next', NULL, 'previous', NULL{count})::text FROM ("
    f"SELECT {COMPANY} AS item, c.id, c.name FROM companies_company c "
    "WHERE {where} ORDER BY {order} LIMIT 50) page"
)
COUNT = ", 'count', (SELECT count(*) FROM companies_company)"
BELOW = (
    "c.tree_id = (SELECT tree_id FROM companies_company WHERE id = %(id)s) AND c.lft > "
    "(SELECT lft FROM companies_company WHERE id = %(id)s) AND c.lft < "
    "(SELECT rght FROM companies_company WHERE id = %(id)s) AND c.id > 0"
)
DEEP = (
    "c.id IN (SELECT id FROM companies_company ORDER BY name, id "
    "OFFSET %(offset)s LIMIT 50)"
)
EVENT = """, counted AS (
        INSERT INTO integrations_eventcounter (stream, last) SELECT {stream}, 1 FROM c
        ON CONFLICT (stream) DO UPDATE SET last = integrations_eventcounter.last + 1
        RETURNING stream, last
    ), told AS (
        INSERT INTO integrations_event (stream, number, type, subject_id, occurred_at)
        SELECT counted.stream, last, '{type}', c.id, now() FROM counted, c
    )"""
SHARED = """id, version, created_at, updated_at, code, name, status, legal_name,
    legal_form, registration_id, registration_agency, registered_on, country, tax_id,
    lei, duns, website, email, phone, language, currency, attributes, parent_id"""
HISTORY = (
    f"INSERT INTO companies_historicalcompany ({SHARED}, history_date, history_type, "
    "history_user_id, history_change_reason, request_id) "
    f"SELECT {SHARED}, now(), '{{kind}}', 'client:1', '', '' FROM c"
)
CREATE = f"""WITH parent AS (
        SELECT id, tree_id, rght, level FROM companies_company WHERE id = %(parent)s
        FOR UPDATE
    ), moved AS (
        UPDATE companies_company o SET
            lft = CASE WHEN o.lft > p.rght THEN o.lft + 2 ELSE o.lft END,
            rght = o.rght + 2
        FROM parent p WHERE o.tree_id = p.tree_id AND o.rght >= p.rght
    ), c AS (
        INSERT INTO companies_company (version, created_at, updated_at, tree_id, code,
            name, status, legal_name, legal_form, registration_id, registration_agency,
            country, tax_id, lei, duns, website, email, phone, language, currency,
            attributes, search_text, lft, rght, level, parent_id)
        SELECT 1, now(), now(), tree_id, %(code)s, %(name)s::varchar, 'ACTIVE',
            '', '', '', '', '', '', '', '', '', '', '', '', '', '{{}}',
            lower(%(name)s::varchar), rght, rght + 1, level + 1, id FROM parent
        RETURNING *
    ), kept AS ({HISTORY.format(kind="+")}), grouped AS (
        INSERT INTO groups_customergroup (version, created_at, updated_at, company_id,
            kind, name, code, price_list, search_text)
        SELECT 1, now(), now(), c.id, kind, '', '', '', ''
        FROM c, unnest(ARRAY['ADMINS', 'BUYERS', 'REQUESTERS', 'CONTACTS']) AS kind
    ){EVENT.format(stream="c.id", type="company.created")}
    SELECT {COMPANY}::text FROM c"""
PATCH = f"""WITH c AS (
        UPDATE companies_company SET name = %(name)s::varchar, version = version + 1,
            search_text = lower(%(name)s::varchar), updated_at = now()
        WHERE id = %(id)s RETURNING *
    ), kept AS ({HISTORY.format(kind="~")})
    {EVENT.format(stream="c.id", type="company.updated")}
    SELECT {COMPANY}::text FROM c"""
ASSIGN = f"""WITH c AS (
        INSERT INTO companies_contactassignment (version, created_at, updated_at,
            contact_id, company_id, type, role, covers_subsidiaries)
        VALUES (1, now(), now(), %(contact)s, %(company)s, 'CONTACT', '', false)
        RETURNING *
    ), kept AS (
        INSERT INTO companies_historicalcontactassignment (id, version, created_at,
            updated_at, contact_id, company_id, type, role, covers_subsidiaries,
            history_date, history_type, history_user_id, history_change_reason,
            request_id)
        SELECT id, version, created_at, updated_at, contact_id, company_id, type, role,
            covers_subsidiaries, now(), '+', 'client:1', '', '' FROM c
    ){EVENT.format(stream="c.company_id", type="contact_assignment.created")}
    SELECT json_build_object('id', id, 'contact', contact_id, 'company', company_id,
        'type', type, 'role', role, 'covers_subsidiaries', covers_subsidiaries,
        'valid_from', valid_from, 'valid_until', valid_until, 'version', version,
        'created_at', {MOMENT.format("created_at")},
        'updated_at', {MOMENT.format("updated_at")})::text FROM c"""
CHECK = """WITH RECURSIVE path AS (
        SELECT id, parent_id, name, level, status FROM companies_company
        WHERE id = %(company)s
        UNION ALL SELECT c.id, c.parent_id, c.name, c.level, c.status
        FROM companies_company c JOIN path ON c.id = path.parent_id
    ), held AS (
        SELECT a.id, a.role, a.company_id FROM companies_contactassignment a
        JOIN companies_contact p ON p.id = a.contact_id AND p.is_active
        JOIN path ON path.id = a.company_id
        WHERE p.id = %(requester)s
            AND (a.company_id = %(company)s OR a.covers_subsidiaries)
            AND (a.valid_from IS NULL OR a.valid_from <= current_date)
            AND (a.valid_until IS NULL OR a.valid_until >= current_date)
        ORDER BY array_position(ARRAY['ADMIN', 'BUYER', 'REQUESTER', ''], a.role::text),
            level DESC LIMIT 1
    ), limits AS (
        SELECT l.*, path.name AS company_name, level,
            currency = %(currency)s AND amount < %(amount)s::numeric AS bites
        FROM approvals_purchaselimit l JOIN path ON path.id = l.company_id
        WHERE path.id = %(company)s OR l.scope = 'HIERARCHY'
    ), answer(outcome, code) AS (
        SELECT CASE WHEN blocked THEN 'BLOCKED' WHEN bites THEN 'APPROVAL_REQUIRED'
                ELSE 'ALLOWED' END,
            CASE WHEN blocked THEN 'no_buying_role' WHEN bites THEN 'limit_exceeded'
                ELSE 'within_limits' END
        FROM (SELECT NOT EXISTS (SELECT FROM held WHERE role IN ('ADMIN', 'BUYER'))
                OR EXISTS (SELECT FROM path WHERE status <> 'ACTIVE') AS blocked,
            EXISTS (SELECT FROM limits WHERE bites) AS bites) found
    )
    SELECT json_build_object('outcome', outcome,
        'reasons', json_build_array(json_build_object('code', code, 'limit', NULL,
            'message', concat(%(amount)s::text, ' ', %(currency)s::text,
                ' is within the limits.'))),
        'considered', json_build_object(
            'limits', (SELECT COALESCE(json_agg(json_build_object('id', id,
                'name', name, 'company', company_id, 'company_name', company_name,
                'scope', scope, 'period', period, 'period_start', NULL,
                'amount', round(amount, 2)::text, 'unlimited', unlimited,
                'used', '0.00', 'reserved', '0.00', 'remaining', round(amount, 2)::text,
                'currency', currency, 'on_exceed', on_exceed, 'applies', true,
                'bites', bites) ORDER BY level, id), '[]') FROM limits),
            'rules', json_build_array(),
            'role', (SELECT json_build_object('role', role, 'company', company_id,
                'through', concat('assignment ', id)) FROM held)),
        'steps', json_build_array())::text FROM answer"""
STATEMENTS = {
    "get": f"SELECT {COMPANY}::text FROM companies_company c WHERE c.id = %(id)s",
    "list": PAGE.format(where="c.id > %(after)s", order="id", count=""),
    "counted": PAGE.format(where="c.id > %(after)s", order="id", count=COUNT),
    "deep": PAGE.format(where=DEEP, order="name, id", count=""),
    "search": PAGE.format(
        where="c.search_text LIKE %(first)s AND c.search_text LIKE %(second)s",
        order="id",
        count="",
    ),
    "descendants": PAGE.format(where=BELOW, order="id", count=""),
    "create": CREATE,
    "patch": PATCH,
    "assign": ASSIGN,
    "check": CHECK,
}
connection = None


def application(environ, start_response):
    global connection
    if connection is None:
        connection = psycopg.connect(
            os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0
        )
    work = environ["PATH_INFO"].strip("/")
    if environ["REQUEST_METHOD"] == "GET":
        query = parse_qs(environ["QUERY_STRING"])
        values = {name: value[0] for name, value in query.items()}
        for name in ("id", "after", "offset"):
            if name in values:
                values[name] = int(values[name])
    else:
        length = int(environ["CONTENT_LENGTH"])
        values = json.loads(environ["wsgi.input"].read(length))
    (body,) = connection.execute(STATEMENTS[work], values).fetchone()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body.encode()]
