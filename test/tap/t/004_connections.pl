# 004_connections.pl
#	  A session keeps its connection to Stripe, and a server that closes it
#	  costs one silent reconnect: no error, and nothing done twice.

use strict;
use warnings;

use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $CALLS = 1000;
my $fake  = start_fake_stripe();
my $node  = new_node(fake => $fake);

my $setup    = $node->session;
my $customer = $setup->sql(q{SELECT stripe_create_customer(name => 'Ada')->>'id'})->{stdout};
$setup->quit;

sub connections
{
	my $now = $fake->connections;
	return { map { $_ => $now->{$_} } qw(opened tls_handshakes resumed open) };
}

sub difference
{
	my ($before, $after) = @_;
	return { map { $_ => $after->{$_} - $before->{$_} } qw(opened tls_handshakes) };
}

# A connection that the fake has closed and the backend has not, state 08.
sub half_closed
{
	my ($number) = $fake->https =~ /:(\d+)$/;
	my $port = sprintf '%04X', $number;
	return scalar grep { /^\s*\d+: \w+:\w+ \w+:$port 08 / } split /\n/, slurp_file('/proc/net/tcp');
}

sub one_connection { return { opened => 1, tls_handshakes => 1 } }

wait_until(sub { $fake->connections->{open} == 0 }, 30, 'the connection to close with its session');
pass('a session that ends closes its connection');

#
# A thousand calls, of which some fail and some write.
#
my $session = $node->session;
my $before  = connections();
$fake->clear_requests;
my $done = $session->sql(<<"SQL");
DO \$\$
DECLARE
	failed int := 0;
BEGIN
	FOR i IN 1 .. $CALLS LOOP
		BEGIN
			IF i % 10 = 1 THEN
				PERFORM stripe_request('GET', '/v1/customers/cus_none');
			ELSIF i % 10 = 2 THEN
				PERFORM stripe_request('POST', '/v1/customers/$customer', jsonb_build_object('description', i::text));
			ELSIF i % 10 = 3 THEN
				PERFORM stripe_create_intent(2000, 'usd', payment_method => 'pm_card_chargeDeclined', confirm => true,
											 return_url => 'https://shop.test/paid');
			ELSE
				PERFORM stripe_request('GET', '/v1/customers/$customer');
			END IF;
		EXCEPTION WHEN SQLSTATE 'ST001' OR SQLSTATE 'ST003' THEN
			failed := failed + 1;
		END;
	END LOOP;
	IF failed <> $CALLS / 5 THEN
		RAISE EXCEPTION '% calls failed', failed;
	END IF;
END
\$\$
SQL
ok($done->{ok}, "$CALLS calls, of which one in five was refused") or diag $done->{stderr};
is_deeply(difference($before, connections()), one_connection(), "$CALLS calls used one connection and one TLS handshake");
my @requests = $fake->requests;
is(scalar @requests, $CALLS, "$CALLS calls sent as many requests");
my %ids = map { $_->{connection} => 1 } @requests;
is(scalar keys %ids, 1, "all of them went over one connection");

# Transactions have no connections of their own, aborted ones neither.
$before = connections();
$session->sql("BEGIN; SELECT stripe_request('GET', '/v1/customers/$customer'); SELECT 1/0; ROLLBACK; SELECT stripe_request('GET', '/v1/customers/$customer')");
is_deeply(difference($before, connections()), { opened => 0, tls_handshakes => 0 }, 'a rollback keeps the connection');

