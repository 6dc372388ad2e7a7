# 093_traps.pl
#	  Nothing of the caller's runs with the extension's rights, or instead of
#	  what the extension meant: operators, functions, types and tables of the
#	  same names, in schemas put before the server's own and in pg_temp.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Keys;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake, preload => 1);
configure($node, master_key_file => master_key_file($node, 'first'));
my $s = $node->session;
value($s, q{CREATE ROLE mallory LOGIN; GRANT CREATE, TEMP ON DATABASE postgres TO mallory; GRANT CREATE ON SCHEMA public TO mallory; CREATE ROLE victim LOGIN;
	SELECT stripe_configure('org1'); SELECT stripe_set_credentials('org1', secret_key => 'sk_test_mallory00001', webhook_secret => 'whsec_mallory0000001');
	SELECT stripe_grant('mallory', 'admin', 'org1')});

#
# The traps: whatever is caught says so, and as whom
#
my @operators = qw(= <> < > <= >= || + - * / ~ !~ @> <@ -> ->> ? && ~~);
my @types     = qw(text jsonb boolean integer bigint oid name bytea interval timestamptz regrole numeric);
my @catalog   = split ' ', q{now clock_timestamp count max sum bool_or array_position cardinality octet_length to_jsonb jsonb_build_object jsonb_agg format quote_ident
	current_setting set_config inet_client_addr pg_control_system pg_get_userbyid nextval to_char lpad upper lower length greatest coalesce exists unnest
	json_text json_key json_ref json_part json_time json_bigint json_boolean may_read livemode list_rows endpoint_path sync_privileges forget_cached keep_last_customer};
my @tables = split ' ', q{accounts credentials grants access_audit homes payments payment_states payment_intents charges refunds disputes customers payment_methods
	setup_intents pg_class pg_proc pg_namespace pg_depend pg_extension pg_policy pg_attribute pg_roles pg_authid pg_database pg_type pg_operator};

