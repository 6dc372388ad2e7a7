# 008_no_leak.pl
#	  A session that makes very many calls, one in ten of which fails, does not
#	  grow, and leaves no descriptor open.
#
# MP_FULL=1 makes 100,000 calls instead of 3,000, and MP_CALLS any number.
#
# The first tenth of the calls, in which each way to fail has its turn twice,
# fills caches: the server's, libcurl's, and the C library's.  The rest may add
# less than a megabyte.  Memory shared with other processes is not counted: a
# backend that touches more of the server's buffers has not leaked.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $CALLS = $ENV{MP_CALLS} || ($ENV{MP_FULL} ? 100_000 : 3_000);
my $BATCH = 150;
my $LIMIT = 1024;	# kB
my $fake  = start_fake_stripe();
my $node  = new_node(fake => $fake, conf => "log_min_messages = fatal\nlog_min_error_statement = panic\nlog_statement = none");
my $setup = $node->session;

$fake->admin_post('/recording', { enabled => JSON::PP::false });
my $customer = $setup->sql(q{SELECT stripe_create_customer(name => 'Ada')->>'id'})->{stdout};

# A listener that refuses: nobody has this port by now.
my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "listen: $!";
my $port   = $closed->sockport;
close $closed;

#
# Ways to fail, with the SQLSTATEs they may have: 08006 is a GET's and 08007 a
# POST's.  A fault has a path of its own, on which it does not wear off.
#
my %fault = (
	'garbage'            => [ { type => 'garbage' },            qr/^ST011$/ ],
	'wrong_content_type' => [ { type => 'wrong_content_type' }, qr/^ST011$/ ],
	'empty'              => [ { type => 'empty' },              qr/^ST011$/ ],
	'invalid_utf8'       => [ { type => 'invalid_utf8' },       qr/^ST011$/ ],
	'nul'                => [ { type => 'nul' },                qr/^ST011$/ ],
	'deep'               => [ { type => 'deep', depth => 20000 }, qr/^ST011$/ ],
	'redirect'           => [ { type => 'redirect' },           qr/^ST011$/ ],
	'too_large'          => [ { type => 'huge', size => 300 * 1024, gzip => JSON::PP::true }, qr/^ST011$/ ],
	'big_headers'        => [ { type => 'big_headers', size => 128 * 1024 }, qr/^ST011$/ ],
	'bad_gzip'           => [
		{ type => 'status', status => 200, headers => { 'Content-Encoding' => 'gzip' }, body => 'not gzip' },
		qr/^ST011$/ ],
	'truncated'      => [ { type => 'truncated' },                       qr/^ST011$/ ],
	'reset_mid_body' => [ { type => 'reset_mid_body' },                  qr/^0800[67]$/ ],
	'hang_headers'   => [ { type => 'hang_headers' },                    qr/^0800[67]$/ ],
	'hang_body'      => [ { type => 'hang_body' },                       qr/^0800[67]$/ ],
	'server_error'   => [ { type => 'server_error' },                    qr/^ST008$/ ],
	'rate_limit'     => [ { type => 'rate_limit', retry_after => 1 },    qr/^ST007$/ ],

	# This one is answered: a large body, which is not kept.
	'large' => [ { type => 'huge', size => 200 * 1024 }, qr/^worked$/ ]);
my %customer;
foreach my $way (sort keys %fault)
{
	$customer{$way} = $setup->sql(q{SELECT stripe_create_customer(name => 'Ada')->>'id'})->{stdout};
	$fake->fault($fault{$way}[0], path => "/v1/customers/$customer{$way}", count => 10_000_000);
}

my %base = (
	'refused'    => "https://127.0.0.1:$port",
	'wrong_host' => $fake->wrong_host,
	'expired'    => $fake->expired,
	'unknown_ca' => $fake->unknown_ca,
	'not_tls'    => 'https' . substr($fake->http, 4));
my %wanted = (
	(map { $_ => $fault{$_}[1] } keys %fault),
	(map { $_ => qr/^08001$/ } keys %base),
	not_found    => qr/^ST003$/,
	declined     => qr/^ST001$/,
	bad_argument => qr/^22023$/,
	interrupted  => qr/^57014$/);
my @ways = sort keys %wanted;

