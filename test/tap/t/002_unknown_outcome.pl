# 002_unknown_outcome.pl
#	  When a request has left and its answer has not come, the outcome is
#	  reported as unknown, with the idempotency key under which Stripe will say
#	  what became of it.  Nothing is ever charged twice.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $UUID    = qr/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/;
my $fake    = start_fake_stripe();
my $node    = new_node(fake => $fake);
my $session = $node->session;
my $control = $node->session;
my $ever    = { type => 'lost_answer' };

sub last_error
{
	return decode_json($session->sql('SELECT stripe_last_error()')->{stdout});
}

# A payment, by a key of the caller's or by one that is made for it.
sub charge
{
	my ($amount, $key) = @_;
	my $with = defined $key ? ", idempotency_key => '$key'" : '';
	return "SELECT stripe_create_intent($amount, 'usd', payment_method => 'pm_card_visa', confirm => true,"
	  . " return_url => 'https://shop.test/paid'$with)->>'id'";
}

sub charges
{
	my ($amount) = @_;
	return grep { $_->{amount} == $amount } @{ $fake->books->{charge} // [] };
}

# The answer a caller gets who repeats a call with its key.
sub check_repeated
{
	my ($what, $amount, $key) = @_;
	$fake->clear_faults;
	$fake->clear_requests;
	my $again = $session->sql(charge($amount, $key));
	ok($again->{ok}, "$what: the call repeated with its key works") or diag $again->{stderr};
	my @charges = charges($amount);
	is(scalar @charges, 1, "$what: one charge in Stripe's books");
	is($again->{stdout}, $charges[0]{payment_intent}, "$what: the answer is the payment of that charge");
	my @sent = $fake->requests;
	is(scalar @sent, 1, "$what: repeated by one request");
	is($sent[0]{headers}{'idempotency-key'}, $key, "$what: with the same key");
	return;
}

#
# The answer is lost after the work was done.
#
foreach my $given (0, 1)
{
	my $amount = 1000 + $given;
	my $what   = $given ? "lost answer, caller's key" : 'lost answer, key made for the call';
	my $key    = $given ? "order-$amount" : undef;

	$fake->clear_requests;
	$fake->fault($ever, method => 'POST', count => 20);
	$session->sql('SET memberpulse_stripe.max_retries = 0');
	my $lost = $session->sql(charge($amount, $key));
	$session->sql('RESET memberpulse_stripe.max_retries');
	is($lost->{sqlstate}, '08007', "$what: SQLSTATE 08007");
	is($lost->{message}, 'lost the connection to the Stripe API', "$what: message");
	like($lost->{detail}, qr/The request was sent, so its outcome is unknown\.$/, "$what: detail");

	my ($sent) = $fake->requests;
	$key //= $sent->{headers}{'idempotency-key'};
	like($key, qr/^$UUID$/, "$what: a random key") unless $given;
	is($lost->{hint}, "Repeat the call with idempotency_key => '$key': Stripe then answers what became of it.", "$what: hint");
	like($lost->{context}, qr{^Stripe request POST /v1/payment_intents, whose outcome is unknown; repeat it with idempotency key "\Q$key\E"},
		"$what: context");

	my $error = last_error();
	is($error->{sqlstate}, '08007', "$what: stripe_last_error() has the SQLSTATE");
	is($error->{idempotency_key}, $key, "$what: stripe_last_error() has the key");
	ok($error->{outcome_unknown}, "$what: stripe_last_error() says that the outcome is unknown");
	is($error->{type}, 'api_connection_error', "$what: stripe_last_error() has the type");
	check_repeated($what, $amount, $key);
}

#
# Canceled while it hangs, before the work or after it.
#
foreach my $type ('hang_headers', 'hang_body')
{
	my $amount = $type eq 'hang_body' ? 1102 : 1101;
	my $key    = "cancel-$amount";

	$fake->clear_requests;
	$fake->fault({ type => $type }, method => 'POST');
	$session->send(charge($amount, $key));
	wait_until(sub { $fake->requests(fault => $type) == 1 });
	$control->sql('SELECT pg_cancel_backend(' . $session->pid . ')');
	my $canceled = $session->result;
	is($canceled->{sqlstate}, '57014', "canceled in $type: SQLSTATE 57014");
	is($canceled->{message}, 'canceling statement due to user request', "canceled in $type: message");
	like($canceled->{context}, qr{^Stripe request POST /v1/payment_intents, whose outcome is unknown; repeat it with idempotency key "$key"},
		"canceled in $type: context");
	my $error = last_error();
	is($error->{sqlstate}, '57014', "canceled in $type: stripe_last_error() has the SQLSTATE");
	is($error->{idempotency_key}, $key, "canceled in $type: stripe_last_error() has the key");
	ok($error->{outcome_unknown}, "canceled in $type: stripe_last_error() says that the outcome is unknown");
	is(scalar charges($amount), $type eq 'hang_body' ? 1 : 0, "canceled in $type: the work was as far as this");
	check_repeated("canceled in $type", $amount, $key);
}

# A key is made before the request is sent, and a time-out of the statement
# tells it as a cancel does.
$fake->clear_requests;
$fake->fault({ type => 'hang_body' }, method => 'POST');
$session->sql("SET statement_timeout = '500ms'");
my $late = $session->sql(charge(1103));
$session->sql('RESET statement_timeout');
my ($sent) = $fake->requests;
my $key = $sent->{headers}{'idempotency-key'};
is($late->{sqlstate}, '57014', 'statement_timeout: SQLSTATE 57014');
like($late->{context}, qr/whose outcome is unknown; repeat it with idempotency key "\Q$key\E"/, 'statement_timeout: context');
check_repeated('statement_timeout', 1103, $key);

# Stripe did not answer in time: unknown for a POST, and for a GET a failure.
foreach my $method ('POST', 'GET')
{
	$fake->clear_requests;
	$fake->fault({ type => 'hang_headers' }, method => $method, count => 5);
	$session->sql("SET memberpulse_stripe.timeout = '400ms'");
	my $result = $session->sql($method eq 'POST' ? charge(1104, 'late-1104') : q{SELECT stripe_request('GET', '/v1/customers')});
	$session->sql('RESET memberpulse_stripe.timeout');
	is($result->{sqlstate}, $method eq 'POST' ? '08007' : '08006', "$method not answered in time: SQLSTATE");
	is($result->{message}, 'the Stripe API did not answer in time', "$method not answered in time: message");
	like($result->{detail}, qr/^After 1 attempt: the request timed out while waiting for the answer\./, "$method not answered in time: detail");
	if ($method eq 'POST') { check_repeated('POST not answered in time', 1104, 'late-1104') }
	else { is(last_error()->{outcome_unknown}, JSON::PP::false, 'GET not answered in time: nothing is unknown') }
	$fake->clear_faults;
}

# An answer cut in its middle: the connection was closed, which makes it no
# whole answer, or lost.
foreach my $type ('truncated', 'reset_mid_body')
{
	my $amount = $type eq 'truncated' ? 1105 : 1106;
	$fake->fault({ type => $type }, method => 'POST', count => 20);
	$session->sql('SET memberpulse_stripe.max_retries = 0');
	my $cut = $session->sql(charge($amount, "cut-$amount"));
	$session->sql('RESET memberpulse_stripe.max_retries');
	is($cut->{sqlstate}, $type eq 'truncated' ? 'ST011' : '08007', "POST whose answer is cut ($type): SQLSTATE");
	ok(last_error()->{outcome_unknown}, "POST whose answer is cut ($type): stripe_last_error() says that the outcome is unknown");
	like($cut->{context}, qr/whose outcome is unknown; repeat it with idempotency key "cut-$amount"/, "POST whose answer is cut ($type): context");
	check_repeated("POST whose answer is cut ($type)", $amount, "cut-$amount");
}

# With retries, the caller does not notice.
$fake->clear_requests;
$fake->fault($ever, method => 'POST');
my $quiet = $session->sql(charge(1107));
ok($quiet->{ok}, 'a lost answer is asked for again') or diag $quiet->{stderr};
my @keys = map { $_->{headers}{'idempotency-key'} } $fake->requests;
cmp_ok(scalar @keys, '>=', 2, 'a lost answer is asked for again: two requests');
is_deeply([ map { $_ eq $keys[0] } @keys ], [ (1) x @keys ], 'a lost answer is asked for again: with the same key');
is(scalar charges(1107), 1, 'a lost answer is asked for again: one charge');

#
# A failure inside Stripe leaves the outcome unknown too, and has its own
# SQLSTATE.  A cancel in the back-off after it is the same.
#
$fake->clear_requests;
$fake->fault({ type => 'status_after_work', headers => { 'Retry-After' => '20' } }, method => 'POST', count => 20);
$session->send(charge(1108, 'failed-1108'));
wait_until(sub { $fake->requests(status => 500) == 1 });
$control->sql('SELECT pg_cancel_backend(' . $session->pid . ')');
my $canceled = $session->result;
is($canceled->{sqlstate}, '57014', 'canceled after HTTP status 500: SQLSTATE 57014');
like($canceled->{context}, qr/whose outcome is unknown; repeat it with idempotency key "failed-1108"/,
	'canceled after HTTP status 500: context');
check_repeated('canceled after HTTP status 500', 1108, 'failed-1108');

$fake->fault({ type => 'status_after_work' }, method => 'POST', count => 20);
$session->sql('SET memberpulse_stripe.max_retries = 0');
my $failed = $session->sql(charge(1109, 'failed-1109'));
$session->sql('RESET memberpulse_stripe.max_retries');
is($failed->{sqlstate}, 'ST008', 'HTTP status 500: SQLSTATE ST008');
like($failed->{hint}, qr/with the same idempotency key/, 'HTTP status 500: hint');
like($failed->{context}, qr/idempotency key "failed-1109"/, 'HTTP status 500: context has the key');
ok(last_error()->{outcome_unknown}, 'HTTP status 500: stripe_last_error() says that the outcome is unknown');
check_repeated('HTTP status 500', 1109, 'failed-1109');

# What is known is not called unknown: in a back-off after an answer that
# executed nothing, the context has the key and no more.
$fake->clear_requests;
$fake->fault({ type => 'rate_limit', retry_after => 20 }, method => 'POST', count => 20);
$session->send(charge(1110, 'limited-1110'));
wait_until(sub { $fake->requests(status => 429) == 1 });
$control->sql('SELECT pg_cancel_backend(' . $session->pid . ')');
my $limited = $session->result;
is($limited->{sqlstate}, '57014', 'canceled while limited: SQLSTATE 57014');
like($limited->{context}, qr{^Stripe request POST /v1/payment_intents with idempotency key "limited-1110"}, 'canceled while limited: context');
is(last_error()->{outcome_unknown}, JSON::PP::false, 'canceled while limited: nothing is unknown');
$fake->clear_faults;

#
# Nothing sent, or nothing that could have had an effect.
#
$fake->fault($ever, method => 'GET', count => 20);
$session->sql('SET memberpulse_stripe.max_retries = 0');
my $get = $session->sql(q{SELECT stripe_request('GET', '/v1/customers')});
is($get->{sqlstate}, '08006', 'GET whose answer is lost: SQLSTATE 08006');
is($get->{context}, 'Stripe request GET /v1/customers', 'GET whose answer is lost: context');
my $error = last_error();
is($error->{outcome_unknown}, JSON::PP::false, 'GET whose answer is lost: nothing is unknown');
is($error->{idempotency_key}, undef, 'GET whose answer is lost: no key');
$fake->clear_faults;

my $port = do
{
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "listen: $!";
	$socket->sockport;
};
foreach my $base ("https://127.0.0.1:$port", "http://127.0.0.1:$port")
{
	$session->sql("SET memberpulse_stripe.api_base = '$base'");
	my $refused = $session->sql(charge(1111, 'refused-1111'));
	(my $scheme) = $base =~ /^(\w+)/;
	is($refused->{sqlstate}, '08001', "connection refused, $scheme: SQLSTATE 08001");
	is($refused->{message}, 'could not connect to the Stripe API', "connection refused, $scheme: message");
	like($refused->{hint}, qr/network, DNS and firewall/, "connection refused, $scheme: hint");
	unlike($refused->{stderr}, qr/unknown/, "connection refused, $scheme: nothing is unknown");
	is(last_error()->{outcome_unknown}, JSON::PP::false, "connection refused, $scheme: nor in stripe_last_error()");
}
$session->sql('RESET memberpulse_stripe.api_base');
is(scalar charges(1111), 0, 'connection refused: nothing is charged');

# stripe_try_request() reports the same without raising it.
$fake->fault($ever, method => 'POST', count => 20);
my $try = $session->sql(
	q{SELECT ok, http_status IS NULL, body->>'sqlstate', body->>'idempotency_key', body->>'outcome_unknown'
		FROM stripe_try_request('POST', '/v1/customers', idempotency_key => 'try-1')});
is($try->{stdout}, 'f|t|08007|try-1|true', 'stripe_try_request() of a lost answer');
$fake->clear_faults;

is($session->sql(q{SELECT stripe_request('GET', '/v1/customers')->>'object'})->{stdout}, 'list', 'the session is as good as new');
done_testing();