sub lay_traps
{
	my ($session, $schema) = @_;
	my @sql = (
		"CREATE FUNCTION $schema.caught(what pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS \$\$ BEGIN RAISE WARNING 'caught: % as %', what, current_user; RETURN true; END \$\$",
		"GRANT EXECUTE ON FUNCTION $schema.caught(pg_catalog.text) TO PUBLIC");
	foreach my $type (@types)
	{
		my $own = "pg_catalog." . ({ boolean => 'bool', integer => 'int4', bigint => 'int8' }->{$type} // $type);
		foreach my $operator (@operators)
		{
			my $function = "$schema.\"trap $type $operator\"";
			push @sql, "CREATE FUNCTION $function($own, $own) RETURNS pg_catalog.bool LANGUAGE sql AS \$\$ SELECT $schema.caught('$operator of $type') \$\$",
			  "CREATE OPERATOR $schema.$operator (FUNCTION = $function, LEFTARG = $own, RIGHTARG = $own)";
		}
	}
	foreach my $function (@catalog)
	{
		foreach my $arguments ('', 'VARIADIC pg_catalog.anyarray', 'pg_catalog.anyelement', 'pg_catalog.text, pg_catalog.text', 'pg_catalog.text, VARIADIC pg_catalog._text', 'pg_catalog.text, pg_catalog.bool', 'pg_catalog.jsonb, pg_catalog.text', 'pg_catalog._text, pg_catalog.text', 'pg_catalog.oid', 'pg_catalog.timestamptz, pg_catalog.text', 'pg_catalog.text')
		{
			push @sql, "CREATE FUNCTION $schema.\"$function\"($arguments) RETURNS pg_catalog.text LANGUAGE sql AS \$\$ SELECT $schema.caught('$function()')::pg_catalog.text \$\$";
		}
	}
	push @sql, "CREATE TABLE $schema.$_ (account pg_catalog.text DEFAULT $schema.caught('default')::pg_catalog.text, livemode pg_catalog.bool, id pg_catalog.text, data pg_catalog.jsonb)"
	  . "; CREATE FUNCTION $schema.\"on $_\"() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN PERFORM $schema.caught('table $_'); RETURN NEW; END \$\$"
	  . "; CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON $schema.$_ FOR EACH STATEMENT EXECUTE FUNCTION $schema.\"on $_\"()"
	  foreach @tables;
	# Last: from here on these names mean something else.
	foreach my $type (grep { $_ !~ /^(?:boolean|integer|bigint|interval|numeric)$/ } @types, 'regclass', 'regprocedure', 'int4', 'int8', 'bool', 'char')
	{
		push @sql, "CREATE DOMAIN $schema.\"$type\" AS pg_catalog.\"$type\" CHECK ($schema.caught('type $type'))";
	}
	my $done = 0;
	foreach my $sql (@sql)
	{
		my $r = $session->sql($sql);
		$done++ if $r->{ok};
	}
	return $done;
}

my $m = $node->session(user => 'mallory');
value($m, 'CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO PUBLIC; SET client_min_messages = error');
my $made = lay_traps($m, 'trap');
cmp_ok($made, '>', 600, "traps are laid: $made");
value($m, 'GRANT ALL ON ALL TABLES IN SCHEMA trap TO PUBLIC; RESET client_min_messages');

# They work, which is why the rest means something.
sub caught { my ($r) = @_; return join '; ', map { $_->{message} } grep { $_->{message} =~ /^caught/ } @{ $r->{notices} } }
like(caught($m->sql(q{SET search_path = trap, pg_catalog; SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text})), qr/^caught: = of text as mallory$/, 'an operator is caught');
like(caught($m->sql(q{SELECT now()})), qr/caught: now\(\) as mallory/, 'a function is');
like(caught($m->sql(q{SELECT 'a'::text})), qr/caught: type text as mallory/, 'a type is');
like(caught($m->sql(q{INSERT INTO payments VALUES ('a')})), qr/caught: table payments as mallory/, 'a table is');
value($m, 'RESET search_path');

#
# Every function, by the one who laid the traps, and by a superuser whose path
# leads through them.  Statements are written so that nothing of their own can
# be caught.
#
my $n = 0;

sub calls
{
	my ($member) = ++$n;
	return (
		[ q{SELECT public.stripe_configure('org1', 'test', 'usd', 'exclusive', 'ORG', '{card}', 3, '1 day')} ],
		[ q{SELECT public.stripe_set_credentials('org1', 'test', 'pk_test_mallory00001', 'sk_test_mallory00002', 'whsec_mallory0000002', '1 hour')} ],
		[ q{SELECT public.stripe_grant('victim', 'biller', 'org1')} ],
		[ q{SELECT public.stripe_grant('victim', 'admin', 'org1')} ],
		[ q{SELECT public.stripe_revoke('victim', 'org1')} ],
		[ q{SELECT public.stripe_create_intent(2500, payment_method => 'pm_card_visa', confirm => true, return_url => 'https://club.example/', order_type => 'event', order_id => 'T-1', account => 'org1') OPERATOR(pg_catalog.->>) 'id' AS pi}, 'pi' ],
		[ q{SELECT public.stripe_get_payment(:'pi', account => 'org1')} ],
		[ q{SELECT public.stripe_refund(:'pi', 100, account => 'org1')} ],
		[ q{SELECT public.stripe_refund(:'pi', account => 'org1')} ],
		[ qq{SELECT public.stripe_ensure_customer('m-$member', 'a\@club.example', account => 'org1') OPERATOR(pg_catalog.->>) 'id' AS cus}, 'cus' ],
		[ qq{SELECT public.stripe_ensure_customer('m-$member', 'b\@club.example', account => 'org1')} ],
		[ q{SELECT public.stripe_update_customer(:'cus', name => 'Ada', account => 'org1')} ],
		[ q{SELECT public.stripe_attach_payment_method('pm_card_visa', :'cus', account => 'org1') OPERATOR(pg_catalog.->>) 'id' AS pm}, 'pm' ],
		[ q{SELECT public.stripe_set_default_payment_method(:'cus', :'pm', account => 'org1')} ],
		[ q{SELECT public.stripe_list_payment_methods(:'cus', account => 'org1')} ],
		[ q{SELECT public.stripe_detach_payment_method(:'pm', account => 'org1')} ],
		[ q{SELECT public.stripe_list('/v1/customers', account => 'org1')} ],
		[ q{SELECT public.stripe_search('customers', 'email:"a"', account => 'org1')} ],
		[ q{SELECT public.stripe_delete_customer(:'cus', account => 'org1')} ],
		[ q{SELECT public.stripe_create_setup_intent(account => 'org1')} ],
		[ q{SELECT public.stripe_request('GET', '/v1/customers', account => 'org1')} ],
		[ q{SELECT ok FROM public.stripe_try_request('GET', '/v1/customers', account => 'org1')} ],
		[ q{SELECT status FROM public.stripe_order_status('event', 'T-1', 'org1')} ],
		[ q{SELECT public.stripe_last_error()} ],
		[ q{SELECT stripe.livemode('org1')} ],
		[ q{SELECT stripe.may_read('org1')} ],
		[ q{SELECT ok FROM public.stripe_test_connection('org1')} ],
		[ q{SELECT status FROM stripe.payment_states} ],
		[ q{SELECT last_four FROM stripe.credential_status} ]);
}

my @owner = (
	[ q{SELECT public.stripe_adopt()} ],
	[ q{SELECT public.stripe_reseal()} ],
	[ q{SELECT public.stripe_prune_audit('100 years')} ],
	[ q{SELECT stripe.protect_tables()} ],
	[ q{SELECT stripe.required_levels()} ],
	[ q{SELECT stripe.sync_privileges(r.oid) FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) 'victim'} ]);

