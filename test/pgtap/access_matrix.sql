--
-- Who may use what: every function, table and view of the extension, as the
-- catalogs list them, for each kind of role.
--
-- What is expected is written out here a second time, apart from
-- stripe.required_levels().  An object that is missing below, or below and not
-- in the catalogs, is a failure.
--
\set ON_ERROR_STOP 1
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\pset fieldsep '\n'
\pset pager off
SET client_min_messages = warning;
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;
SELECT no_plan();

--
-- The lowest level that may execute a function or read a table or view, by
-- name; "owner" is superusers and the extension's owner.
--
CREATE TEMP TABLE expected (kind text, level text, names text[]);
INSERT INTO expected VALUES
('function', 'reader', '{stripe_last_error, stripe_order_status, livemode, may_read, form_encode,
	json_text, json_key, json_ref, json_boolean, json_bigint, json_numeric, json_time, json_part,
	json_time_min, json_time_max, json_sum_bigint,
	stripe_membership_active, stripe_membership, membership_state, membership_status, membership_json}'),
('function', 'biller', '{stripe_create_intent, stripe_update_intent, stripe_confirm_intent, stripe_capture_intent,
	stripe_cancel_intent, stripe_get_payment, stripe_create_customer, stripe_ensure_customer, stripe_update_customer,
	stripe_delete_customer, stripe_create_setup_intent, stripe_attach_payment_method, stripe_detach_payment_method,
	stripe_set_default_payment_method, stripe_list_payment_methods, stripe_list, stripe_search, list_rows, endpoint_path,
	stripe_verify_webhook, stripe_webhook_is_valid, stripe_ingest_webhook, stripe_ingest_webhooks, stripe_retry_events,
	stripe_refetch, stripe_link_membership}'),
('function', 'admin', '{stripe_refund, stripe_cancel_refund, stripe_request, stripe_try_request, stripe_configure,
	stripe_set_credentials, stripe_grant, stripe_revoke, stripe_test_connection, stripe_doctor, key_state, is_copy,
	stripe_ingest_events, stripe_replay_event, stripe_override_membership}'),
('function', 'owner', '{stripe_reseal, stripe_adopt, stripe_prune, stripe_prune_audit, json_has_client_secret, json_without_client_secret,
	keep_last_customer, forget_cached, required_levels, sync_privileges, protect_tables}'),
('relation', 'reader', '{accounts, access_audit, credential_status, payments, payment_states,
	products, prices, customers, payment_methods, payment_intents, setup_intents, mandates, charges, refunds, disputes,
	subscriptions, subscription_items, subscription_schedules, invoices, invoice_payments, credit_notes, coupons,
	promotion_codes, tax_rates, active_entitlements, checkout_sessions,
	plans, events, refetches, memberships, membership_history, membership_links, membership_subscriptions,
	active_members, renewals_due, failed_payments, revenue_monthly, membership_conflicts, webhook_health}'),
('relation', 'admin', '{grants}'),
('relation', 'owner', '{credentials, homes, access_audit_id_seq, membership_history_serial_seq, receipt_number}');

-- Readers see these columns of the credentials, and the view is made of them.
CREATE TEMP TABLE open_columns AS
SELECT unnest('{account,livemode,purpose,serial,last_four,set_at,set_by,expires_at,key_id}'::text[]) AS name;

-- Tables that have no account, because they are about none.
CREATE TEMP TABLE without_account AS SELECT unnest('{homes}'::text[]) AS name;

CREATE TEMP VIEW objects AS
SELECT 'function' AS kind, p.oid, p.proname::text AS name, p.oid::regprocedure::text AS shown
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE e.extname = 'memberpulse_stripe'
UNION ALL
SELECT 'relation', c.oid, c.relname, 'stripe.' || c.relname
  FROM pg_class c
 WHERE c.relnamespace = 'stripe'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S');

CREATE TEMP VIEW leveled AS
SELECT o.*, (SELECT max(e.level) FROM expected e WHERE e.kind = o.kind AND o.name = ANY (e.names)) AS level
  FROM objects o;

SELECT isnt(level, NULL, 'there is an expectation for ' || kind || ' ' || shown) FROM leveled ORDER BY kind, shown;
SELECT is((SELECT array_agg(n) FROM expected e, unnest(e.names) n
			WHERE NOT EXISTS (SELECT 1 FROM objects o WHERE o.kind = e.kind AND o.name = n)),
		  NULL, 'all that is expected exists');
