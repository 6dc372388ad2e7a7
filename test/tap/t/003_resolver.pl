# 003_resolver.pl
#	  A name server that never answers does not hold up a backend, and the
#	  thread that waits for it is left no signal of the server's.
#
# The resolver is replaced by one of our own (test/tap/src/stuck_resolver.c),
# preloaded into the server.

use strict;
use warnings;

use File::Basename qw(dirname);
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $LIMIT   = 100;	# milliseconds
my $TRIES   = 3;
my $source  = dirname(__FILE__) . '/../src/stuck_resolver.c';
my $library = PostgreSQL::Test::Utils::tempdir() . '/stuck_resolver.so';
system_or_bail($ENV{CC} // 'cc', '-Wall', '-Werror', '-fPIC', '-shared', '-o', $library, $source, '-ldl');

my $fake    = start_fake_stripe();
my $node    = new_node(fake => $fake, env => { LD_PRELOAD => $library });
my $control = $node->session;
my $base    = $fake->https;
my $call    = q{SELECT stripe_request('GET', '/v1/customers')->>'object'};

# The masks of blocked signals of a process's threads but the first, in the
# hexadecimal digits of /proc.  Only of threads that sleep: while a thread is
# being made, the C library blocks everything in it.
sub masks_of_threads
{
	my ($pid) = @_;
	my @masks;
	foreach my $task (grep { !m{/$pid$} } glob "/proc/$pid/task/*")
	{
		my $status = eval { slurp_file("$task/status") } // next;
		push @masks, $status =~ /^SigBlk:\s+(\w+)/m if $status =~ /^State:\s+S/m;
	}
	return @masks;
}

# A session whose next call asks for the name that is not answered.
sub stuck_session
{
	my $session = $node->session;
	$session->sql($call);
	$session->sql(q{SET memberpulse_stripe.api_base = 'https://stuck.test:1'});
	return $session;
}

sub send_stuck
{
	my ($session, $sql) = @_;
	my $began = time;
	my $before = masks_of_threads($session->pid);
	$session->send($sql // $call);
	wait_until(sub { masks_of_threads($session->pid) > $before }, 5, 'a resolver thread');
	return $began;
}

sub check_delays
{
	my ($what, @delays) = @_;
	my @sorted = sort { $a <=> $b } @delays;
	note sprintf '%s: %s ms', $what, join ', ', map { sprintf '%.0f', $_ } @delays;
	cmp_ok($sorted[ $#sorted / 2 ], '<', $LIMIT, "$what: within $LIMIT ms");
	return;
}

my $session = stuck_session();
my $pid     = $session->pid;
my @delays;

# A POST has not left the machine, so nothing is unknown.
send_stuck($session, q{SELECT stripe_request('POST', '/v1/customers', idempotency_key => 'stuck-1')});
is($control->sql("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $pid")->{stdout}, 'Extension', 'wait event');

# All but the two that cannot be blocked, 9 and 19.
my ($mask) = masks_of_threads($pid);
note "blocked in the resolver thread: $mask";
is(sprintf('%b', hex($mask) & 0x7fffffff), sprintf('%b', 0x7fffffff & ~(1 << 8 | 1 << 18)), 'the resolver thread blocks all signals');
push @delays, milliseconds(
	sub {
		$control->sql("SELECT pg_cancel_backend($pid)");
		my $result = $session->result;
		is($result->{sqlstate}, '57014', 'canceled: SQLSTATE 57014');
		like($result->{context}, qr{^Stripe request POST /v1/customers with idempotency key "stuck-1"}, 'canceled: the outcome is known');
	});

foreach (2 .. $TRIES)
{
	send_stuck($session);
	push @delays, milliseconds(sub { $control->send("SELECT pg_cancel_backend($pid)"); $session->result });
	$control->result;
}
check_delays('pg_cancel_backend', @delays);

# The threads still wait for an answer, and calls to other hosts do not.
cmp_ok(scalar masks_of_threads($pid), '>=', 1, 'a resolver thread is still there');
$session->sql("SET memberpulse_stripe.api_base = '$base'");
my $next;
my $took = milliseconds(sub { $next = $session->sql($call) });
is($next->{stdout}, 'list', 'the next call works');
cmp_ok($took, '<', 2000, 'the next call does not wait for the resolver');

@delays = ();
$session->sql(q{SET memberpulse_stripe.api_base = 'https://stuck.test:1'});
foreach (1 .. $TRIES)
{
	$session->sql('SET statement_timeout = 400');
	my $began  = send_stuck($session);
	my $result = $session->result;
	push @delays, 1000 * (time - $began) - 400;
	is($result->{message}, 'canceling statement due to statement timeout', 'statement_timeout: message');
	$session->sql('RESET statement_timeout');
}
check_delays('statement_timeout', @delays);

# Our own time-out says what it waited for.
$session->sql(q{SET memberpulse_stripe.timeout = '300ms'});
my $late;
$took = milliseconds(sub { $late = $session->sql($call) });
like($late->{sqlstate}, qr/^0800[16]$/, 'timeout: SQLSTATE');
like($late->{detail}, qr/the request timed out while resolving the host name/, 'timeout: detail');
cmp_ok($took, '<', 1300, 'timeout: on time');

# A session ends although a thread of it still waits.
$took = milliseconds(sub { $session->quit; wait_until(sub { !-e "/proc/$pid" }) });
note sprintf 'a session with threads that wait: ended after %.0f ms', $took;
cmp_ok($took, '<', 2000, 'a session with threads that wait ends');

@delays = ();
foreach (1 .. $TRIES)
{
	my $victim = stuck_session();
	send_stuck($victim);
	my $result;
	push @delays, milliseconds(sub { $control->send('SELECT pg_terminate_backend(' . $victim->pid . ')'); $result = $victim->result });
	$control->result;
	is($result->{sqlstate}, '57P01', 'terminated: SQLSTATE 57P01');
}
check_delays('pg_terminate_backend', @delays);

# A name that does not exist.
$control->sql(q{SET memberpulse_stripe.api_base = 'https://missing.test'; SET memberpulse_stripe.max_retries = 0});
my $missing = $control->sql(q{SELECT stripe_request('POST', '/v1/customers')});
is($missing->{sqlstate}, '08001', 'a host that does not exist: SQLSTATE 08001');
like($missing->{hint}, qr/DNS/, 'a host that does not exist: hint');
unlike($missing->{stderr}, qr/unknown/, 'a host that does not exist: nothing is unknown');

# And the server stops, whatever its backends' threads do.
my $last = stuck_session();
send_stuck($last);
$took = milliseconds(sub { $node->stop('fast') });
is($last->result->{sqlstate}, '57P01', 'fast shutdown: SQLSTATE 57P01');
note sprintf 'fast shutdown: %.0f ms', $took;
cmp_ok($took, '<', 5000, 'fast shutdown: the server stopped');

done_testing();
