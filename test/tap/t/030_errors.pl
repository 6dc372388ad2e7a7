# Every class of error: SQLSTATE, message, detail, hint, context, and the
# machine's view in stripe_last_error().

use strict;
use warnings;

use JSON::PP;
use MemberPulse::Checks;
use MemberPulse::Test;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $s    = $node->session;
my $KEY  = 'sk_test_fakeSecretKeyForTests0001';

# A session that calls with another key: the key is the server's.
sub with_key
{
	my ($key, $work) = @_;
	$node->server_env(STRIPE_SECRET_KEY => $key, STRIPE_PUBLISHABLE_KEY => undef);
	$node->restart;
	my $session = $node->session;
	$work->($session);
	$session->quit;
	return;
}

sub last_error
{
	my ($session, @members) = @_;
	return value($session, 'SELECT ' . join(', ', map { "e ->> '$_'" } @members) . ' FROM stripe_last_error() e');
}

# One answer with this status and error.
sub answer
{
	my ($status, $error, %headers) = @_;
	$fake->fault({ type => 'status', status => $status, headers => \%headers,
			body => ref $error ? { error => { type => 'invalid_request_error', %$error } } : $error });
	return;
}

# No retries, unless a test is about them.
value($s, 'SET memberpulse_stripe.max_retries = 0');

#
# ST001, ST002: the card. Groups of decline codes are in 031_declines.pl.
#
my $pay = q{SELECT stripe_create_intent(2500, return_url => 'https://club.example/', confirm => true, payment_method => '%s'%s)};
raises($s, sprintf($pay, 'pm_card_chargeDeclined', ''), 'ST001', 'ST001: card declined',
	message => qr/^the payment was declined$/,
	detail  => qr/^Stripe said: Your card was declined\.  Stripe answered with HTTP status 402: type card_error, code card_declined, decline code generic_decline, payment intent pi_\w+, charge ch_\w+, request req_\w+\.$/,
	context => qr{^Stripe request POST /v1/payment_intents with idempotency key "[0-9a-f-]{36}"});
is(last_error($s, qw(sqlstate http_status code decline_code)), 'ST001|402|card_declined|generic_decline', 'ST001: as data');

# The same payment is then confirmed with another card, not made anew.
my $intent = value($s, q{SELECT stripe_last_error() ->> 'payment_intent'});
is(value($s, qq{SELECT stripe_confirm_intent('$intent', payment_method => 'pm_card_visa', return_url => 'https://club.example/') ->> 'status'}),
	'succeeded', 'ST001: the intent it names can be confirmed with another card');

my $customer = value($s, q{SELECT stripe_create_customer() ->> 'id'});
raises($s, sprintf($pay, 'pm_card_authenticationRequired', qq{, off_session => true, customer => '$customer'}), 'ST002',
	'ST002: authentication required',
	message => qr/^the customer's bank asks for authentication$/,
	hint    => qr/^Bring the customer back and confirm the same payment intent with them present\.$/);
