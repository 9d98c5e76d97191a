"""The one statement of each kind of call in benchmarks/api_bare.py."""

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
GROUPS = """INSERT INTO groups_customergroup (version, created_at, updated_at,
        company_id, kind, name, code, price_list, search_text)
    SELECT 1, now(), now(), c.id, kind, '', '', '', ''
    FROM c, unnest(ARRAY['ADMINS', 'BUYERS', 'REQUESTERS', 'CONTACTS']) AS kind"""
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
    ), kept AS ({HISTORY.format(kind="+")}), grouped AS ({GROUPS})
    {EVENT.format(stream="c.id", type="company.created")}
    SELECT {COMPANY}::text FROM c"""
PATCH = f"""WITH c AS (
        UPDATE companies_company SET name = %(name)s::varchar, version = version + 1,
            search_text = lower(%(name)s::varchar), updated_at = now()
        WHERE id = %(id)s RETURNING *
    ), kept AS ({HISTORY.format(kind="~")})
    {EVENT.format(stream="c.id", type="company.updated")}
    SELECT {COMPANY}::text FROM c"""
# Each is a hierarchy of its own: no parent has to be found.
BULK = f"""WITH sent AS (
        SELECT nextval(pg_get_serial_sequence('companies_company', 'id')) AS id, *
        FROM json_to_recordset(%(companies)s) AS sent(code text, name text)
    ), c AS (
        INSERT INTO companies_company (id, version, created_at, updated_at, tree_id,
            code, name, status, legal_name, legal_form, registration_id,
            registration_agency, country, tax_id, lei, duns, website, email, phone,
            language, currency, attributes, search_text, lft, rght, level)
        SELECT id, 1, now(), now(), id, code, name, 'ACTIVE', '', '', '', '', '', '',
            '', '', '', '', '', '', '', '{{}}', lower(name), 1, 2, 0 FROM sent
        RETURNING *
    ), kept AS ({HISTORY.format(kind="+")}), grouped AS ({GROUPS}), counted AS (
        INSERT INTO integrations_eventcounter (stream, last) SELECT id, 1 FROM c
    ), told AS (
        INSERT INTO integrations_event (stream, number, type, subject_id, occurred_at)
        SELECT id, 1, 'company.created', id, now() FROM c
    )
    SELECT json_build_object('results', json_agg(json_build_object('action', 'create',
        'id', id, 'code', code)))::text FROM c"""
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
DECIDED = """WITH RECURSIVE path AS (
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
        SELECT *, l.currency = %(currency)s
            AND l.amount - l.used - l.reserved < %(amount)s::numeric AS bites
        FROM (
            SELECT l.*, path.name AS company_name, level, n.first, n.last,
                COALESCE(counter.used, 0) AS used,
                COALESCE(counter.reserved, 0) AS reserved
            FROM approvals_purchaselimit l JOIN path ON path.id = l.company_id
            CROSS JOIN LATERAL (SELECT
                CASE l.period WHEN 'MONTH' THEN date_trunc('month', now())::date END,
                CASE l.period WHEN 'MONTH' THEN (date_trunc('month', now())
                    + interval '1 month - 1 day')::date END) AS n(first, last)
            LEFT JOIN approvals_limitcounter counter ON counter.limit_id = l.id
                AND counter.period = l.period AND counter.period_start = n.first
            WHERE path.id = %(company)s OR l.scope = 'HIERARCHY'
        ) l
    ), answer(outcome, code) AS (
        SELECT CASE WHEN blocked THEN 'BLOCKED' WHEN bites THEN 'APPROVAL_REQUIRED'
                ELSE 'ALLOWED' END,
            CASE WHEN blocked THEN 'no_buying_role' WHEN bites THEN 'limit_exceeded'
                ELSE 'within_limits' END
        FROM (SELECT NOT EXISTS (SELECT FROM held WHERE role IN ('ADMIN', 'BUYER'))
                OR EXISTS (SELECT FROM path WHERE status <> 'ACTIVE') AS blocked,
            EXISTS (SELECT FROM limits WHERE bites) AS bites) found
    ), said(decision) AS (
        SELECT json_build_object('outcome', outcome,
        'reasons', json_build_array(json_build_object('code', code, 'limit', NULL,
            'rule', NULL, 'message', concat(%(amount)s::text, ' ', %(currency)s::text,
                ' is within the limits.'))),
        'considered', json_build_object(
            'limits', (SELECT COALESCE(json_agg(json_build_object('id', id,
                'name', name, 'company', company_id, 'company_name', company_name,
                'scope', scope, 'period', period, 'period_start', first,
                'period_end', last,
                'amount', round(amount, 2)::text, 'unlimited', unlimited,
                'used', round(used, 2)::text, 'reserved', round(reserved, 2)::text,
                'remaining', round(amount - used - reserved, 2)::text,
                'currency', currency, 'on_exceed', on_exceed, 'binds', binds,
                'roles', roles, 'contact', contact_id, 'applies', true,
                'bites', bites) ORDER BY level, id), '[]') FROM limits),
            'rules', json_build_array(),
            'role', (SELECT json_build_object('role', role, 'company', company_id,
                'through', concat('assignment ', id)) FROM held)),
        'steps', json_build_array()) FROM answer
    )"""
CHECK = f"{DECIDED} SELECT decision::text FROM said"
# What is bought without asking anybody: the request, what it holds of limits with a
# period, ledger, history, event.
SUBMIT = f"""{DECIDED}, c AS (
        INSERT INTO approvals_purchaserequest (version, created_at, updated_at,
            company_id, requester_id, kind, reference, amount, currency, items, note,
            status, revision, round, snapshot, snapshot_hash, expires_at, submitted_at,
            decided_at, order_number, refunded_amount)
        SELECT 1, now(), now(), %(company)s, %(requester)s, 'CART', %(reference)s,
            %(amount)s::numeric, %(currency)s, '[]', '', 'APPROVED', 1, 1,
            kept.snapshot, encode(sha256(kept.snapshot::text::bytea), 'hex'),
            now() + interval '30 days', now(), now(), '', 0
        FROM said, answer, LATERAL (SELECT jsonb_build_object('company',
            %(company)s::bigint, 'requester', %(requester)s::bigint,
            'reference', %(reference)s::text, 'amount', %(amount)s::text,
            'currency', %(currency)s::text, 'decision', decision)) AS kept(snapshot)
        WHERE outcome = 'ALLOWED'
        RETURNING *
    ), held_now AS (
        INSERT INTO approvals_limitcounter AS counter
            (limit_id, period, period_start, reserved, used, ceiling, alerted)
        SELECT l.id, l.period, l.first, c.amount, 0, l.amount, 0 FROM limits l, c
        WHERE l.first IS NOT NULL ORDER BY l.id
        ON CONFLICT (limit_id, period, period_start) DO UPDATE
        SET reserved = counter.reserved + excluded.reserved, ceiling = excluded.ceiling
        WHERE counter.reserved + counter.used + excluded.reserved <= excluded.ceiling
        RETURNING *
    ), booked AS (
        INSERT INTO approvals_ledgerentry (limit_id, period, period_start, kind,
            request_id, revision, company_id, amount, currency, reserved_before,
            used_before, cap, on_exceed, actor, reason, call_id, at)
        SELECT l.id, l.period, l.first, 'RESERVE', c.id, 1, c.company_id, c.amount,
            c.currency, h.reserved - c.amount, h.used, l.amount, l.on_exceed,
            'client:1', '', '', now()
        FROM held_now h JOIN limits l ON l.id = h.limit_id, c
    ), past AS (
        INSERT INTO approvals_requesthistory
            (request_id, change, status, version, actor, amount, comment, call_id, at)
        SELECT id, 'SUBMITTED', 'APPROVED', 1, 'client:1', amount, '', '', now() FROM c
        RETURNING *
    ){EVENT.format(stream="c.company_id", type="purchase_request.approved")}
    SELECT json_build_object('id', c.id, 'company', c.company_id,
        'requester', c.requester_id, 'kind', c.kind, 'reference', c.reference,
        'money', json_build_object('amount', round(c.amount, 2)::text,
            'currency', c.currency), 'status', c.status, 'billing_location', NULL,
        'shipping_location', NULL, 'note', c.note, 'revision', c.revision,
        'round', c.round, 'order_number', c.order_number, 'ordered', NULL,
        'refunded', json_build_object('amount', round(c.refunded_amount, 2)::text,
            'currency', c.currency), 'expires_at', {MOMENT.format("c.expires_at")},
        'submitted_at', {MOMENT.format("c.submitted_at")},
        'decided_at', {MOMENT.format("c.decided_at")}, 'escalated_at', NULL,
        'taken_over_at', NULL,
        'version', c.version, 'created_at', {MOMENT.format("c.created_at")},
        'updated_at', {MOMENT.format("c.updated_at")}, 'items', c.items,
        'snapshot_hash', c.snapshot_hash, 'decision', decision,
        'steps', json_build_array(), 'decisions', json_build_array(),
        'history', json_build_array(json_build_object('change', past.change,
            'status', past.status, 'version', past.version, 'actor', past.actor,
            'on_behalf_of', NULL, 'amount', round(past.amount, 2)::text,
            'comment', '', 'at', {MOMENT.format("past.at")}, 'request_id', '')))::text
    FROM c, past, said"""
PEOPLE = """WITH RECURSIVE path AS (
        SELECT id, parent_id, code, name FROM companies_company WHERE id = %(id)s
        UNION ALL SELECT c.id, c.parent_id, c.code, c.name
        FROM companies_company c JOIN path ON c.id = path.parent_id
    )
    SELECT json_build_object('results', COALESCE(json_agg(person ORDER BY id), '[]'),
        'next', NULL, 'previous', NULL)::text FROM (
        SELECT a.id, json_build_object('contact', json_build_object('id', p.id,
                'external_id', p.external_id, 'email', p.email,
                'first_name', p.first_name, 'last_name', p.last_name,
                'is_active', p.is_active),
            'assignment', a.id, 'type', a.type, 'role', a.role, 'in_force',
            p.is_active AND COALESCE(a.valid_from <= current_date, true)
                AND COALESCE(a.valid_until >= current_date, true),
            'valid_from', a.valid_from, 'valid_until', a.valid_until,
            'inherited', path.id <> %(id)s, 'company', json_build_object(
                'id', path.id, 'code', path.code, 'name', path.name)) AS person
        FROM companies_contactassignment a JOIN path ON path.id = a.company_id
        JOIN companies_contact p ON p.id = a.contact_id
        WHERE path.id = %(id)s OR a.covers_subsidiaries ORDER BY a.id LIMIT 50
    ) page"""
# Automatic groups, prices of which reach upwards: those of the path that the person
# holds there or below; of several reasons the nearest.
PRICING = """WITH RECURSIVE path AS (
        SELECT id, parent_id, name, tree_id, level, lft, rght FROM companies_company
        WHERE id = %(company)s
        UNION ALL SELECT c.id, c.parent_id, c.name, c.tree_id, c.level, c.lft, c.rght
        FROM companies_company c JOIN path ON c.id = path.parent_id
    ), held AS (
        SELECT a.id, a.role, c.id AS company_id, c.name, c.level, c.lft
        FROM companies_contactassignment a JOIN companies_company c
            ON c.id = a.company_id JOIN companies_contact p ON p.id = a.contact_id
        WHERE p.id = %(contact)s AND p.is_active
            AND c.tree_id = (SELECT tree_id FROM path LIMIT 1)
            AND (a.valid_from IS NULL OR a.valid_from <= current_date)
            AND (a.valid_until IS NULL OR a.valid_until >= current_date)
    ), given AS (
        SELECT DISTINCT ON (g.id) g.*, path.name AS group_of, path.level,
            held.id AS assignment, held.company_id AS through, held.name AS assigned_to,
            array_position(ARRAY['ADMINS', 'BUYERS', 'REQUESTERS', 'CONTACTS'],
                g.kind::text) AS place
        FROM path JOIN groups_customergroup g ON g.company_id = path.id
        JOIN held ON held.lft BETWEEN path.lft AND path.rght
            AND (g.kind = 'CONTACTS' OR g.kind = held.role || 'S')
        ORDER BY g.id, held.level - path.level, held.id
    )
    SELECT json_build_object('contact', %(contact)s::bigint,
        'company', %(company)s::bigint, 'propagation', COALESCE((SELECT mode
            FROM groups_grouppropagation WHERE company_id =
                (SELECT tree_id FROM path LIMIT 1)), 'UPWARD'),
        'reason', NULL, 'groups', (SELECT COALESCE(json_agg(json_build_object(
            'id', id, 'company', company_id, 'kind', kind,
            'name', concat(group_of, ': ', initcap(kind)), 'code', code,
            'price_list', price_list, 'why', json_build_object(
                'code', CASE company_id WHEN through THEN 'direct' ELSE 'upward' END,
                'company', through, 'assignment', assignment,
                'message', CASE company_id WHEN through
                    THEN concat('Assigned to ', assigned_to, '.')
                    ELSE concat('Assigned to ', assigned_to, ', which is below ',
                        group_of, '.') END)) ORDER BY level DESC, place, id), '[]')
            FROM given),
        'price_lists', (SELECT COALESCE(json_agg(json_build_object(
            'code', price_list, 'group', id) ORDER BY level DESC, place, id), '[]')
            FROM given WHERE price_list <> ''))::text"""
