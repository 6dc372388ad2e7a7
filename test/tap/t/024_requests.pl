# stripe_request, stripe_try_request, stripe_last_error; nothing in an id or a
# parameter changes where a request goes; all bytes as the official package
# encodes them.

use strict;
use warnings;

use File::Basename qw(dirname);
use JSON::PP;
use MemberPulse::Checks;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $s    = $node->session;

#
# stripe_request
#
my $id = value($s, q{SELECT stripe_request('post', '/v1/customers', '{"name": "Ada", "metadata": {"member_id": "m-1"}}', idempotency_key => 'k-1') ->> 'id'});
my ($request) = $fake->requests;
is("$request->{method} $request->{path} $request->{body}", 'POST /v1/customers name=Ada&metadata[member_id]=m-1', 'a POST has a form');
is($request->{headers}{'idempotency-key'}, 'k-1', 'and the caller\'s key');
is($request->{headers}{'content-length'}, length $request->{body}, 'and its length');
is(value($s, "SELECT member_id FROM stripe.customers WHERE id = '$id'"), 'm-1', 'objects in answers are mirrored');
is(value($s, q{SELECT stripe_request('POST', '/v1/customers', '{"name": "Ada", "metadata": {"member_id": "m-1"}}', idempotency_key => 'k-1') ->> 'id'}),
	$id, 'the same key again is the same customer');
raises($s, q{SELECT stripe_request('POST', '/v1/customers', '{"name": "Bo"}', idempotency_key => 'k-1')}, 'ST006',
	'the same key with other parameters', message => qr/^this idempotency key was used before with other parameters$/,
	hint => qr/a different request a new key/);

forget_requests($fake);
is(value($s, q{SELECT stripe_request('GET', '/v1/customers', '{"limit": 1, "created": {"gte": 5}}') ->> 'object'}), 'list', 'a GET');
($request) = $fake->requests;
is("$request->{path} $request->{body}", '/v1/customers?limit=1&created[gte]=5 ', 'has its parameters in the query');
ok(!exists $request->{headers}{'idempotency-key'}, 'and no idempotency key');

forget_requests($fake);
is(value($s, q{SELECT stripe_request('POST', '/v1/payment_intents', '{"amount": 100, "currency": "aud"}') ->> 'object'}), 'payment_intent', 'a POST without a key');
is(value($s, qq{SELECT stripe_request('DELETE', '/v1/customers/$id') ->> 'deleted'}), 'true', 'a DELETE');
($request) = $fake->requests(method => 'POST');
like($request->{headers}{'idempotency-key'}, qr/^[0-9a-f-]{36}$/, 'gets one');

# An empty POST still says how long it is.
my $intent = value($s, q{SELECT stripe_create_intent(100, params => '{"payment_method": "pm_card_visa"}') ->> 'id'});
forget_requests($fake);
value($s, qq{SELECT stripe_request('POST', '/v1/payment_intents/$intent/cancel')});
is(($fake->requests)[0]{headers}{'content-length'}, '0', 'an empty POST has a Content-Length');

# The caller's currency of a request that is spelled out is theirs; metadata is checked.
raises($s, q{SELECT stripe_request('POST', '/v1/customers', '{"metadata": {"a[b]": "1"}}')}, '22023', 'metadata is checked here too', message => qr/"metadata"/);

#
# Paths: what an id holds arrives escaped, on the wire.
#
forget_requests($fake);
my %escaped = (
	'pi_1/../customers' => 'pi_1%2F..%2Fcustomers',
	'pi_1?x=1'          => 'pi_1%3Fx%3D1',
	'pi_1#'             => 'pi_1%23',
	'pi_%2e%2e'         => 'pi_%252e%252e',
	'pi_1 2'            => 'pi_1%202',
	'pi_1&amount=1'     => 'pi_1%26amount%3D1',
	'pi_1;a'            => 'pi_1%3Ba',
	'pi_\\..\\'         => 'pi_%5C..%5C',
	'pi_1@evil.example' => 'pi_1%40evil.example',
	'pi_é'              => 'pi_%C3%A9');