#
# One batch: calls that succeed, reading and writing, and one in ten that
# fails, all ways in turn.
#
$setup->sql(<<'SQL');
CREATE FUNCTION call_that_fails(way text, base text, customer text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	usual text := current_setting('memberpulse_stripe.api_base');
	state text := 'worked';
BEGIN
	BEGIN
		PERFORM set_config('memberpulse_stripe.timeout', CASE WHEN way LIKE 'hang%' THEN '30ms' ELSE '10s' END, true);
		IF base IS NOT NULL THEN
			PERFORM set_config('memberpulse_stripe.api_base', base, true);
			PERFORM stripe_request('GET', '/v1/customers/' || customer);
		ELSIF way = 'declined' THEN
			PERFORM stripe_create_intent(2000, 'usd', payment_method => 'pm_card_chargeDeclined', confirm => true,
										 return_url => 'https://shop.test/paid');
		ELSIF way = 'bad_argument' THEN
			PERFORM stripe_request('POST', '/v1/customers', jsonb_build_object('metadata', jsonb_build_object(repeat('x', 41), 'y')));
		ELSE
			PERFORM stripe_request(CASE WHEN random() < 0.5 THEN 'GET' ELSE 'POST' END, '/v1/customers/' || customer);
		END IF;
	EXCEPTION WHEN OTHERS THEN
		state := SQLSTATE;
	END;
	RETURN state;
END
$$;

CREATE FUNCTION calls_that_work(n int, customer text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	worked int := 0;
BEGIN
	FOR i IN 1 .. n LOOP
		IF i % 9 = 0 THEN
			PERFORM stripe_update_customer(customer, description => 'call ' || i);
		ELSE
			PERFORM stripe_request('GET', '/v1/customers/' || customer);
		END IF;
		worked := worked + 1;
	END LOOP;
	RETURN worked;
END
$$;
SQL

my $session = $node->session;
my $pid     = $session->pid;
$session->sql(q{SET memberpulse_stripe.max_retries = 0; SET memberpulse_stripe.max_response_size = '256kB'});
my (%seen, %wrong);
my $turn = 0;

sub fail_once
{
	my $way = $ways[ $turn++ % @ways ];
	my $state;
	if ($way eq 'interrupted')
	{
		$session->sql(q{SET statement_timeout = '30ms'});
		$state = $session->sql("SELECT stripe_request('POST', '/v1/customers/$customer{hang_headers}')")->{sqlstate};
		$session->sql('RESET statement_timeout');
	}
	else
	{
		my $base = $base{$way} ? "'$base{$way}'" : 'NULL';
		my $id = $way eq 'not_found' ? 'cus_none' : $customer{$way} // $customer;
		$state = $session->sql("SELECT call_that_fails('$way', $base, '$id')")->{stdout};
	}
	$seen{$way}{ $state // 'none' }++;
	return;
}

sub batch
{
	for (1 .. $BATCH / 10)
	{
		my $result = $session->sql("SELECT calls_that_work(9, '$customer')");
		$wrong{ $result->{stderr} }++ if $result->{stdout} ne '9';
		fail_once();
	}
	return;
}

# Private memory in kB: the heap, stacks, and what was written of files.
sub memory
{
	my $status = slurp_file("/proc/$pid/status");
	my %size   = $status =~ /^(VmRSS|RssAnon|RssFile|RssShmem):\s+(\d+) kB/mg;
	return \%size;
}

# What is open, apart from relations, which the server keeps open for later.
# Connections to the fake are its own matter: one is kept for each address.
sub descriptors
{
	my @open = map { readlink($_) // () } glob "/proc/$pid/fd/*";
	s/\d+// foreach @open;
	return sort grep { !m{/(?:base|global|pg_xact|pg_wal|pg_multixact)/} } @open;
}

# Brings connections to the state they have after a call that works.
sub settle
{
	$session->sql("SELECT calls_that_work(1, '$customer')");
	return;
}

my $done = 0;
while ($done < $CALLS / 10 || $done < 20 * @ways) { batch(); $done += $BATCH }
settle();
my $before      = memory();
my @descriptors = descriptors();
my $warmed      = $done;
while ($done < $CALLS) { batch(); $done += $BATCH }
settle();
my $after = memory();

note sprintf '%d calls to warm up, then %d, %d of them failing', $warmed, $done - $warmed, ($done - $warmed) / 10;
note sprintf '%s: %d kB, then %d kB', $_, $before->{$_}, $after->{$_} foreach sort keys %$before;
foreach my $way (@ways)
{
	note sprintf '%-18s %s', $way, join ', ', map { "$_: $seen{$way}{$_}" } sort keys %{ $seen{$way} };
}

is(join("\n", %wrong), '', 'calls that should work do');
is_deeply(
	[ map { my $way = $_; map { "$way: $_" } grep { $_ !~ $wanted{$way} } keys %{ $seen{$way} // {} } } @ways ],
	[], 'calls that should fail do, in their own way');
is(scalar keys %seen, scalar @ways, 'there was a call for each way');
cmp_ok($after->{RssAnon} - $before->{RssAnon}, '<', $LIMIT, "the backend has grown by less than $LIMIT kB");
is_deeply([ descriptors() ], \@descriptors, 'the same descriptors are open as before');

# Each connection at the fake's end belongs to a session that is there.
cmp_ok(scalar(grep { /^socket/ } descriptors()), '<=', 6, 'few sockets are open');
$session->quit;
$setup->quit;
wait_until(sub { $fake->connections->{open} == 0 }, 30, 'connections to close');
pass('no connection is left when the sessions have gone');
done_testing();