SELECT is((SELECT array_agg(n) FROM (SELECT n FROM expected e, unnest(e.names) n GROUP BY e.kind, n HAVING count(*) > 1) x),
		  NULL, 'and is expected once');

--
-- The roles
--
CREATE ROLE matrix_nobody;
CREATE ROLE matrix_reader;
CREATE ROLE matrix_biller;
CREATE ROLE matrix_admin;
CREATE ROLE matrix_other;
CREATE ROLE matrix_all;
CREATE ROLE matrix_super SUPERUSER;
CREATE ROLE "matrix ""odd"" 'name'";
CREATE ROLE matrix_member IN ROLE matrix_biller;
CREATE ROLE matrix_apart NOINHERIT IN ROLE matrix_biller;
DO $$ BEGIN PERFORM stripe_grant('matrix_reader', 'reader', 'tenant a'); END $$;
DO $$ BEGIN PERFORM stripe_grant('matrix_biller', 'biller', 'tenant a'); END $$;
DO $$ BEGIN PERFORM stripe_grant('matrix_admin', 'admin', 'tenant a'); END $$;
DO $$ BEGIN PERFORM stripe_grant('matrix_other', 'admin', 'tenant b'); END $$;
DO $$ BEGIN PERFORM stripe_grant('matrix_all', 'reader', '*'); END $$;
DO $$ BEGIN PERFORM stripe_grant('matrix "odd" ''name''', 'reader', 'tenant a'); END $$;

CREATE TEMP TABLE roles (role name, rank int, sees text[]);
INSERT INTO roles VALUES
	('matrix_nobody', 0, '{}'),
	('matrix_reader', 1, '{tenant a}'),
	('matrix_biller', 2, '{tenant a}'),
	('matrix_admin', 3, '{tenant a}'),
	('matrix_other', 3, '{tenant b}'),
	('matrix_all', 1, '{tenant a,tenant b}'),
	('matrix_member', 2, '{tenant a}'),
	('matrix_apart', 0, '{}'),
	('matrix "odd" ''name''', 1, '{tenant a}'),
	('matrix_super', 4, '{tenant a,tenant b}');

CREATE FUNCTION pg_temp.needs(level text) RETURNS int LANGUAGE sql AS $$
	SELECT array_position('{reader,biller,admin,owner}'::text[], level)
$$;

--
-- Privileges
--
SELECT is(has_function_privilege(r.role, o.oid, 'EXECUTE'), r.rank >= pg_temp.needs(o.level), format('EXECUTE on %s for %s', o.shown, r.role))
  FROM leveled o, roles r
 WHERE o.kind = 'function'
 ORDER BY o.shown, r.rank, r.role;

SELECT is(CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(r.role, o.oid, 'USAGE, SELECT, UPDATE')
			   ELSE has_table_privilege(r.role, o.oid, 'SELECT') END,
		  r.rank >= pg_temp.needs(o.level), format('SELECT on %s for %s', o.shown, r.role))
  FROM leveled o
  JOIN pg_class c ON c.oid = o.oid
 CROSS JOIN roles r
 ORDER BY o.shown, r.rank, r.role;

SELECT is(has_table_privilege(r.role, o.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
		  OR (c.relkind <> 'S' AND has_any_column_privilege(r.role, o.oid, 'INSERT, UPDATE, REFERENCES')),
		  r.role = 'matrix_super', format('changing %s is not for %s', o.shown, r.role))
  FROM leveled o
  JOIN pg_class c ON c.oid = o.oid AND c.relkind <> 'S'
 CROSS JOIN roles r
 ORDER BY o.shown, r.rank, r.role;

SELECT is(has_column_privilege(r.role, 'stripe.credentials', a.attname, 'SELECT'),
		  r.rank = 4 OR (r.rank >= 1 AND EXISTS (SELECT 1 FROM open_columns x WHERE x.name = a.attname)),
		  format('column %s of the credentials for %s', a.attname, r.role))
  FROM pg_attribute a, roles r
 WHERE a.attrelid = 'stripe.credentials'::regclass AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum, r.rank, r.role;

SELECT is(has_schema_privilege(r.role, 'stripe', 'USAGE'), r.rank >= 1, 'USAGE on schema stripe for ' || r.role),
	   is(has_schema_privilege(r.role, 'stripe', 'CREATE'), r.rank = 4, 'CREATE in schema stripe for ' || r.role)
  FROM roles r;

-- PUBLIC, the pseudo-role, has nothing; without an ACL a function is PUBLIC's.
SELECT is((SELECT count(*) FROM pg_proc p, aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) x WHERE p.oid = o.oid AND x.grantee = 0)
		  + (SELECT count(*) FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = o.oid AND x.grantee = 0)
		  + (SELECT count(*) FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = o.oid AND x.grantee = 0),
		  0::bigint, 'nothing for PUBLIC on ' || o.shown)
  FROM leveled o ORDER BY o.kind, o.shown;