# Over plain HTTP to loopback as well.
$session->sql("SET memberpulse_stripe.api_base = '" . $fake->http . q{'});
$before = connections();
$session->sql("SELECT count(stripe_request('GET', '/v1/customers/$customer')) FROM generate_series(1, 20)");
is_deeply(difference($before, connections()), { opened => 1, tls_handshakes => 0 }, 'plain HTTP: one connection');

# Back at the first address the first connection is still there.
$before = connections();
$session->sql('RESET memberpulse_stripe.api_base');
$session->sql("SELECT stripe_request('GET', '/v1/customers/$customer')");
is_deeply(difference($before, connections()), { opened => 0, tls_handshakes => 0 }, 'an address used before: no new connection');

#
# The server closes the idle connection.  That must cost no retry that anyone
# allowed, so there are none, and no waiting.
#
sub charge
{
	my ($amount) = @_;
	return "SELECT stripe_create_intent($amount, 'usd', payment_method => 'pm_card_visa', confirm => true,"
	  . " return_url => 'https://shop.test/paid')->>'status'";
}

sub charges
{
	my ($amount) = @_;
	return scalar grep { $_->{amount} == $amount } @{ $fake->books->{charge} // [] };
}

# As often as this, for libcurl resends a request that a kept connection
# swallowed, but keeps count and has enough after five.
my $TRIES = 8;

# A call on a new connection, which the fake closes after its answer.
sub call_and_close
{
	my ($what) = @_;
	$fake->admin_delete('/connections');
	wait_until(sub { $fake->connections->{open} == 0 });
	$fake->fault({ type => 'close_idle' });
	my $first = $session->sql("SELECT stripe_request('GET', '/v1/customers/$customer')");
	ok($first->{ok}, "$what: the call before is answered") or diag $first->{stderr};
	return;
}

$session->sql('SET memberpulse_stripe.max_retries = 0');
my $amount = 3000;
foreach my $try (1 .. $TRIES)
{
	my $what = "idle connection closed, $try";
	$amount++;
	call_and_close($what);
	wait_until(\&half_closed, 30, 'the fake to close');

	$before = connections();
	$fake->clear_requests;
	my $next;
	my $took = milliseconds(sub { $next = $session->sql(charge($amount)) });
	is($next->{stdout}, 'succeeded', "$what: the next call works") or diag $next->{stderr};
	is_deeply($next->{notices}, [], "$what: silently");
	is_deeply(difference($before, connections()), one_connection(), "$what: one new connection");

	# A TLS connection that says goodbye looks alive until it is written to, so
	# the request may go out twice.
	my @keys = map { $_->{headers}{'idempotency-key'} } $fake->requests;
	is_deeply(\@keys, [ ($keys[0]) x @keys ], "$what: one idempotency key");
	cmp_ok(scalar @keys, '<=', 2, "$what: at most two requests");
	is(charges($amount), 1, "$what: charged once");
	cmp_ok($took, '<', 400, "$what: without a back-off");
}

# The next call comes while the connection is being closed, so it may find it
# open, half closed or gone.
foreach my $try (1 .. 10)
{
	my $what = "connection closed meanwhile, $try";
	$amount++;
	call_and_close($what);
	my $next = $session->sql(charge($amount));
	is($next->{stdout}, 'succeeded', "$what: the next call works") or diag $next->{stderr};
	is_deeply($next->{notices}, [], "$what: silently");
	is(charges($amount), 1, "$what: charged once");
}
$fake->clear_faults;

# Whether the server hands out a ticket in time is its own affair, so not each.
cmp_ok($fake->connections->{resumed}, '>=', 1, 'a reconnect can resume the TLS session');

# Everything closed at once, while nobody looks.
$fake->admin_delete('/connections');
wait_until(sub { $fake->connections->{open} == 0 });
$before = connections();
is($session->sql(charge(3100))->{stdout}, 'succeeded', 'all connections closed: the next call works');
is_deeply(difference($before, connections()), one_connection(), 'all connections closed: one new connection');
is(charges(3100), 1, 'all connections closed: charged once');

#
# The close crosses the next request on the way: the request is sent, and the
# connection is gone.  "reset" is before the work was done, "lost_answer"
# after it.  Either way the request goes out again, once, with its key.
#
foreach my $type ('reset', 'lost_answer')
{
	$amount = $type eq 'reset' ? 3200 : 3201;
	$session->sql("SELECT stripe_request('GET', '/v1/customers/$customer')");
	$fake->clear_requests;
	$before = connections();
	$fake->fault({ type => $type }, method => 'POST');
	my $crossed = $session->sql(charge($amount));
	is($crossed->{stdout}, 'succeeded', "$type on a kept connection: the call works") or diag $crossed->{stderr};
	is_deeply($crossed->{notices}, [], "$type on a kept connection: silently");
	my @sent = $fake->requests;
	is(scalar @sent, 2, "$type on a kept connection: two requests");
	is($sent[1]{headers}{'idempotency-key'}, $sent[0]{headers}{'idempotency-key'}, "$type on a kept connection: the same key");
	is($sent[1]{body_base64}, $sent[0]{body_base64}, "$type on a kept connection: the same bytes");
	is_deeply(difference($before, connections()), one_connection(), "$type on a kept connection: one new connection");
	is(charges($amount), 1, "$type on a kept connection: charged once");
}

done_testing();