foreach my $bad (sort keys %escaped)
{
	my $path = "/v1/payment_intents/$escaped{$bad}";
	raises($s, qq{SELECT stripe_get_payment(\$id\$$bad\$id\$)}, 'ST003', "id $bad");
	raises($s, qq{SELECT stripe_confirm_intent(\$id\$$bad\$id\$)}, 'ST003', "id $bad, with more after it");
	my @got = map { s/\?.*//r } map { $_->{path} } $fake->requests;
	is_deeply(\@got, [ $path, "$path/confirm" ], "id $bad arrives as $escaped{$bad}");
	forget_requests($fake);
}
foreach my $id (q{'pi_' || chr(10) || 'Host: evil'}, q{'pi_' || chr(13) || chr(10)}, q{'pi_' || chr(127)}, q{'pi_' || repeat('x', 2000)})
{
	raises($s, "SELECT stripe_get_payment($id)", '22023', "id $id is refused", message => qr/"id"/);
}
is_deeply([ sent($fake) ], [], 'before anything is sent');

foreach my $bad ('/v1/customers/../charges', '/v1/./customers', '/v2/core/events', 'v1/customers', '/v1/', '/v1', '', '/v1//customers',
	'/v1/customers?limit=1', '/v1/customers#x', '/v1/customers x', "/v1/customers\\x", '/v1/customers@evil.example', 'https://evil.example/v1/customers',
	'//evil.example/v1/customers')
{
	raises($s, "SELECT stripe_request('GET', \$p\$$bad\$p\$)", '22023', "path '$bad' is refused", message => qr/^invalid value for argument "path"$/);
}
raises($s, q{SELECT stripe_request('GET', '/v1/customers' || chr(13) || chr(10) || 'Host: x')}, '22023', 'a line break in a path');
is_deeply([ sent($fake) ], [], 'nothing was sent');
$s->sql(q{SELECT stripe_request('GET', '/v1/customers/%2e%2e/charges')});
is(($fake->requests)[0]{path}, '/v1/customers/%2e%2e/charges', 'what the caller escaped stays as it is');
forget_requests($fake);

# Headers: a key cannot end its line.
raises($s, q{SELECT stripe_create_customer(idempotency_key => 'a' || chr(13) || chr(10) || 'Stripe-Account: acct_1')},
	'22023', 'a line break in a key', message => qr/"idempotency_key"/);
is_deeply([ sent($fake) ], [], 'is not sent');

#
# stripe_try_request: failures are rows.
#
is(value($s, q{SELECT ok, http_status, body ->> 'object' FROM stripe_try_request('GET', '/v1/customers')}), 't|200|list', 'success');
is( value($s, q{SELECT ok, http_status, body #>> '{error,code}' FROM stripe_try_request('GET', '/v1/customers/none')}),
	'f|404|resource_missing', 'a failure with Stripe\'s error');
is(value($s, q{SELECT stripe_last_error() ->> 'http_status'}), '404', 'which is the last error');
is( value($s, q{SELECT ok, http_status, body #>> '{error,decline_code}' FROM stripe_try_request('POST', '/v1/payment_intents',
	'{"amount": 100, "currency": "aud", "payment_method": "pm_card_chargeDeclined", "confirm": true, "return_url": "https://club.example/"}')}),
	'f|402|generic_decline', 'a declined payment');
is(value($s, q{SELECT status, failure_code, decline_code FROM stripe.payments WHERE payment_intent = stripe_last_error() ->> 'payment_intent'}),
	'failed|card_declined|generic_decline', 'is in the tables, since nothing was rolled back');
forget_requests($fake);
value($s, q{SELECT * FROM stripe_try_request('GET', '/v1/customers')});
is(scalar($fake->requests), 1, 'selected as a row, it is called once');
$fake->fault({ type => 'reset_accept' }, count => 10);
value($s, q{SET memberpulse_stripe.max_retries = 0});
my $fresh = $node->session;
value($fresh, q{SET memberpulse_stripe.max_retries = 0});
is( value($fresh, q{SELECT ok, http_status IS NULL, body ->> 'sqlstate', body ->> 'type' FROM stripe_try_request('GET', '/v1/customers')}),
	'f|t|08001|api_connection_error', 'no connection');
$fake->clear_faults;
$fake->fault({ type => 'reset' }, path => '/v1/customers', count => 10);
is( value($fresh, q{SELECT ok, http_status IS NULL, body ->> 'sqlstate', body ->> 'outcome_unknown', body ->> 'idempotency_key'
	FROM stripe_try_request('POST', '/v1/customers', idempotency_key => 'try-1')}),
	'f|t|08007|true|try-1', 'an unknown outcome says so, and the key');
$fake->clear_faults;
raises($fresh, q{SELECT * FROM stripe_try_request('GET', '/v2/x')}, '22023', 'a wrong argument still raises');
raises($fresh, q{SELECT * FROM stripe_try_request('PUT', '/v1/customers')}, '22023', 'a wrong method still raises', message => qr/"method"/);
$fake->fault({ type => 'hang_headers' }, path => '/v1/customers');
raises($fresh, q{SET statement_timeout = '200ms'; SELECT * FROM stripe_try_request('GET', '/v1/customers')}, '57014', 'a cancel still raises');

#
# stripe_last_error: kept through a rollback, one for a session.
#
my $t = $node->session;
is(value($t, q{SELECT stripe_last_error() IS NULL}), 't', 'a session without a failure has no last error');
$t->sql(q{BEGIN});
raises($t, q{SELECT stripe_create_intent(2500, payment_method => 'pm_card_chargeDeclinedInsufficientFunds', confirm => true,
	return_url => 'https://club.example/', idempotency_key => 'last-1')}, 'ST001', 'a declined payment in a transaction');
$t->sql(q{ROLLBACK});
is( value($t, q{SELECT e ->> 'sqlstate', e ->> 'type', e ->> 'code', e ->> 'decline_code', e ->> 'http_status',
		e ->> 'idempotency_key', e ->> 'outcome_unknown', e ->> 'request_id' ~ '^req_', e ->> 'payment_intent' ~ '^pi_', e ->> 'charge' ~ '^ch_'
	FROM stripe_last_error() e}),
	'ST001|card_error|card_declined|insufficient_funds|402|last-1|false|t|t|t', 'stripe_last_error after the rollback');
my $kept = value($t, q{SELECT stripe_last_error()});
value($t, q{SELECT stripe_request('GET', '/v1/customers')});
is(value($t, q{SELECT stripe_last_error()}), $kept, 'a call that succeeds leaves it');
raises($t, q{SELECT stripe_request('POST', '/v1/payment_intents', '{"amount": 1, "currency": "aud"}')}, 'ST003', 'the next failure');
is(value($t, q{SELECT e ->> 'code', e ->> 'param' FROM stripe_last_error() e}), 'amount_too_small|amount', 'replaces it');
value($t, q{DO $$ BEGIN PERFORM stripe_get_payment('pi_none'); EXCEPTION WHEN SQLSTATE 'ST003' THEN NULL; END $$});
is(value($t, q{SELECT stripe_last_error() ->> 'code'}), 'resource_missing', 'also one that was caught');
is(value($node->session, q{SELECT stripe_last_error() IS NULL}), 't', 'other sessions have their own');

#
# The encoder against the official package's, byte for byte.
#
my $script = dirname(__FILE__) . '/../../unit/sdk_form.mjs';
my ($out, $err) = run_command([ 'node', $script, '--count', '2000' ]);
my @inputs = split /\n/, $out;
is(scalar(@inputs), 2000, 'two thousand generated inputs') or diag($err);
my $file = "$PostgreSQL::Test::Utils::tmp_check/inputs.json";
open my $handle, '>', $file or die "$file: $!";
print $handle "$out\n";
close $handle;
value($s, q{CREATE TEMP TABLE inputs (n serial, line text)});
value($s, q{\copy inputs (line) from '} . $file . q{' (format csv, delimiter e'\x01', quote e'\x02')});
is(value($s, q{SELECT count(*) FROM inputs WHERE line <> ''}), '2000', 'all of them loaded');
my $wrong = value($s, q{
	SELECT jsonb_pretty(jsonb_build_object('json', i ->> 'json', 'expected', i ->> 'expected', 'got', stripe.form_encode((i ->> 'json')::jsonb)))
	  FROM inputs, CAST(line AS json) i
	 WHERE line <> '' AND stripe.form_encode((i ->> 'json')::jsonb) COLLATE "C" IS DISTINCT FROM i ->> 'expected' LIMIT 3});
is($wrong, '', "are all encoded as the official package does ($err)");

# The same bytes go out.
forget_requests($fake);
value($s, q{SELECT stripe_request('POST', '/v1/customers', '{"name": "日本語 a b+c&d=e", "metadata": {"clé": "é", "k": "[x]"}, "description": ""}')});
is(($fake->requests)[0]{body}, 'name=%E6%97%A5%E6%9C%AC%E8%AA%9E%20a%20b%2Bc%26d%3De&metadata[k]=[x]&metadata[cl%C3%A9]=%C3%A9&description=',
	'what is sent is what stripe.form_encode shows');

requests_ok($fake);
done_testing();