--
-- How they are made
--
SELECT ok(NOT p.prosecdef OR 'search_path=pg_catalog, pg_temp' = ANY (p.proconfig), o.shown || ' is not SECURITY DEFINER, or pins search_path'),
	   ok(l.lanname <> 'plpgsql' OR 'search_path=pg_catalog, pg_temp' = ANY (p.proconfig), o.shown || ' is not in PL/pgSQL, or pins search_path')
  FROM leveled o JOIN pg_proc p ON p.oid = o.oid JOIN pg_language l ON l.oid = p.prolang
 WHERE o.kind = 'function' ORDER BY o.shown;

CREATE TEMP VIEW with_account AS
SELECT o.*, c.relkind
  FROM leveled o
  JOIN pg_class c ON c.oid = o.oid
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account' AND NOT a.attisdropped
 WHERE o.kind = 'relation';

SELECT is(c.relname::text IN (SELECT name FROM without_account), a.oid IS NULL, 'stripe.' || c.relname || ' has an account, unless it is expected to have none')
  FROM pg_class c
  LEFT JOIN with_account a ON a.oid = c.oid
 WHERE c.relnamespace = 'stripe'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1;
SELECT ok(c.relrowsecurity, 'row security is on for ' || o.shown),
	   is((SELECT array_agg(concat_ws(' ', p.polname, p.polcmd, p.polpermissive, p.polroles, pg_get_expr(p.polqual, p.polrelid), p.polwithcheck)) FROM pg_policy p WHERE p.polrelid = o.oid),
		  '{"own_account * t {0} stripe.may_read(account)"}', 'and the policy is the one and only on ' || o.shown)
  FROM with_account o JOIN pg_class c ON c.oid = o.oid
 WHERE o.relkind IN ('r', 'p') ORDER BY o.shown;
SELECT ok('security_invoker=true' = ANY (c.reloptions), o.shown || ' reads with the rights of who asks')
  FROM leveled o JOIN pg_class c ON c.oid = o.oid WHERE c.relkind = 'v' ORDER BY o.shown;
SELECT is(count(*), 0::bigint, 'there is no materialized view, which would hold rows of all') FROM pg_class c WHERE c.relnamespace = 'stripe'::regnamespace AND c.relkind IN ('m', 'f');

--
-- Rows of two tenants in every table that has an account.  A column that must
-- have a value gets one of its type, or the one below.
--
CREATE TEMP TABLE fitting (tab text, col text, value text);
INSERT INTO fitting VALUES
	('grants', 'level', 'reader'),
	('grants', 'role', 'matrix_nobody'),
	('credentials', 'purpose', 'secret_key'),
	('payments', 'status', 'completed'),
	('payments', 'order_type', 'event'),
	('payments', 'order_id', 'T-1'),
	('events', 'state', 'applied'),
	('memberships', 'status', 'none'),
	('plans', 'cycle', 'monthly'),
	('plans', 'currency', 'aud'),
	('membership_links', 'object_id', 'sub_1');

