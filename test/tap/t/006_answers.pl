# 006_answers.pl
#	  Answers that Stripe would not send: told by SQLSTATE ST011, with the
#	  request id, and nothing of them is believed or kept.

use strict;
use warnings;

use JSON::PP;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake     = start_fake_stripe();
my $node     = new_node(fake => $fake);
my $session  = $node->session;
my $pid      = $session->pid;
my $customer = $session->sql(q{SELECT stripe_create_customer(name => 'Ada')->>'id'})->{stdout};
my $get      = "SELECT stripe_request('GET', '/v1/customers/$customer')->>'name'";
my $post     = "SELECT stripe_request('POST', '/v1/customers/$customer', '{\"description\": \"x\"}', idempotency_key => 'answer-%s')->>'name'";
my $UNUSABLE = 'the answer of the Stripe API is not usable';
my $BIG      = qr/^Stripe answered with HTTP status 200, but the answer is larger than allowed: request req_\w+\.$/;

sub last_error
{
	return decode_json($session->sql('SELECT stripe_last_error()')->{stdout});
}

# The mirrors' content, which no bad answer may change.
sub mirrors
{
	return $session->sql('SELECT count(*), md5(string_agg(c::text, chr(10) ORDER BY id)) FROM stripe.customers c')->{stdout};
}

#
# One bad answer for a GET, and one for a POST whose work was done.
#
my %answers = (
	'not JSON'           => [ { type => 'garbage' },            qr/it is not valid JSON/ ],
	'JSON cut short'     => [ { type => 'garbage', body => '{"id": "cus_1", "object": "customer"' }, qr/it is not valid JSON/ ],
	'more after JSON'    => [ { type => 'garbage', body => '{"id": "cus_1"} {"id": "cus_2"}' },      qr/it is not valid JSON/ ],
	'only blanks'        => [ { type => 'garbage', body => "  \n" },          qr/it is not valid JSON/ ],
	'an array'           => [ { type => 'garbage', body => '[{"id": 1}]' },   qr/it is not a JSON object/ ],
	'a string'           => [ { type => 'garbage', body => '"ok"' },          qr/it is not a JSON object/ ],
	'null'               => [ { type => 'garbage', body => 'null' },          qr/it is not a JSON object/ ],
	'zero byte'          => [ { type => 'garbage', body => "{\"id\": \"a\0b\"}" }, qr/it holds a zero byte/ ],
	'number out of range' => [ { type => 'garbage', body => '{"id": "x", "n": 1e999999}' }, qr/it holds a character or a number that jsonb cannot hold/ ],
	'wrong content type' => [ { type => 'wrong_content_type' }, qr{it is not of type application/json} ],
	'empty'              => [ { type => 'empty' },              qr/it is empty/ ],
	'invalid UTF-8'      => [ { type => 'invalid_utf8' },       qr/it is not valid UTF-8/ ],
	'escaped zero byte'  => [ { type => 'nul' },                qr/it holds a character or a number that jsonb cannot hold/ ],
	'nested deeply'      => [ { type => 'deep' },               qr/it is nested too deeply/ ]);

foreach my $what (sort keys %answers)
{
	my ($fault, $why) = @{ $answers{$what} };
	foreach my $method ('GET', 'POST')
	{
		(my $key = $what) =~ s/ /-/g;
		$fake->clear_requests;
		$fake->fault($fault);
		my $mirrored = mirrors();
		my $result = $session->sql($method eq 'GET' ? $get : sprintf $post, $key);
		my @sent = $fake->requests;

		is($result->{sqlstate}, 'ST011', "$what, $method: SQLSTATE ST011") or diag $result->{stderr};
		is($result->{message}, $UNUSABLE, "$what, $method: message");
		like($result->{detail}, qr/^Stripe answered with HTTP status 200, but $why: request \Q$sent[0]{request_id}\E\.$/,
			"$what, $method: detail says why and has the request id");
		is(scalar @sent, 1, "$what, $method: not asked for again");

		my $error = last_error();
		is($error->{request_id}, $sent[0]{request_id}, "$what, $method: stripe_last_error() has the request id");
		is($error->{http_status}, 200, "$what, $method: stripe_last_error() has the status");
		is(mirrors(), $mirrored, "$what, $method: no mirror has changed");
		next if $method eq 'GET';
		ok($error->{outcome_unknown}, "$what, POST: stripe_last_error() says that the outcome is unknown");
		like($result->{hint}, qr/idempotency_key => 'answer-$key'/, "$what, POST: the hint has the key");
		is($session->sql(sprintf $post, $key)->{stdout}, 'Ada', "$what, POST: repeated with the key, it is answered");
	}
}
is($session->sql($get)->{stdout}, 'Ada', 'the session is as good as new');
is($session->sql('SELECT pg_backend_pid()')->{stdout}, $pid, 'by the same backend');

