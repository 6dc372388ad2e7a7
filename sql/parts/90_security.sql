--
-- Who may use what.  Nothing is granted to PUBLIC; stripe_grant() gives a role
-- what its level needs, and row security limits that to its accounts.
--

CREATE FUNCTION stripe.required_levels(OUT object text, OUT kind text, OUT level text)
RETURNS SETOF record
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
AS $$
	VALUES
		-- see what is there
		('stripe_last_error', 'function', 'reader'),
		('stripe_order_status', 'function', 'reader'),
		('livemode', 'function', 'reader'),
		('may_read', 'function', 'reader'),
		('json_text', 'function', 'reader'),
		('json_key', 'function', 'reader'),
		('json_ref', 'function', 'reader'),
		('json_boolean', 'function', 'reader'),
		('json_bigint', 'function', 'reader'),
		('json_numeric', 'function', 'reader'),
		('json_time', 'function', 'reader'),
		('json_part', 'function', 'reader'),
		('json_time_min', 'function', 'reader'),
		('json_time_max', 'function', 'reader'),
		('json_sum_bigint', 'function', 'reader'),
		('form_encode', 'function', 'reader'),
		('stripe_membership_active', 'function', 'reader'),
		('stripe_membership', 'function', 'reader'),
		('membership_state', 'function', 'reader'),
		('membership_status', 'function', 'reader'),
		('membership_json', 'function', 'reader'),
		-- take payments
		('stripe_create_intent', 'function', 'biller'),
		('stripe_update_intent', 'function', 'biller'),
		('stripe_confirm_intent', 'function', 'biller'),
		('stripe_capture_intent', 'function', 'biller'),
		('stripe_cancel_intent', 'function', 'biller'),
		('stripe_get_payment', 'function', 'biller'),
		('stripe_create_customer', 'function', 'biller'),
		('stripe_ensure_customer', 'function', 'biller'),
		('stripe_update_customer', 'function', 'biller'),
		('stripe_delete_customer', 'function', 'biller'),
		('stripe_create_setup_intent', 'function', 'biller'),
		('stripe_attach_payment_method', 'function', 'biller'),
		('stripe_detach_payment_method', 'function', 'biller'),
		('stripe_set_default_payment_method', 'function', 'biller'),
		('stripe_list_payment_methods', 'function', 'biller'),
		('stripe_list', 'function', 'biller'),
		('stripe_search', 'function', 'biller'),
		('list_rows', 'function', 'biller'),
		('endpoint_path', 'function', 'biller'),
		('stripe_verify_webhook', 'function', 'biller'),
		('stripe_webhook_is_valid', 'function', 'biller'),
		('stripe_ingest_webhook', 'function', 'biller'),
		('stripe_ingest_webhooks', 'function', 'biller'),
		('stripe_retry_events', 'function', 'biller'),
		('stripe_refetch', 'function', 'biller'),
		('stripe_link_membership', 'function', 'biller'),
		-- configure, refund, and anything else
		('stripe_ingest_events', 'function', 'admin'),
		('stripe_replay_event', 'function', 'admin'),
		('stripe_override_membership', 'function', 'admin'),
		('stripe_refund', 'function', 'admin'),
		('stripe_cancel_refund', 'function', 'admin'),
		('stripe_request', 'function', 'admin'),
		('stripe_try_request', 'function', 'admin'),
		('stripe_configure', 'function', 'admin'),
		('stripe_set_credentials', 'function', 'admin'),
		('stripe_grant', 'function', 'admin'),
		('stripe_revoke', 'function', 'admin'),
		('stripe_test_connection', 'function', 'admin'),
		('stripe_doctor', 'function', 'admin'),
		('key_state', 'function', 'admin'),
		('is_copy', 'function', 'admin'),
		-- superusers and the owner
		('stripe_reseal', 'function', 'owner'),
		('stripe_adopt', 'function', 'owner'),
		('stripe_prune', 'function', 'owner'),
		('stripe_prune_audit', 'function', 'owner'),
		('json_has_client_secret', 'function', 'owner'),
		('json_without_client_secret', 'function', 'owner'),
		('keep_last_customer', 'function', 'owner'),
		('forget_cached', 'function', 'owner'),
		('required_levels', 'function', 'owner'),
		('sync_privileges', 'function', 'owner'),
		('protect_tables', 'function', 'owner'),
		-- tables that are not for readers; all others are
		('homes', 'table', 'owner'),
		('credentials', 'table', 'owner'),
		('grants', 'table', 'admin')