CREATE FUNCTION pg_temp.fill(filled oid, tenant text) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	statement text;
BEGIN
	SELECT format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE VALUES (%s)', filled::regclass, string_agg(quote_ident(a.attname), ', '),
				  string_agg(CASE
					  WHEN a.attname = 'account' THEN quote_literal(tenant)
					  WHEN f.value IS NOT NULL THEN quote_literal(f.value)
					  WHEN a.atttypid = 'jsonb'::regtype THEN quote_literal('{"id": "x_1"}')
					  WHEN a.atttypid = 'bytea'::regtype THEN quote_literal('x')
					  WHEN a.atttypid = 'boolean'::regtype THEN 'false'
					  WHEN a.atttypid = 'timestamptz'::regtype THEN 'now()'
					  WHEN a.atttypid = 'interval'::regtype THEN quote_literal('1 day')
					  WHEN a.atttypid IN ('int'::regtype, 'bigint'::regtype, 'smallint'::regtype, 'numeric'::regtype, 'oid'::regtype) THEN '1'
					  ELSE quote_literal('x_' || tenant) END, ', '))
	  INTO statement
	  FROM pg_attribute a
	  JOIN pg_class c ON c.oid = a.attrelid
	  LEFT JOIN fitting f ON f.tab = c.relname AND f.col = a.attname
	 WHERE a.attrelid = filled AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
	   AND ((a.attnotnull AND NOT a.atthasdef AND a.attidentity = '') OR a.attname = 'account' OR f.value IS NOT NULL);
	EXECUTE statement;
END
$$;
SELECT lives_ok(format('SELECT pg_temp.fill(%L, %L)', o.oid, tenant), format('a row of %s in %s', tenant, o.shown))
  FROM with_account o, unnest('{tenant a,tenant b}'::text[]) tenant
 WHERE o.relkind IN ('r', 'p') AND o.name NOT IN ('payments', 'grants') ORDER BY o.shown, tenant;
SELECT lives_ok(format('SELECT pg_temp.fill(%L, %L)', o.oid, tenant), format('a row of %s in %s', tenant, o.shown))
  FROM with_account o, unnest('{tenant a,tenant b}'::text[]) tenant
 WHERE o.name IN ('payments', 'grants') ORDER BY o.shown, tenant;