# Nesting that a server can hold is no fault.
$fake->fault({ type => 'deep', depth => 100 });
is($session->sql("SELECT stripe_request('GET', '/v1/customers/$customer') #>> array_fill('a'::text, ARRAY[100])")->{stdout},
	'1', 'an answer nested a hundred deep is read');

# In a database of another encoding, text that it cannot hold is no crash.
$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
$node->safe_psql('latin',    'CREATE EXTENSION memberpulse_stripe');
my $latin = $node->session(dbname => 'latin');
$latin->sql(q{SET client_encoding = 'UTF8'});
my $kept = $latin->sql(qq{SELECT stripe_request('POST', '/v1/customers', '{"name": "Zo\xc3\xab"}')->>'name'});
is($kept->{stdout}, "Zo\xc3\xab", 'LATIN1: text that fits is converted there and back') or diag $kept->{stderr};
$fake->fault({ type => 'garbage', body => "{\"id\": \"cus_1\", \"name\": \"\x{65e5}\"}" });
$fake->clear_requests;
my $unfit = $latin->sql(q{SELECT stripe_request('GET', '/v1/customers')});
is($unfit->{sqlstate}, 'ST011', 'LATIN1: text that does not fit is refused') or diag $unfit->{stderr};
is($latin->sql(q{SELECT stripe_request('GET', '/v1/customers/cus_none')})->{sqlstate}, 'ST003', 'LATIN1: the next call works');
$latin->quit;

# An answer with an error status needs no body that can be read.
foreach my $body ('', '<html>Bad Gateway</html>', '[1, 2]', "\xff", '{"error": "down"}', '{"error": {"type": {"a": 1}, "message": 7}}')
{
	(my $shown = $body) =~ s/[^ -~]/?/g;
	$fake->clear_requests;
	$fake->fault({ type => 'status', status => 400, body => $body });
	my $result = $session->sql($get);
	my ($sent) = $fake->requests;
	is($result->{sqlstate}, 'ST003', "status 400 with body '$shown': SQLSTATE ST003");
	like($result->{detail}, qr/request \Q$sent->{request_id}\E/, "status 400 with body '$shown': the request id");
}
foreach my $status (204, 299)
{
	$fake->fault({ type => 'status', status => $status });
	is($session->sql($get)->{sqlstate}, 'ST011', "status $status without a body: SQLSTATE ST011");
}

#
# An answer cut in its middle is asked for again.  When it is cut each time,
# the last one is reported: as an answer that is not usable if the connection
# was closed in order, and else as a lost connection.
#
foreach my $type ('truncated', 'reset_mid_body')
{
	$fake->clear_requests;
	$fake->fault({ type => $type });
	is($session->sql($get)->{stdout}, 'Ada', "$type: asked for again, it is answered");
	is(scalar $fake->requests, 2, "$type: two requests");

	$fake->clear_requests;
	$fake->fault({ type => $type }, count => 20);
	$session->sql('SET memberpulse_stripe.max_retries = 1');
	my $cut = $session->sql($get);
	$session->sql('RESET memberpulse_stripe.max_retries');
	my @sent = $fake->requests;
	is(scalar @sent, 2, "$type each time: two requests");
	if ($type eq 'truncated')
	{
		is($cut->{sqlstate}, 'ST011', "$type each time: SQLSTATE ST011");
		like($cut->{detail}, qr/^Stripe answered with HTTP status 200, but .*: request \Q$sent[1]{request_id}\E\.$/,
			"$type each time: detail has the request id of the last answer");
		is(last_error()->{request_id}, $sent[1]{request_id}, "$type each time: stripe_last_error() has it too");
	}
	else
	{
		is($cut->{sqlstate}, '08006', "$type each time: SQLSTATE 08006");
		like($cut->{detail}, qr/^After 2 attempts: /, "$type each time: detail");
	}
	$fake->clear_faults;
}