$$;
REVOKE ALL ON FUNCTION stripe.required_levels() FROM PUBLIC;
COMMENT ON FUNCTION stripe.required_levels() IS
	'The level that each function needs, and each table that readers may not see.';

CREATE FUNCTION stripe.sync_privileges(role oid)
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rolename text := pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(role));
	rank integer;
	levels CONSTANT text[] := '{reader,biller,admin}';
	what record;
BEGIN
	SELECT max(array_position(levels, g.level)) INTO rank
	  FROM stripe.grants g WHERE g.role::oid = sync_privileges.role;

	FOR what IN
		SELECT format('FUNCTION %s', p.oid::regprocedure) AS object,
			   'EXECUTE' AS privilege,
			   array_position(levels, l.level) AS needed
		  FROM pg_proc p
		  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		  JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
		  JOIN stripe.required_levels() l ON l.kind = 'function' AND l.object = p.proname
		 WHERE e.extname = 'memberpulse_stripe'
		UNION ALL
		SELECT format('TABLE stripe.%I', c.relname), 'SELECT',
			   array_position(levels, COALESCE(l.level, 'reader'))
		  FROM pg_class c
		  LEFT JOIN stripe.required_levels() l ON l.kind = 'table' AND l.object = c.relname
		 WHERE c.relnamespace = 'stripe'::regnamespace AND c.relkind IN ('r', 'p', 'v')
		UNION ALL
		SELECT DISTINCT format('SCHEMA %I', n.nspname), 'USAGE', 1
		  FROM pg_extension e
		  JOIN pg_namespace n ON n.nspname = 'stripe' OR n.oid = e.extnamespace
		 WHERE e.extname = 'memberpulse_stripe'
		   AND (n.nspname = 'stripe' OR NOT has_schema_privilege(role, n.oid, 'USAGE'))
	LOOP
		IF rank >= what.needed THEN
			EXECUTE format('GRANT %s ON %s TO %s', what.privilege, what.object, rolename);
		ELSIF what.object = 'SCHEMA stripe' OR what.privilege <> 'USAGE' THEN
			EXECUTE format('REVOKE %s ON %s FROM %s', what.privilege, what.object, rolename);
		END IF;
	END LOOP;

	IF rank >= 1 THEN
		EXECUTE format('GRANT SELECT (account, livemode, purpose, serial, last_four, set_at, set_by, expires_at, key_id)'
					   ' ON stripe.credentials TO %s', rolename);
	ELSE
		EXECUTE format('REVOKE SELECT (account, livemode, purpose, serial, last_four, set_at, set_by, expires_at, key_id)'
					   ' ON stripe.credentials FROM %s', rolename);
	END IF;
END
$$;
REVOKE ALL ON FUNCTION stripe.sync_privileges(oid) FROM PUBLIC;
COMMENT ON FUNCTION stripe.sync_privileges(oid) IS
	'Gives a role the privileges that the highest of its grants needs and takes the others away.';

--
-- Row security on every table that has an account.  Should a policy be missing,
-- nobody but superusers sees any row of that table.
--

CREATE FUNCTION stripe.protect_tables()
RETURNS void
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t record;
BEGIN
	FOR t IN
		SELECT c.relname,
			   EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'own_account') AS has_policy
		  FROM pg_class c
		  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account' AND NOT a.attisdropped
		 WHERE c.relnamespace = 'stripe'::regnamespace AND c.relkind IN ('r', 'p')
	LOOP
		EXECUTE format('ALTER TABLE stripe.%I ENABLE ROW LEVEL SECURITY', t.relname);
		IF NOT t.has_policy THEN
			EXECUTE format('CREATE POLICY own_account ON stripe.%I USING (stripe.may_read(account))', t.relname);
		END IF;
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION stripe.protect_tables() FROM PUBLIC;
COMMENT ON FUNCTION stripe.protect_tables() IS
	'Enables row security on every table that has an account, and makes the policy where it is missing.';

SELECT stripe.protect_tables();
