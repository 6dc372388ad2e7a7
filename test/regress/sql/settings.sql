--
-- Settings: what they accept, who may set them.  The values configured for the
-- server under test are not known here, so none is shown.
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;
SELECT stripe_last_error();

SELECT name, vartype, unit, min_val, max_val, context, boot_val
  FROM pg_settings WHERE name LIKE 'memberpulse\_stripe.%' ORDER BY name COLLATE "C";
-- Each says what it is for, and none but these exists.
SELECT count(*) FROM pg_settings
 WHERE name LIKE 'memberpulse\_stripe.%' AND short_desc !~ '^[A-Z].*\.$';
SET memberpulse_stripe.api_bse = 'x';
SHOW memberpulse_stripe.secret_key;

--
-- api_base: https, or loopback; a host and a port, nothing else
--
SET memberpulse_stripe.api_base = 'https://api.stripe.com';
SET memberpulse_stripe.api_base = 'https://api.stripe.com:443';
SET memberpulse_stripe.api_base = 'https://127.0.0.1:12111';
SET memberpulse_stripe.api_base = 'https://[2001:db8::1]:443';
SET memberpulse_stripe.api_base = 'http://127.0.0.1:12111';
SET memberpulse_stripe.api_base = 'http://localhost';
SET memberpulse_stripe.api_base = 'http://[::1]:12111';
SHOW memberpulse_stripe.api_base;
SET memberpulse_stripe.api_base = 'http://api.stripe.com';
SET memberpulse_stripe.api_base = 'http://127.0.0.1.evil.example';
SET memberpulse_stripe.api_base = 'http://localhost.evil.example';
SET memberpulse_stripe.api_base = 'http://localhost@evil.example';
SET memberpulse_stripe.api_base = 'http://127.0.0.2';
SET memberpulse_stripe.api_base = 'http://[::2]';
SET memberpulse_stripe.api_base = 'https://user:secret@api.stripe.com';
SET memberpulse_stripe.api_base = 'https://api.stripe.com/';
SET memberpulse_stripe.api_base = 'https://api.stripe.com/v1';
SET memberpulse_stripe.api_base = 'https://api.stripe.com?x';
SET memberpulse_stripe.api_base = 'https://api.stripe.com#x';
SET memberpulse_stripe.api_base = 'https://api.stripe.com:';
SET memberpulse_stripe.api_base = 'https://api.stripe.com:123456';
SET memberpulse_stripe.api_base = 'https://api.stripe.com:44a';
SET memberpulse_stripe.api_base = 'https://';
SET memberpulse_stripe.api_base = 'https://[::1';
SET memberpulse_stripe.api_base = 'https://api stripe.com';
SET memberpulse_stripe.api_base = E'https://api.stripe.com\nHost: evil.example';
SET memberpulse_stripe.api_base = 'HTTPS://api.stripe.com';
SET memberpulse_stripe.api_base = 'ftp://api.stripe.com';
SET memberpulse_stripe.api_base = 'file:///etc/passwd';
SET memberpulse_stripe.api_base = 'api.stripe.com';
SET memberpulse_stripe.api_base = '';
-- What was refused changed nothing.
SHOW memberpulse_stripe.api_base;
RESET memberpulse_stripe.api_base;

--
-- api_version: goes into a header
--
SET memberpulse_stripe.api_version = '2024-04-10';
SET memberpulse_stripe.api_version = '2026-10-28.endive';
SET memberpulse_stripe.api_version = '2026-10-28.endive; feature_beta=v1';
SET memberpulse_stripe.api_version = '2024-04-10;feature_beta=v1';
SET memberpulse_stripe.api_version = '';
SET memberpulse_stripe.api_version = 'newest';
SET memberpulse_stripe.api_version = E'2024-04-10\r\nStripe-Account: acct_1';
SET memberpulse_stripe.api_version = '2024-04-10 x';
DO $$ BEGIN PERFORM set_config('memberpulse_stripe.api_version', repeat('2024-04-10', 7), false);
EXCEPTION WHEN invalid_parameter_value THEN RAISE WARNING '70 characters are refused'; END $$;
RESET memberpulse_stripe.api_version;