# Slow is not wrong.
$fake->fault({ type => 'slow', chunk => 64, delay_ms => 5 });
is($session->sql($get)->{stdout}, 'Ada', 'an answer that drips in is read');

#
# Limits: on the body as it is after decompression, and on the headers.
#
sub rss_peak
{
	my ($peak) = slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m;
	return $peak;
}

$session->sql(q{SET memberpulse_stripe.max_retries = 0});
my $peak = rss_peak();
foreach my $gzip (JSON::PP::false, JSON::PP::true)
{
	my $what = $gzip ? 'compressed' : 'plain';

	# 64 MB, of which gzip makes 64 kB, against the default of 16 MB.
	$fake->fault({ type => 'huge', gzip => $gzip });
	my $result = $session->sql($get);
	is($result->{sqlstate}, 'ST011', "64 MB, $what: SQLSTATE ST011");
	is($result->{message}, $UNUSABLE, "64 MB, $what: message");
	like($result->{detail}, $BIG, "64 MB, $what: detail says why and has the request id");
	like($result->{hint}, qr/memberpulse_stripe\.max_response_size/, "64 MB, $what: hint");

	$session->sql(q{SET memberpulse_stripe.max_response_size = '64kB'});
	foreach my $size (65536, 65537)
	{
		$fake->fault({ type => 'huge', gzip => $gzip, size => $size });
		$result = $session->sql("SELECT length(stripe_request('GET', '/v1/customers/$customer')->>'padding')");
		if ($size == 65536)
		{
			is($result->{stdout}, $size - length('{"id": "x", "object": "customer", "padding": ""}'),
				"limit of 64 kB, as much $what: read") or diag $result->{stderr};
		}
		else { like($result->{detail} // '', $BIG, "limit of 64 kB, one byte more $what: refused") }
	}
	$session->sql('RESET memberpulse_stripe.max_response_size');
}
my $grown = rss_peak() - $peak;
note "the peak of memory rose by $grown kB";
cmp_ok($grown, '<', 48 * 1024, 'no more is read than allowed');

# A POST's answer that is too large was an answer to a request that was sent.
$fake->fault({ type => 'huge', gzip => JSON::PP::true });
my $result = $session->sql(sprintf $post, 'huge');
is($result->{sqlstate}, 'ST011', 'POST with an answer too large: SQLSTATE ST011');
like($result->{context}, qr/whose outcome is unknown; repeat it with idempotency key "answer-huge"/, 'POST with an answer too large: context');
ok(last_error()->{outcome_unknown}, 'POST with an answer too large: the outcome is unknown');
is($session->sql(sprintf $post, 'huge')->{stdout}, 'Ada', 'POST with an answer too large: repeated with the key, it is answered');

# Too large once is too large again: asking three times would not help.
$session->sql('RESET memberpulse_stripe.max_retries');
$fake->clear_requests;
$fake->fault({ type => 'huge', gzip => JSON::PP::true }, count => 20);
like($session->sql($get)->{detail}, $BIG, 'too large, with retries allowed: refused');
is(scalar $fake->requests, 1, 'too large, with retries allowed: not asked for again');
$fake->clear_faults;

# Compression that is not one.
$session->sql(q{SET memberpulse_stripe.max_retries = 0});
$fake->fault({ type => 'status', status => 200, headers => { 'Content-Encoding' => 'gzip' }, body => 'not gzip at all' });
$result = $session->sql($get);
is($result->{sqlstate}, 'ST011', 'a broken compression: SQLSTATE ST011');
like($result->{detail}, qr/request req_\w+\.$/, 'a broken compression: the request id');

$fake->fault({ type => 'big_headers', size => 256 * 1024 });
is($session->sql($get)->{sqlstate}, 'ST011', 'headers of 256 kB: SQLSTATE ST011');
$fake->fault({ type => 'big_headers', size => 32 * 1024 });
is($session->sql($get)->{stdout}, 'Ada', 'headers of 32 kB: read');

is($session->sql($get)->{stdout}, 'Ada', 'the session is as good as new');
is($session->sql('SELECT pg_backend_pid()')->{stdout}, $pid, 'by the same backend');
done_testing();