-- What a statement yields as a role: its value, or the SQLSTATE.
CREATE FUNCTION pg_temp.as_role(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE statement INTO result;
	RESET ROLE;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	-- Leaving the block by an error has undone SET ROLE.
	RETURN SQLSTATE;
END
$$;

-- What there is to see.  Every table has rows of both tenants; a view has them
-- only where its joins and conditions do.
UPDATE stripe.memberships SET status = 'active', access_from = now() - interval '1 day', access_until = now() + interval '30 days';
CREATE TEMP TABLE present (oid oid, tenants text[]);
DO $$
DECLARE
	o record;
	tenants text[];
BEGIN
	FOR o IN SELECT * FROM with_account LOOP
		EXECUTE format('SELECT COALESCE(array_agg(DISTINCT account ORDER BY account), ''{}'') FROM %s WHERE account LIKE ''tenant _''', o.shown) INTO tenants;
		INSERT INTO present VALUES (o.oid, tenants);
	END LOOP;
END
$$;
SELECT is(p.tenants, '{tenant a,tenant b}', 'there are rows of both tenants in ' || o.shown)
  FROM with_account o JOIN present p USING (oid)
 WHERE o.relkind IN ('r', 'p') OR o.name IN ('payment_states', 'credential_status', 'active_members') ORDER BY o.shown;

-- The tenants whose rows a role sees.
SELECT is(pg_temp.as_role(r.role, format('SELECT COALESCE(array_agg(DISTINCT account ORDER BY account), ''{}'') FROM %s WHERE account LIKE ''tenant _''', o.shown)),
		  CASE WHEN r.rank >= pg_temp.needs(CASE WHEN o.name = 'credentials' THEN 'reader' ELSE o.level END) THEN ARRAY(SELECT unnest(r.sees) INTERSECT SELECT unnest(p.tenants) ORDER BY 1)::text ELSE '42501' END,
		  format('rows of %s that %s sees', o.shown, r.role))
  FROM with_account o JOIN present p USING (oid), roles r
 ORDER BY o.shown, r.rank, r.role;

-- A condition that tells what it is given gets to see no more.
CREATE FUNCTION pg_temp.tell(account text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
	IF account = 'tenant b' THEN RAISE EXCEPTION 'seen'; END IF;
	RETURN true;
END
$$;
GRANT EXECUTE ON FUNCTION pg_temp.tell(text) TO PUBLIC;
SELECT is(pg_temp.as_role('matrix_reader', format('SELECT count(*) >= 1 FROM %s WHERE pg_temp.tell(account)', o.shown)), 'true', 'a cheap condition sees no other tenant''s rows of ' || o.shown)
  FROM with_account o JOIN present p USING (oid) WHERE o.level = 'reader' AND 'tenant a' = ANY (p.tenants) ORDER BY o.shown;

-- Turning row security off is an error, not a way around.
SET LOCAL row_security = off;
SELECT is(pg_temp.as_role('matrix_admin', format('SELECT count(*) FROM %s', o.shown)), '42501', 'row_security = off shows nothing of ' || o.shown)
  FROM with_account o WHERE o.relkind IN ('r', 'p') ORDER BY o.shown;
SET LOCAL row_security = on;

-- Changes, tried rather than looked up.
SELECT is(pg_temp.as_role(r.role, statement), '42501', format('%s: %s', r.role, statement))
  FROM roles r,
	   unnest(ARRAY['DELETE FROM stripe.access_audit RETURNING 1', 'UPDATE stripe.access_audit SET action = ''none'' RETURNING 1', 'TRUNCATE stripe.access_audit',
					'INSERT INTO stripe.access_audit (account, action, session_role, acting_role) VALUES (''tenant a'', ''x'', ''x'', ''x'') RETURNING 1',
					'UPDATE stripe.accounts SET livemode = true RETURNING 1', 'INSERT INTO stripe.grants VALUES (''matrix_nobody'', ''tenant a'', ''admin'', ''x'') RETURNING 1',
					'SELECT sealed FROM stripe.credentials', 'DELETE FROM stripe.credentials RETURNING 1', 'UPDATE stripe.payments SET status = ''completed'' RETURNING 1',
					'ALTER TABLE stripe.payments DISABLE ROW LEVEL SECURITY', 'ALTER TABLE stripe.accounts DISABLE TRIGGER ALL', 'SELECT nextval(''stripe.receipt_number'')',
					'SELECT stripe.sync_privileges(''matrix_nobody''::regrole)', 'SELECT stripe.protect_tables()', 'SELECT stripe_adopt()', 'SELECT stripe_reseal()',
					'SELECT stripe_prune_audit(''0'')', 'CREATE TABLE stripe.mine ()']) statement
 WHERE r.rank < 4 ORDER BY 1;

--
-- Functions, by account: privileges let them be called, grants decide for whom.
--
SELECT is(pg_temp.as_role(r.role, format(c.call, tenant)),
		  CASE WHEN r.rank = 4 OR (r.rank >= pg_temp.needs(c.level) AND tenant = ANY (r.sees)) THEN c.result ELSE '42501' END,
		  format('%s: %s', r.role, format(c.call, tenant)))
  FROM roles r, unnest('{tenant a,tenant b}'::text[]) tenant,
	   (VALUES ('reader', 'SELECT stripe.livemode(%L)', 'false'),
			   ('reader', 'SELECT status FROM stripe_order_status(''event'', ''T-1'', %L)', 'completed'),
			   ('admin', 'SELECT stripe_configure(%L, grace_days => 3) ->> ''grace_days''', '3'),
			   ('admin', 'SELECT stripe_grant(''matrix_nobody'', ''nonsense'', %L)', '22023'),
			   ('admin', 'SELECT stripe_revoke(''matrix_super'', %L)', 'false'),
			   ('admin', 'SELECT stripe_set_credentials(%L)', '22023')) AS c (level, call, result)
 ORDER BY c.call, tenant, r.rank, r.role;

-- Every function that reaches Stripe or changes an account refuses a stranger's
-- account before anything else, whatever its other arguments are.
CREATE FUNCTION pg_temp.nonsense_call(f oid, tenant text) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT %s(%s)', f::regproc, string_agg(format('%I => %s', name, CASE
			   WHEN name = 'account' THEN quote_literal(tenant)
			   WHEN name = 'role' THEN quote_literal('matrix_nobody')
			   WHEN name = 'level' THEN quote_literal('reader')
			   WHEN name = 'method' THEN quote_literal('GET')
			   WHEN name = 'path' THEN quote_literal('/v1/customers')
			   WHEN f::regproc::text = 'stripe_cancel_refund' AND name = 'id' THEN quote_literal('re_1')
			   WHEN name IN ('payment', 'id') THEN quote_literal('pi_1')
			   WHEN name = 'customer' THEN quote_literal('cus_1')
			   WHEN name = 'payment_method' THEN quote_literal('pm_1')
			   WHEN name = 'objects' THEN quote_literal('customers')
			   WHEN type = 'bigint'::regtype THEN '1000'
			   WHEN type = 'interval'::regtype THEN quote_literal('1 day')
			   WHEN type = 'jsonb'::regtype THEN quote_literal('{}')
			   WHEN type = 'timestamptz'::regtype THEN quote_literal('2026-01-01') || '::timestamptz'
			   WHEN type IN (SELECT t.typarray FROM pg_type t WHERE t.typarray <> 0) THEN format('%L::%s', '{}', type::regtype)
			   WHEN type IN ('text'::regtype, 'bytea'::regtype) THEN format('%L::%s', 'x', type::regtype)
			   ELSE quote_literal('x') END), ', '))
	  FROM (SELECT a.name, a.type, a.n
			  FROM pg_proc p,
				   unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[]) WITH ORDINALITY AS a (name, type, n)
			 WHERE p.oid = f AND (a.n <= p.pronargs - p.pronargdefaults OR a.name = 'account')) x
