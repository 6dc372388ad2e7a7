# 007_retries.pl
#	  Requests are sent again when Stripe's own libraries would send them
#	  again: the same bytes under the same key, after the same pauses, and never
#	  past the caller's time.
#
# Pauses are read from the times at which the fake received the requests.  A
# busy machine makes them longer, never shorter, so lower limits are exact and
# upper ones are wide.

use strict;
use warnings;

use IO::Socket::INET;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $SLACK    = 1.0;	# seconds a pause may be longer than asked for
my $fake     = start_fake_stripe();
my $node     = new_node(fake => $fake);
my $session  = $node->session;
my $customer = $session->sql(q{SELECT stripe_create_customer(name => 'Ada')->>'id'})->{stdout};
my $get      = "SELECT stripe_request('GET', '/v1/customers/$customer')->>'object'";
my $path     = "/v1/customers/$customer";
my $post     = "SELECT stripe_request('POST', '$path', '{\"description\": \"a b&c=d\", \"metadata\": {\"k\": \"\xc3\xa9\"}}')->>'object'";
my $setting  = 'memberpulse_stripe.max_retries';

# Run a call with faults, and give its result and the requests it sent.
sub call
{
	my ($sql, $retries, $count, $fault) = @_;
	$session->sql("SET $setting = $retries");
	$fake->clear_requests;
	$fake->fault($fault, path => $path, count => $count) if $count;
	my $result = $session->sql($sql);
	my @sent   = $fake->requests;
	$fake->clear_faults;
	return ($result, @sent);
}

# The pauses between requests, in seconds.
sub pauses
{
	my @sent = @_;
	return map { $sent[$_]{at} - $sent[ $_ - 1 ]{at} } 1 .. $#sent;
}

# What arrived, apart from what the fake notes about it.
sub bytes_of
{
	my ($request) = @_;
	return { map { $_ => $request->{$_} } qw(method path headers body_base64) };
}

