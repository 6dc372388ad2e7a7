# Where calls go is the administrator's to say: no ordinary role redirects
# them or changes a protected setting, before or after the library is loaded.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $evil = start_fake_stripe();      # whatever arrives here went astray
my $node = new_node(fake => $fake, conf => "memberpulse_stripe.max_retries = 0");
my $admin = $node->session;
my $CALL  = q{SELECT stripe_request('GET', '/v1/customers') ->> 'object'};

value($admin, q{CREATE ROLE ordinary LOGIN; GRANT CREATE ON SCHEMA public TO ordinary; GRANT CREATE, TEMP ON DATABASE postgres TO ordinary});
value($admin, q{SELECT stripe_grant('ordinary', 'admin')});

my %EVIL = (
	api_base          => $evil->https,
	ca_file           => $evil->ca,
	api_version       => '2024-04-10',
	max_response_size => '200MB',
	credentials_file  => '/etc/passwd');
my %GOOD = map { $_ => value($admin, "SELECT stripe_last_error() IS NULL; SELECT current_setting('memberpulse_stripe.$_')") =~ s/\A[tf]\n//r } keys %EVIL;
is($GOOD{api_base}, $fake->https, 'the configured address');

#
# After the library is loaded.
#
my $o = $node->session(user => 'ordinary');
is(value($o, $CALL), 'list', 'an ordinary role that may call, calls');
foreach my $name (sort keys %EVIL)
{
	my $denied = $name eq 'credentials_file' ? '55P02' : '42501';
	raises($o, "SET memberpulse_stripe.$name = '$EVIL{$name}'", $denied, "SET $name");
	raises($o, "SELECT set_config('memberpulse_stripe.$name', '$EVIL{$name}', false)", $denied, "set_config $name");
	raises($o, "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql SET memberpulse_stripe.$name = '$EVIL{$name}' AS 'SELECT 1'", $denied, "a function with $name");
	raises($o, "ALTER ROLE ordinary SET memberpulse_stripe.$name = '$EVIL{$name}'", $denied, "ALTER ROLE SET $name");
	raises($o, "ALTER SYSTEM SET memberpulse_stripe.$name = '$EVIL{$name}'", '42501', "ALTER SYSTEM SET $name");
}
is(value($o, $CALL), 'list', 'calls go on');

# A superuser may, but for the file, which is the configuration's.
value($admin, "SET memberpulse_stripe.$_ = '$GOOD{$_}'") foreach grep { $_ ne 'credentials_file' } keys %EVIL;
pass('a superuser may set what a superuser may set');
value($admin, 'RESET ALL');

# The others are anyone's.
value($o, q{SET memberpulse_stripe.timeout = '5s'; SET memberpulse_stripe.connect_timeout = '2s'; SET memberpulse_stripe.max_retries = 1;
	SET memberpulse_stripe.account = 'default'});
is(value($o, $CALL), 'list', 'timeouts and retries are anyone\'s to set');

#
# Before it is loaded: a value of a placeholder must not come into force.
#
foreach my $name (sort keys %EVIL)
{
	my $set = "memberpulse_stripe.$name = '$EVIL{$name}'";
	foreach my $way (
		[ 'SET', "SET $set" ],
		[ 'SET LOCAL', "BEGIN; SET LOCAL $set" ],
		[ 'set_config', "SELECT set_config('memberpulse_stripe.$name', '$EVIL{$name}', false)" ],
		[ 'SET in a subtransaction', "BEGIN; SAVEPOINT a; SET $set; RELEASE a" ],
		[ 'a function\'s SET', "CREATE OR REPLACE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql SET $set AS \$\$ $CALL \$\$; SELECT pg_temp.f()" ])
	{
		my ($what, $sql) = @$way;
		my $session = $node->session(user => 'ordinary');
		$session->sql($_) foreach split /; /, $sql;
		$session->sql('ROLLBACK') if ($session->sql($CALL)->{sqlstate} // '') eq '25P02';
		my $r = $session->sql($CALL);
		ok($r->{ok}, "$what $name before the first call: the call goes where it should") or diag($r->{stderr});
		next if $name eq 'credentials_file';    # which this role may not even see
		is(value($session, "SHOW memberpulse_stripe.$name"), $GOOD{$name}, "$what $name: and the setting is the configured one");
		$session->quit;
	}
}

# The first call of a session, after a look at where it would go: never to the
# built-in address, which is not on this machine.
sub check_configured
{
	my ($session, $how) = @_;
	value($session, 'SELECT stripe_last_error()');
	foreach my $name (qw(api_base ca_file api_version max_response_size))
	{
		is(value($session, "SHOW memberpulse_stripe.$name"), $GOOD{$name}, "$how: $name is the configured one");
	}
  SKIP:
	{
		skip 'the call would go elsewhere', 1 if value($session, 'SHOW memberpulse_stripe.api_base') ne $GOOD{api_base};
		ok($session->sql($CALL)->{ok}, "$how: the call goes where it should");
	}
	return;
}

# By connection options.
{
	local $ENV{PGOPTIONS} = join ' ', map { "-c memberpulse_stripe.$_=$EVIL{$_}" } sort grep { $_ ne 'credentials_file' } keys %EVIL;
	my $session = $node->session(user => 'ordinary');
	check_configured($session, 'by connection options');
}

# By the role's own defaults, if the server lets it have them.
my $fresh = $node->session(user => 'ordinary');
$fresh->sql("ALTER ROLE ordinary SET memberpulse_stripe.$_ = '$EVIL{$_}'") foreach keys %EVIL;
check_configured($node->session(user => 'ordinary'), 'by the role\'s defaults');
value($admin, 'ALTER ROLE ordinary RESET ALL');

# By what a superuser left behind for a role.
my $session = $node->session;
value($session, q{SET memberpulse_stripe.account = 'default'});
value($session, "SET ROLE ordinary");
$session->sql("SET memberpulse_stripe.api_base = '$EVIL{api_base}'");
is(value($session, $CALL), 'list', 'SET ROLE: the call goes where it should');
is(value($session, 'SHOW memberpulse_stripe.api_base'), $GOOD{api_base}, 'SET ROLE: an ordinary role sets no address');

# A name that is misspelt is refused once the library is there.
raises($o, q{SET memberpulse_stripe.api_bse = 'x'}, '42602', 'a misspelt name', message => qr/invalid configuration parameter name/);

is(scalar($evil->requests), 0, 'nothing went to the other server');
is($evil->connections->{opened}, 0, 'nobody even called there');

#
# The caller's search_path, temporary tables, operators and casts are not ours.
#
value($o, q{CREATE SCHEMA trap});
value($o, q{CREATE TABLE trap.caught (what text)});
foreach my $table (qw(payments payment_intents charges customers payment_states))
{
	value($o, "CREATE TEMP TABLE $table (account text, livemode boolean, id text, payment_intent text, data jsonb, as_of timestamptz, deleted boolean)");
}
value($o, q{
	CREATE FUNCTION trap.catch(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
	CREATE OPERATOR trap.= (FUNCTION = trap.catch, LEFTARG = text, RIGHTARG = text);
	CREATE OPERATOR trap.|| (FUNCTION = trap.catch, LEFTARG = text, RIGHTARG = text);
	CREATE FUNCTION trap.coalesce(bigint, bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
	CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
	CREATE FUNCTION trap.json_text(jsonb, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
	SET search_path = trap, pg_temp, public, pg_catalog});
my $id = value($o, q{SELECT stripe_create_intent(2500, payment_method => 'pm_card_visa', confirm => true, return_url => 'https://club.example/') ->> 'id'});
like($id, qr/^pi_/, 'a call by a role that laid traps');
is(value($o, qq{SELECT stripe_refund('$id', 100) ->> 'amount'}), '100', 'and another');
is(value($admin, "SELECT status FROM stripe.payments WHERE payment_intent = '$id'"), 'partially_refunded', 'is recorded where it belongs');
is(value($o, 'SHOW search_path'), 'trap, pg_temp, public, pg_catalog', 'the caller\'s search_path is as it was');
is(value($o, 'SELECT current_user'), 'ordinary', 'and so is the caller');
foreach my $denied (
	q{SELECT stripe_reseal()}, q{SELECT sealed FROM stripe.credentials}, q{SELECT * FROM stripe.homes}, q{UPDATE stripe.payments SET status = 'refunded'},
	q{DELETE FROM stripe.customers}, q{TRUNCATE stripe.access_audit}, q{INSERT INTO stripe.grants SELECT}, q{SELECT nextval('stripe.receipt_number')},
	q{CREATE TABLE stripe.mine ()}, q{ALTER TABLE stripe.payments DISABLE ROW LEVEL SECURITY})
{
	raises($o, $denied, '42501', "not for this role: $denied");
}
raises($o, qq{SELECT stripe_refund('$id', 9999)}, 'ST003', 'after an error');
is(value($o, 'SELECT current_user'), 'ordinary', 'the caller is still the caller');
raises($o, q{UPDATE stripe.payments SET status = 'refunded'}, '42501', 'with no more rights than before');

requests_ok($fake);
done_testing();