sub run_all
{
	my ($session, $path, $who, @more) = @_;
	my %got = (pi => 'pi_none', cus => 'cus_none', pm => 'pm_none');
	value($session, "SET search_path = $path");
	foreach my $call (calls(), @more)
	{
		my ($sql, $as) = @$call;
		my $what = $sql;
		$sql =~ s/:'(\w+)'/'$got{$1}'/g;
		my $r = $session->sql($sql);
		ok($r->{ok}, "$who, $path: $what") or diag($r->{stderr});
		is(caught($r), '', "$who, $path: catches nothing: $what");
		$got{$as} = $r->{stdout} if defined $as && $r->{ok};
	}
	value($session, 'RESET search_path');
	return;
}

run_all($m, $_, 'mallory') foreach 'trap, pg_catalog', 'trap';
run_all($s, $_, 'a superuser', @owner) foreach 'trap, pg_catalog', 'trap';

# pg_temp is looked through first for tables and types, unless it is listed.
my $t = $node->session(user => 'mallory');
value($t, 'SET client_min_messages = error');
my $temp = lay_traps($t, 'pg_temp');
cmp_ok($temp, '>', 600, "traps in pg_temp: $temp");
value($t, 'RESET client_min_messages');
like(caught($t->sql(q{SELECT 'a'::text})), qr/caught: type text as mallory/, 'a type in pg_temp is caught without any path');
run_all($t, $_, 'mallory, pg_temp', ) foreach 'public', 'pg_temp, pg_catalog';

#
# Who the caller is stays as it was, also after errors in the middle
#
is(value($m, 'SELECT current_user, session_user, current_setting(\'search_path\')'), 'mallory|mallory|"$user", public', 'mallory is mallory');
foreach my $sql (
	q{SELECT stripe_configure('org1', currency => 'nonsense')},
	q{SELECT stripe_grant('nobody here', 'reader', 'org1')},
	q{SELECT stripe_set_credentials('org1', secret_key => 'nonsense')},
	q{SELECT stripe_create_intent(1, account => 'org1')},
	q{SELECT stripe_refund('pi_none', account => 'org1')})
{
	ok(!$m->sql($sql)->{ok}, "an error: $sql");
	is(value($m, 'SELECT current_user, session_user, current_setting(\'search_path\')'), 'mallory|mallory|"$user", public', 'and still');
	value($m, "DO \$\$ BEGIN PERFORM " . ($sql =~ s/^SELECT //r) . '; EXCEPTION WHEN OTHERS THEN NULL; END $$');
	is(value($m, 'SELECT current_user, current_setting(\'search_path\')'), 'mallory|"$user", public', 'caught in a block');
	is($m->sql('SELECT sealed FROM stripe.credentials')->{sqlstate}, '42501', 'with no more rights');
}

# An order by an object of mallory's own that the extension's owner evaluates.
is($m->sql('CREATE TRIGGER t BEFORE INSERT ON stripe.payments FOR EACH ROW EXECUTE FUNCTION trap."on payments"()')->{sqlstate}, '42501', 'mallory makes no trigger on the tables');
is($m->sql('CREATE RULE r AS ON INSERT TO stripe.payments DO ALSO SELECT 1')->{sqlstate}, '42501', 'nor a rule');
is($m->sql('CREATE INDEX ON stripe.payments ((trap.caught(status)))')->{sqlstate}, '42501', 'nor an index');
is($m->sql('CREATE POLICY p ON stripe.payments USING (true)')->{sqlstate}, '42501', 'nor a policy');
is($m->sql('ALTER FUNCTION stripe.may_read(text) OWNER TO mallory')->{sqlstate}, '42501', 'nor takes a function');
is($m->sql('CREATE OR REPLACE FUNCTION public.stripe_adopt() RETURNS boolean LANGUAGE sql AS $$ SELECT true $$')->{sqlstate}, '42501', 'nor replaces one');
is($m->sql('CREATE FUNCTION stripe.may_read(varchar) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$')->{sqlstate}, '42501', 'nor adds one beside it');

my @log = grep { /WARNING:\s+(?:\w+:\s+)?caught/ } split /\n/, slurp_file($node->logfile);
is(scalar(grep { !/as mallory/ } @log), 0, 'nothing was ever caught as anyone but mallory') or diag(join "\n", @log);
unlike(slurp_file($node->logfile), qr/was terminated by signal|PANIC/, 'the server lived through it');
$_->quit foreach $m, $s, $t;
done_testing();