sub check_same_bytes
{
	my ($what, @sent) = @_;
	is_deeply([ map { bytes_of($_) } @sent ], [ (bytes_of($sent[0])) x @sent ], "$what: each request has the same bytes");
	like($sent[0]{headers}{'idempotency-key'} // '', qr/^[0-9a-f-]{36}$/, "$what: an idempotency key") if $sent[0]{method} eq 'POST';
	return;
}

sub check_pause
{
	my ($what, $pause, $least, $most) = @_;
	note sprintf '%s: %.3f s', $what, $pause;
	cmp_ok($pause, '>=', $least - 0.005, "$what: not before $least s");
	cmp_ok($pause, '<', $most + $SLACK, "$what: about $most s at most");
	return;
}

is($session->sql("SHOW $setting")->{stdout}, '2', 'two retries unless set otherwise');

#
# What is tried again: answers that fail once and twice, and for ever.
#
my $stop  = { 'Stripe-Should-Retry' => 'false' };
my $again = { 'Stripe-Should-Retry' => 'true' };
my %table = (

	# what => [ fault, SQLSTATE in the end, is it tried again? ]
	'status 409'                     => [ { type => 'key_in_use' },                                'ST006', 1 ],
	'status 429, lock_timeout'       => [ { type => 'lock_timeout' },                              'ST007', 1 ],
	'status 500'                     => [ { type => 'server_error' },                              'ST008', 1 ],
	'status 503'                     => [ { type => 'server_error', status => 503 },               'ST008', 1 ],
	'status 599'                     => [ { type => 'status', status => 599 },                     'ST008', 1 ],
	'status 500, told not to'        => [ { type => 'server_error', should_retry => 'false' },     'ST008', 0 ],
	'status 409, told not to'        => [ { type => 'status', status => 409, headers => $stop },   'ST006', 0 ],
	'status 429, told not to'        => [ { type => 'status', status => 429, headers => $stop },   'ST007', 0 ],
	'status 400'                     => [ { type => 'status', status => 400 },                     'ST003', 0 ],
	'status 400, told to'            => [ { type => 'status', status => 400, headers => $again },  'ST003', 1 ],
	'status 401'                     => [ { type => 'status', status => 401 },                     'ST004', 0 ],
	'status 402'                     => [ { type => 'status', status => 402 },                     'ST001', 0 ],
	'status 403'                     => [ { type => 'status', status => 403 },                     'ST005', 0 ],
	'status 404'                     => [ { type => 'status', status => 404 },                     'ST003', 0 ],
	'answer lost'                    => [ { type => 'lost_answer' },                               '08007', 1 ],
	'connection reset'               => [ { type => 'reset' },                                     '08007', 1 ],
	'answer cut'                     => [ { type => 'truncated' },                                 'ST011', 1 ]);

foreach my $what (sort keys %table)
{
	my ($fault, $sqlstate, $retried) = @{ $table{$what} };

	# A connection lost under us is replaced once even without retries.
	my $replaced = $sqlstate eq '08007';
	my ($result, @sent) = call($post, 0, 99, $fault);
	is($result->{sqlstate}, $sqlstate, "$what, no retries: SQLSTATE $sqlstate") or diag $result->{stderr};
	is(scalar @sent, $replaced ? 2 : 1, "$what, no retries: requests");

	if ($retried)
	{
		($result, @sent) = call($post, 1, 1, $fault);
		is($result->{stdout}, 'customer', "$what, once: the call works") or diag $result->{stderr};
		is(scalar @sent, 2, "$what, once: two requests");
		check_same_bytes("$what, once", @sent);
	}

	($result, @sent) = call($post, 1, 99, $fault);
	is($result->{sqlstate}, $sqlstate, "$what, one retry: SQLSTATE $sqlstate");
	is(scalar @sent, $retried ? 2 : 1, "$what, one retry: requests");
}

# All three requests of the usual setting, and the pauses between them.
my ($result, @sent) = call($post, 2, 99, { type => 'server_error' });
is($result->{sqlstate}, 'ST008', 'two retries: SQLSTATE ST008');
is(scalar @sent, 3, 'two retries: three requests');
check_same_bytes('two retries', @sent);
my @pauses = pauses(@sent);
check_pause('first pause', $pauses[0], 0.5, 0.5);
check_pause('second pause', $pauses[1], 0.5, 1.0);

# A GET the same, without a key.
($result, @sent) = call($get, 2, 2, { type => 'server_error' });
is($result->{stdout}, 'customer', 'GET: the third request is answered');
is(scalar @sent, 3, 'GET: three requests');
check_same_bytes('GET', @sent);
is($sent[0]{headers}{'idempotency-key'}, undef, 'GET: no idempotency key');

# The caller's own key is kept to.
(my $keyed = $post) =~ s/\)->>'object'$/, idempotency_key => 'retry-1')->>'object'/;
($result, @sent) = call($keyed, 2, 1, { type => 'lost_answer' });
is_deeply([ map { $_->{headers}{'idempotency-key'} } @sent ], [ ('retry-1') x 2 ], 'key of the caller: sent each time');

# Another call has another key.
my @keys = map { my ($done, $only) = call($post, 2, 0); $only->{headers}{'idempotency-key'} } 1 .. 2;
isnt($keys[0], $keys[1], 'two calls have two keys');

#
# A rate limiter's answer is waited out: for as long as it asks, as often as it
# comes, and outside the count of retries.
#
($result, @sent) = call($post, 2, 1, { type => 'rate_limit', retry_after => 2 });
is($result->{stdout}, 'customer', 'rate limit: the call works in the end');
is(scalar @sent, 2, 'rate limit: two requests');
check_same_bytes('rate limit', @sent);
check_pause('rate limit, Retry-After: 2', (pauses(@sent))[0], 2, 2);

($result, @sent) = call($post, 1, 3, { type => 'rate_limit', retry_after => 0 });
is($result->{stdout}, 'customer', 'rate limit three times, one retry allowed: the call works');
is(scalar @sent, 4, 'rate limit three times, one retry allowed: four requests');
@pauses = pauses(@sent);
check_pause("rate limit, Retry-After: 0, pause $_", $pauses[ $_ - 1 ], 0.5, 0.5 * 2**($_ - 1)) foreach 1 .. 3;

($result, @sent) = call($post, 0, 1, { type => 'rate_limit', retry_after => 1 });
is($result->{sqlstate}, 'ST007', 'rate limit, no retries: SQLSTATE ST007');
is(scalar @sent, 1, 'rate limit, no retries: one request');

# Retry-After counts with other answers too, and what is no number of seconds does not.
($result, @sent) = call($get, 2, 1, { type => 'status', status => 503, headers => { 'Retry-After' => '1' } });
check_pause('status 503, Retry-After: 1', (pauses(@sent))[0], 1, 1);
foreach my $after ('Wed, 21 Oct 2026 07:28:00 GMT', '-1', '1.5', '9e9', '')
{
	($result, @sent) = call($get, 2, 1, { type => 'status', status => 503, headers => { 'Retry-After' => $after } });
	check_pause("status 503, Retry-After: $after", (pauses(@sent))[0], 0.5, 0.5);
}