is(last_error($s, qw(sqlstate code)), 'ST002|authentication_required', 'ST002: as data');
$intent = value($s, q{SELECT stripe_last_error() ->> 'payment_intent'});
like($intent, qr/^pi_/, 'ST002: names the intent to confirm');
foreach my $code (qw(payment_intent_action_required payment_intent_authentication_failure setup_intent_authentication_failure
	invoice_payment_intent_requires_action subscription_payment_intent_requires_action))
{
	answer(402, { type => 'card_error', code => $code, message => 'No.' });
	raises($s, q{SELECT stripe_create_customer()}, 'ST002', "ST002: $code", hint => qr/customer/);
}
raises($s, sprintf($pay, 'pm_card_threeDSecure2Required', q{, params => '{"error_on_requires_action": true, "automatic_payment_methods":
	{"enabled": true, "allow_redirects": "never"}}'}), 'ST002', 'ST002: where an action is not wanted');

#
# ST003: the request.
#
raises($s, q{SELECT stripe_request('POST', '/v1/customers', '{"emial": "x"}')}, 'ST003', 'ST003: an unknown parameter',
	message => qr/^Stripe refused the request$/, detail => qr/parameter_unknown, parameter emial, request req_/,
	hint => qr/^Correct the argument that the detail names/);
raises($s, q{SELECT stripe_create_intent(10)}, 'ST003', 'ST003: too little',
	message => qr/^the amount is below Stripe's minimum for the currency$/, hint => qr/^Charge at least the minimum/);
raises($s, q{SELECT stripe_create_intent(1000, params => '{"payment_method_types": ["card"]}')}, 'ST003', 'ST003: a parameter of older versions',
	message => qr/^this API version does not take payment_method_types$/, hint => qr/allowed_payment_method_types/);
raises($s, q{SELECT stripe_request('GET', '/v1/nothing')}, 'ST003', 'ST003: no such path', message => qr/^Stripe has no such object$/);
answer(404, { code => 'some_new_code', message => 'News' });
raises($s, q{SELECT stripe_get_payment('pi_1')}, 'ST003', 'ST003: a code no one knows yet', detail => qr/^Stripe said: News\.  .*code some_new_code/);

#
# ST006: idempotency.
#
value($s, q{SELECT stripe_create_customer(name => 'a', idempotency_key => 'one')});
raises($s, q{SELECT stripe_create_customer(name => 'b', idempotency_key => 'one')}, 'ST006', 'ST006: a key with other parameters',
	message => qr/^this idempotency key was used before with other parameters$/);
$fake->fault({ type => 'key_in_use' }, path => '/v1/customers');
raises($s, q{SELECT stripe_create_customer(name => 'a', idempotency_key => 'two')}, 'ST006', 'ST006: a key in use',
	message => qr/^another request with this idempotency key is still running$/, hint => qr/same idempotency key in a few seconds/);

#
# ST007: rate limits.
#
$fake->fault({ type => 'rate_limit' }, path => '/v1/customers');
raises($s, q{SELECT stripe_create_customer()}, 'ST007', 'ST007: rate limit', message => qr/^Stripe limited the rate of requests$/,
	hint => qr/the request was not carried out/);
answer(429, '', 'Stripe-Rate-Limited-Reason' => 'endpoint-concurrency', 'Content-Type' => 'text/plain');
raises($s, q{SELECT stripe_create_customer()}, 'ST007', 'ST007: without a body', message => qr/^Stripe limited/);
is(last_error($s, qw(http_status code)), '429|endpoint-concurrency', 'ST007: the reason is in its header');
$fake->fault({ type => 'lock_timeout' }, path => '/v1/customers');
raises($s, q{SELECT stripe_create_customer()}, 'ST007', 'ST007: a lock', message => qr/^the object is locked by another request$/);
answer(400, { code => 'rate_limit', message => 'Slow down' });
raises($s, q{SELECT stripe_create_customer()}, 'ST007', 'ST007: the old way, with 400');

#
# ST008: Stripe failed; whether it did the work is unknown.
#
foreach my $status (500, 502, 503, 504)
{
	$fake->fault({ type => 'server_error', status => $status, should_retry => JSON::PP::false }, path => '/v1/customers');
	raises($s, qq{SELECT stripe_create_customer(idempotency_key => 'five-$status')}, 'ST008', "ST008: $status",
		message => qr/^Stripe could not complete the request$/, hint => qr/^Call again with the same idempotency key/,
		context => qr/idempotency key "five-$status"/);
	is(last_error($s, qw(outcome_unknown idempotency_key)), "true|five-$status", "ST008: $status: as data");
}
answer(502, '<html>Bad gateway</html>', 'Content-Type' => 'text/html');
raises($s, q{SELECT stripe_create_customer()}, 'ST008', 'ST008: a proxy\'s answer', message => qr/^Stripe could not complete/);
$fake->fault({ type => 'server_error', should_retry => JSON::PP::false }, path => '/v1/customers');
raises($s, q{SELECT stripe_request('GET', '/v1/customers')}, 'ST008', 'ST008: a GET');
is(last_error($s, qw(outcome_unknown idempotency_key)), 'false|', 'ST008: which leaves nothing unknown');

#
# ST011: answers that are not Stripe's.
#
my %bad = (
	garbage            => qr/it is not valid JSON/,
	wrong_content_type => qr/it is not of type application\/json/,
	empty              => qr/it is empty/,
	invalid_utf8       => qr/it is not valid UTF-8/,
	deep               => qr/it is nested too deeply/);
foreach my $type (sort keys %bad)
{
	$fake->fault({ type => $type }, path => '/v1/customers');
	raises($s, qq{SELECT stripe_create_customer(idempotency_key => 'bad-$type')}, 'ST011', "ST011: $type",
		message => qr/^the answer of the Stripe API is not usable$/, detail => qr/^Stripe answered with HTTP status 200, but $bad{$type}.*: request req_/,
		hint => qr/^Repeat the call with idempotency_key => 'bad-$type'/);
	is(last_error($s, 'outcome_unknown'), 'true', "ST011: $type: its outcome is unknown");
	like(value($s, qq{SELECT stripe_create_customer(idempotency_key => 'bad-$type') ->> 'id'}), qr/^cus_/,
		"ST011: $type: the call repeated with its key answers");
}
$fake->fault({ type => 'redirect' }, path => '/v1/customers');
raises($s, q{SELECT stripe_request('GET', '/v1/customers')}, 'ST011', 'ST011: a redirect is not followed',
	message => qr/^Stripe answered with a redirect, which is not followed$/, hint => qr/memberpulse_stripe\.api_base/);
answer(200, '[1, 2]');
raises($s, q{SELECT stripe_request('GET', '/v1/customers')}, 'ST011', 'ST011: an array', detail => qr/it is not a JSON object/);
answer(418, { message => 'teapot' });
raises($s, q{SELECT stripe_request('GET', '/v1/customers')}, 'ST011', 'ST011: a status Stripe does not use',
	message => qr/^Stripe answered with an unexpected status$/);
$fake->fault({ type => 'huge', size => 3 * 1024 * 1024 }, path => '/v1/customers');
value($s, q{SET memberpulse_stripe.max_response_size = '1MB'});
raises($s, q{SELECT stripe_request('GET', '/v1/customers')}, 'ST011', 'ST011: too large',
	message => qr/^the answer of the Stripe API is (?:not usable|too large)$/, detail => qr/larger than/, hint => qr/memberpulse_stripe\.max_response_size/);
value($s, q{RESET memberpulse_stripe.max_response_size});

#
# ST012: the other mode.
#
answer(404, { code => 'resource_missing', message => q{No such payment_intent: 'pi_1'; a similar object exists in live mode, but a test mode key was used to make this request.} });
raises($s, q{SELECT stripe_get_payment('pi_1')}, 'ST012', 'ST012: an id of the other mode', message => qr/^the object belongs to the other mode$/,
	hint => qr/^Use the key of the mode in which the object was made\.$/);
answer(400, { code => 'livemode_mismatch', message => 'No' });
raises($s, q{SELECT stripe_get_payment('pi_1')}, 'ST012', 'ST012: by its code');
value($s, qq{SELECT stripe_update_customer('$customer', name => 'Test')});
$fake->fault({ type => 'status', status => 200, body => { object => 'customer', id => $customer, livemode => JSON::PP::true, name => 'Live' } });
raises($s, qq{SELECT stripe_request('GET', '/v1/customers/$customer')}, 'ST012', 'ST012: a live object in an answer to a test key',
	message => qr/^object "$customer" is of the live mode$/, detail => qr/^Account "default" is in test mode\.$/);
is(value($s, qq{SELECT name, livemode FROM stripe.customers WHERE id = '$customer'}), 'Test|f', 'ST012: and the mirror is as it was');

#
# 08001, 08006, 08007.
#
my $t = $node->session;
value($t, 'SET memberpulse_stripe.max_retries = 0');
$fake->admin_delete('/connections');
$fake->fault({ type => 'reset_accept' }, count => 3);
raises($t, q{SELECT stripe_create_customer()}, '08001', '08001: no connection',
	message => qr/^could not connect to the Stripe API$/, hint => qr/network, DNS and firewall/, detail => qr/^After \d attempts?: /);
is(last_error($t, qw(type outcome_unknown)), 'api_connection_error|false', '08001: nothing was sent');
$fake->clear_faults;
value($t, q{SELECT stripe_request('GET', '/v1/customers')});
value($t, q{SET memberpulse_stripe.timeout = '300ms'});
$fake->fault({ type => 'hang_headers' }, path => '/v1/customers');
raises($t, q{SELECT stripe_request('GET', '/v1/customers')}, '08006', '08006: a GET without an answer',
	message => qr/^the Stripe API did not answer in time$/, hint => qr/memberpulse_stripe\.timeout/);
$fake->fault({ type => 'hang_headers', work => JSON::PP::true }, path => '/v1/customers');
raises($t, q{SELECT stripe_create_customer(name => 'once', idempotency_key => 'eight')}, '08007', '08007: a POST without an answer',
	detail  => qr/The request was sent, so its outcome is unknown\.$/,
	hint    => qr/^Repeat the call with idempotency_key => 'eight': Stripe then answers what became of it\.$/,
	context => qr{^Stripe request POST /v1/customers, whose outcome is unknown; repeat it with idempotency key "eight"});
is(last_error($t, qw(sqlstate outcome_unknown idempotency_key)), '08007|true|eight', '08007: as data');
value($t, q{RESET memberpulse_stripe.timeout});
like(value($t, q{SELECT stripe_create_customer(name => 'once', idempotency_key => 'eight') ->> 'id'}), qr/^cus_/, '08007: repeated with its key');
is(scalar(grep { ($_->{name} // '') eq 'once' } @{ $fake->books->{customer} }), 1, '08007: it was done once');
$t->quit;

# 57014: a cancel says the same.
$fake->fault({ type => 'hang_headers' }, path => '/v1/customers');
raises($s, q{SET statement_timeout = '300ms'; SELECT stripe_create_customer(idempotency_key => 'cancel')}, '57014', '57014: a cancelled POST',
	context => qr/whose outcome is unknown; repeat it with idempotency key "cancel"/);
value($s, 'RESET statement_timeout');
is(last_error($s, qw(sqlstate outcome_unknown idempotency_key)), '57014|true|cancel', '57014: as data');

#
# ST004, ST005: the key.  No message repeats it, nor what Stripe shows of it.
#
$fake->register_key(key => 'sk_test_revokedKey00000001', status => 'revoked');
$fake->register_key(key => 'sk_test_expiredKey00000001', status => 'expired');
$fake->register_key(key => 'rk_test_restrictedKey00001', permissions => { customers => 'read' });
my @keys = (
	[ 'sk_test_revokedKey00000001', 'revoked', qr/^Stripe did not accept the secret key$/ ],
	[ 'sk_test_expiredKey00000001', 'expired', qr/^the secret key has expired$/ ],
	[ 'rk_test_unknownKey00000001', 'unknown', qr/^Stripe did not accept the secret key$/ ]);
foreach (@keys)
{
	my ($key, $what, $message) = @$_;
	with_key($key, sub {
		my ($session) = @_;
		my $error = raises($session, q{SELECT stripe_request('GET', '/v1/customers')}, 'ST004', "ST004: a key that is $what", message => $message);
		unlike($error->{stderr}, qr/[sr]k_test_|0001/, "ST004: $what: no part of the key is shown");
		unlike(value($session, q{SELECT stripe_last_error()}), qr/[sr]k_test_|0001/, "ST004: $what: nor kept");
	});
}
with_key('rk_test_restrictedKey00001', sub {
	my ($session) = @_;
	is(value($session, q{SELECT stripe_request('GET', '/v1/customers') ->> 'object'}), 'list', 'a restricted key does what it may');
	my $error = raises($session, q{SELECT stripe_create_intent(2500)}, 'ST005', 'ST005: not permitted',
		message => qr/^the secret key does not permit this request$/, detail => qr/rak_payment_intents_write/, hint => qr/permission that the detail names/);
	unlike($error->{stderr}, qr/rk_test_|0001/, 'ST005: no part of the key is shown');
});
answer(403, { code => 'account_invalid', message => 'No access' });
with_key($KEY, sub {
	my ($session) = @_;
	raises($session, q{SELECT stripe_request('GET', '/v1/customers')}, 'ST005', 'ST005: a connected account out of reach', message => qr/connected account/);
	answer(401, { code => 'secret_key_required', message => 'This API call cannot be made with a publishable API key.' });
	raises($session, q{SELECT stripe_request('GET', '/v1/customers')}, 'ST004', 'ST004: a publishable key', hint => qr/begins with "sk_" or "rk_"/);
	answer(400, { message => 'Your key sk_test_shownByMistake1234, or "whsec_shown", is odd' });
	my $error = raises($session, q{SELECT stripe_request('GET', '/v1/customers')}, 'ST003', 'a message with keys in it', detail => qr/Your key <key>, or "<key>", is odd/);
	unlike($error->{stderr}, qr/shown/, 'is scrubbed');
});

#
# ST010: another account, or none; 050_configuration.pl has the rest.
#
with_key($KEY, sub {
	my ($session) = @_;
	forget_requests($fake);
	raises($session, q{SELECT stripe_request('GET', '/v1/customers', account => 'other')}, 'ST010', 'ST010: an account that is not configured',
		message => qr/^account "other" is not configured$/);
	raises($session, q{SET memberpulse_stripe.account = 'third'; SELECT stripe_create_customer()}, 'ST010', 'ST010: named by the setting', message => qr/^account "third"/);
	is(value($session, q{SELECT stripe_request('GET', '/v1/customers', account => 'default') ->> 'object'}), 'list', 'the argument wins');
	is(scalar($fake->requests), 1, 'nothing else was sent');
});

requests_ok($fake);
done_testing();