$$;
SELECT is(pg_temp.as_role('matrix_other', pg_temp.nonsense_call(o.oid, 'tenant a')), '42501', 'another tenant''s admin: ' || pg_temp.nonsense_call(o.oid, 'tenant a'))
  FROM leveled o JOIN pg_proc p ON p.oid = o.oid
 WHERE o.kind = 'function' AND 'account' = ANY (p.proargnames) AND o.level <> 'owner' AND o.name <> 'may_read' ORDER BY o.shown;
SELECT is(pg_temp.as_role('matrix_biller', pg_temp.nonsense_call(o.oid, 'tenant a')), '42501', 'a biller has no part in ' || o.shown)
  FROM leveled o JOIN pg_proc p ON p.oid = o.oid
 WHERE o.kind = 'function' AND o.level = 'admin' ORDER BY o.shown;
SELECT is(pg_temp.as_role('matrix_other', 'SELECT stripe.may_read(''tenant a'')'), 'false', 'may_read says no'),
	   is(pg_temp.as_role('matrix_other', 'SELECT stripe.may_read(''tenant b'')'), 'true', 'or yes'),
	   is(pg_temp.as_role('matrix_other', 'SELECT stripe.may_read(repeat(''a'', 1000))'), 'false', 'and no to what can be no account');

-- A biller may not use a function beyond its level by owning the privilege: a
-- role that has EXECUTE from elsewhere still needs the level.
GRANT EXECUTE ON FUNCTION stripe_refund, stripe_request, stripe_configure, stripe_set_credentials, stripe_grant, stripe_test_connection TO matrix_biller;
SELECT is(pg_temp.as_role('matrix_biller', call), '42501', 'EXECUTE alone does not do: ' || call)
  FROM unnest(ARRAY['SELECT stripe_refund(''pi_1'', account => ''tenant a'')', 'SELECT stripe_request(''GET'', ''/v1/customers'', account => ''tenant a'')',
					'SELECT stripe_request(''POST'', ''/v1/customers'', account => ''tenant a'')', 'SELECT stripe_configure(''tenant a'', grace_days => 1)',
					'SELECT stripe_set_credentials(''tenant a'', secret_key => ''sk_test_abcdefgh1234'')', 'SELECT stripe_grant(''matrix_biller'', ''admin'', ''tenant a'')',
					'SELECT * FROM stripe_test_connection(''tenant a'')']) call;

-- Nobody raises rights beyond an own account.
SELECT is(pg_temp.as_role('matrix_admin', 'SELECT stripe_grant(''matrix_admin'', ''admin'', ''tenant b'')'), '42501', 'an administrator does not take another account'),
	   is(pg_temp.as_role('matrix_admin', 'SELECT stripe_grant(''matrix_admin'', ''admin'', ''*'')'), '42501', 'nor all'),
	   is(pg_temp.as_role('matrix_admin', 'SELECT stripe_revoke(''matrix_other'', ''tenant b'')'), '42501', 'nor another''s rights'),
	   is(pg_temp.as_role('matrix_admin', 'SELECT stripe_configure(''*'')'), '42501', 'nor is "*" an account for it');