--
-- account
--
SET memberpulse_stripe.account = 'north';
SELECT stripe_request('GET', '/v1/customers');
SELECT stripe_create_customer();
SELECT stripe_create_intent(2500);
SELECT stripe_list('/v1/customers');
SELECT ok FROM stripe_try_request('GET', '/v1/customers');
SELECT stripe_get_payment('pi_1', account => 'south');
SET memberpulse_stripe.account = '';
DO $$ BEGIN PERFORM set_config('memberpulse_stripe.account', repeat('n', 64), false);
EXCEPTION WHEN invalid_parameter_value THEN RAISE WARNING '64 characters are refused'; END $$;
SELECT length(set_config('memberpulse_stripe.account', repeat('n', 63), false));
RESET memberpulse_stripe.account;
SHOW memberpulse_stripe.account;

--
-- Numbers, with units
--
SET memberpulse_stripe.timeout = '2min';
SHOW memberpulse_stripe.timeout;
SET memberpulse_stripe.timeout = 1500;
SHOW memberpulse_stripe.timeout;
SET memberpulse_stripe.timeout = 0;
SET memberpulse_stripe.timeout = -1;
SET memberpulse_stripe.timeout = '11min';
SET memberpulse_stripe.connect_timeout = '5s';
SET memberpulse_stripe.connect_timeout = 0;
SET memberpulse_stripe.max_retries = 0;
SET memberpulse_stripe.max_retries = 10;
SET memberpulse_stripe.max_retries = 11;
SET memberpulse_stripe.max_retries = -1;
SET memberpulse_stripe.max_response_size = '1kB';
SET memberpulse_stripe.max_response_size = '256MB';
SET memberpulse_stripe.max_response_size = '257MB';
SET memberpulse_stripe.max_response_size = 0;
-- The configuration file's alone.
SET memberpulse_stripe.credentials_file = '/etc/passwd';
RESET ALL;
SET client_min_messages = warning;

--
-- Who may set what
--
CREATE ROLE regress_mp_ordinary;
SET ROLE regress_mp_ordinary;
SET memberpulse_stripe.api_base = 'https://evil.example';
SET memberpulse_stripe.api_version = '2024-04-10';
SET memberpulse_stripe.ca_file = '/tmp/evil.pem';
SET memberpulse_stripe.max_response_size = '256MB';
SET memberpulse_stripe.credentials_file = '/tmp/evil';
SELECT set_config('memberpulse_stripe.api_base', 'https://evil.example', true);
SET LOCAL memberpulse_stripe.api_base = 'https://evil.example';
DO $$ BEGIN PERFORM current_setting('memberpulse_stripe.credentials_file');
EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING 'credentials_file is not shown'; END $$;
SET memberpulse_stripe.timeout = '5s';
SET memberpulse_stripe.connect_timeout = '5s';
SET memberpulse_stripe.max_retries = 1;
SET memberpulse_stripe.account = 'north';
RESET ROLE;
RESET ALL;

-- A superuser may let a role have more.
GRANT SET ON PARAMETER memberpulse_stripe.max_response_size TO regress_mp_ordinary;
SET ROLE regress_mp_ordinary;
SET memberpulse_stripe.max_response_size = '20MB';
SHOW memberpulse_stripe.max_response_size;
SET memberpulse_stripe.api_base = 'https://evil.example';
RESET ROLE;
REVOKE SET ON PARAMETER memberpulse_stripe.max_response_size FROM regress_mp_ordinary;

--
-- Before the library is loaded a setting is any role's; with the library it
-- must not keep such a value.  Where the library is preloaded, setting it is
-- refused at once, so both outcomes are told apart only by the value.
--
\c -
SET client_min_messages = error;
SET ROLE regress_mp_ordinary;
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY '{api_base,api_version,ca_file,credentials_file,max_response_size}'::text[] LOOP
		BEGIN
			PERFORM set_config('memberpulse_stripe.' || name,
				CASE name WHEN 'api_base' THEN 'https://evil.example' WHEN 'api_version' THEN '2000-01-01'
					WHEN 'max_response_size' THEN '12345' ELSE '/tmp/evil' END, false);
		EXCEPTION WHEN insufficient_privilege OR cant_change_runtime_param THEN
			NULL;
		END;
	END LOOP;
END $$;
RESET ROLE;
SELECT stripe_last_error();
SELECT name FROM pg_settings
 WHERE name LIKE 'memberpulse\_stripe.%' AND setting IN ('https://evil.example', '2000-01-01', '12345', '/tmp/evil');

DROP ROLE regress_mp_ordinary;