#
# Never past the caller's time.
#
sub check_in_time
{
	my ($what, $limit, $sql, $fault, $requests, $sqlstate) = @_;
	my @found;
	$session->sql("SET memberpulse_stripe.timeout = '$limit ms'");
	my $took = milliseconds(sub { @found = call($sql, 2, 99, $fault) });
	$session->sql('RESET memberpulse_stripe.timeout');
	note sprintf '%s: %.0f ms', $what, $took;
	cmp_ok($took, '<', $limit + 1000 * $SLACK, "$what: in time");
	is($found[0]{sqlstate}, $sqlstate, "$what: SQLSTATE $sqlstate");
	is(@found - 1, $requests, "$what: requests");
	return $took;
}

# A pause that does not fit is not begun, and the answer is told at once.
my $took = check_in_time('Retry-After: 20 within 10 s', 10_000, $post, { type => 'rate_limit', retry_after => 20 }, 1, 'ST007');
cmp_ok($took, '<', 2000, 'Retry-After: 20 within 10 s: at once');
$took = check_in_time('Retry-After: 99999999999 within 10 s', 10_000, $post, { type => 'rate_limit', retry_after => 99999999999 }, 1, 'ST007');
cmp_ok($took, '<', 2000, 'Retry-After: 99999999999 within 10 s: at once');
check_in_time('status 500 within 300 ms',       300, $post, { type => 'server_error' }, 1, 'ST008');
check_in_time('status 500 within 800 ms',       800, $post, { type => 'server_error' }, 2, 'ST008');
check_in_time('no answer within 700 ms',        700, $post, { type => 'hang_headers' }, 1, '08007');
check_in_time('half an answer within 700 ms',   700, $get,  { type => 'hang_body' },    1, '08006');
check_in_time('a slow answer within 700 ms',    700, $get,  { type => 'slow', chunk => 1, delay_ms => 100 }, 1, '08006');

# The time is for all requests together: the second has what the first left.
$session->sql(q{SET memberpulse_stripe.timeout = '3s'});
$fake->fault({ type => 'hang_headers' }, path => $path, n => 2);
$took = milliseconds(sub { ($result, @sent) = call($post, 2, 1, { type => 'rate_limit', retry_after => 2 }) });
is($result->{sqlstate}, '08007', 'an answer that fails, then none: SQLSTATE 08007');
is(scalar @sent, 2, 'an answer that fails, then none: two requests');
cmp_ok($took, '>', 2900, 'an answer that fails, then none: all of the time is used');
cmp_ok($took, '<', 3000 + 1000 * $SLACK, 'an answer that fails, then none: in time');
$session->sql('RESET memberpulse_stripe.timeout');

# Connecting has a limit of its own, and TLS is part of it.
my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp', Listen => 1) or die "listen: $!";
listen $full, 0 or die "listen: $!";
my @fillers = map {
	IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Proto => 'tcp', Blocking => 0)
	  // die "connect: $!"
} 1 .. 4;
$session->sql("SET memberpulse_stripe.connect_timeout = '400ms'; SET $setting = 0");
foreach my $step ('while connecting', 'during the TLS handshake')
{
	if ($step eq 'while connecting')
	{
		$session->sql("SET memberpulse_stripe.api_base = 'https://127.0.0.1:" . $full->sockport . q{'});
	}
	else
	{
		$session->sql('RESET memberpulse_stripe.api_base');
		$fake->admin_delete('/connections');
		wait_until(sub { $fake->connections->{open} == 0 });
		$fake->fault({ type => 'hang_tls' }, count => 9);
	}
	$took = milliseconds(sub { $result = $session->sql($post) });
	like($result->{sqlstate}, qr/^0800[16]$/, "hangs $step: SQLSTATE");
	is($result->{detail}, "After 1 attempt: the request timed out $step.", "hangs $step: detail");
	unlike($result->{stderr}, qr/outcome is unknown/, "hangs $step: nothing is unknown");
	cmp_ok($took, '<', 400 + 1000 * $SLACK, "hangs $step: connect_timeout holds");
}
$fake->clear_faults;
$session->sql('RESET ALL');

is($session->sql($post)->{stdout}, 'customer', 'the session is as good as new');
done_testing();