--
-- Grants go up and down
--
SELECT is(pg_temp.as_role('matrix_admin', 'SELECT stripe_grant(''matrix_reader'', ''biller'', ''tenant a'') IS NOT NULL'), 'true', 'an administrator raises a reader');
SELECT ok(has_function_privilege('matrix_reader', 'stripe_get_payment(text, jsonb, text)', 'EXECUTE'), 'who may now take payments');
SELECT ok(NOT has_function_privilege('matrix_reader', 'stripe_refund(text, bigint, text, jsonb, jsonb, text, text)', 'EXECUTE'), 'but not refund');
DO $$ BEGIN PERFORM stripe_grant('matrix_reader', 'reader', 'tenant a'); END $$;
SELECT ok(NOT has_function_privilege('matrix_reader', 'stripe_get_payment(text, jsonb, text)', 'EXECUTE'), 'lowered, it may not');
DO $$ BEGIN PERFORM stripe_grant('matrix_reader', 'admin', 'tenant b'); END $$;
SELECT ok(has_function_privilege('matrix_reader', 'stripe_refund(text, bigint, text, jsonb, jsonb, text, text)', 'EXECUTE'), 'the highest of several grants gives the privileges');
SELECT is(pg_temp.as_role('matrix_reader', 'SELECT stripe_configure(''tenant a'')'), '42501', 'but each counts for its account');
SELECT is(stripe_revoke('matrix_reader', 'tenant b'), true, 'a grant is taken back');
SELECT is(stripe_revoke('matrix_reader', 'tenant b'), false, 'once');
SELECT ok(NOT has_function_privilege('matrix_reader', 'stripe_refund(text, bigint, text, jsonb, jsonb, text, text)', 'EXECUTE'), 'and the privileges with it');
SELECT is(pg_temp.as_role('matrix_reader', 'SELECT count(DISTINCT account) FROM stripe.payments'), '1', 'what is left counts');
DO $$
BEGIN
	PERFORM stripe_revoke(r.role, t.tenant) FROM roles r, unnest('{tenant a,tenant b,*}'::text[]) t (tenant) WHERE r.rank < 4;
END
$$;
REVOKE EXECUTE ON FUNCTION stripe_refund, stripe_request, stripe_configure, stripe_set_credentials, stripe_grant, stripe_test_connection FROM matrix_biller;
DELETE FROM stripe.grants WHERE role = 'matrix_nobody'::regrole;
SELECT is((SELECT array_agg(o.shown) FROM leveled o WHERE has_function_privilege(r.role, o.oid, 'EXECUTE')), NULL, 'without grants there is no function for ' || r.role)
  FROM roles r WHERE r.rank < 4;
SELECT is((SELECT array_agg(o.shown) FROM with_account o WHERE has_any_column_privilege(r.role, o.oid, 'SELECT')), NULL, 'nor a table for ' || r.role)
  FROM roles r WHERE r.rank < 4;
SELECT is(pg_temp.as_role(r.role, 'SELECT count(*) FROM stripe.payments'), '42501', 'nor a row for ' || r.role)
  FROM roles r WHERE r.rank < 4;
SELECT lives_ok(format('DROP ROLE %I', r.role), 'nothing keeps the role ' || r.role)
  FROM roles r WHERE r.role NOT IN ('matrix_biller', 'matrix_super');

SELECT throws_ok($$SELECT stripe_grant('no such role', 'reader', 'tenant a')$$, '42704');
SELECT throws_ok($$SELECT stripe_grant(NULL, 'reader', 'tenant a')$$, '22023');
SELECT throws_ok($$SELECT stripe_grant('matrix_biller', NULL, 'tenant a')$$, '22023');
SELECT throws_ok($$SELECT stripe_grant('matrix_biller', 'owner', 'tenant a')$$, '22023');
SELECT throws_ok($$SELECT stripe_grant('matrix_biller', 'reader', '')$$, '22023');
SELECT throws_ok($$SELECT stripe_revoke('no such role', 'tenant a')$$, '42704');
SELECT throws_ok($$SELECT stripe_revoke(NULL, 'tenant a')$$, '22023');

SELECT * FROM finish();
ROLLBACK;
