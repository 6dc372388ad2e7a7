# 001_interrupts.pl
#	  A backend that waits for Stripe serves interrupts at once, wherever its
#	  request hangs.
#
# Stages at which a request is made to hang:
#
#	connect		SYNs to a listener whose backlog is full are dropped
#	TLS			the server begins its half of the handshake and stops
#	headers		the request was taken, no answer comes
#	body		the answer stops in its middle
#	back-off	the answer asks to come again in 20 seconds
#
# Delays are from before the signal's cause to the client's error, so they
# hold psql's and this test's own time too.  The limit is for the median of
# several tries, because this machine may be busy with other tests.

use strict;
use warnings;

use IO::Socket::INET;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $LIMIT = 100;	# milliseconds
my $TRIES = 3;
my $fake  = start_fake_stripe();
my $node  = new_node(fake => $fake);

# A port at which connecting never ends.  The first of these fills the backlog
# and the others wait behind it.
my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 1)
  or die "listen: $!";
listen $full, 0 or die "listen: $!";
my @fillers = map {
	IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport, Proto => 'tcp', Blocking => 0)
	  // die "connect: $!"
} 1 .. 4;

my $customer = $node->safe_psql('postgres', q{SELECT stripe_create_customer(name => 'Ada')->>'id'});
my $get      = "SELECT stripe_request('GET', '/v1/customers/$customer')";
my $control  = $node->session;

# How many connections to it are not made yet: state 02 is SYN sent.
sub connecting
{
	my $port = sprintf '%04X', $full->sockport;
	return scalar grep { /^\s*\d+: \w+:\w+ 0100007F:$port 02 / } split /\n/, slurp_file('/proc/net/tcp');
}

# Fillers behind the first are in the state of the connection we wait for, so
# count them, when they all are where they will stay.
my $fillers = 0;
wait_until(
	sub {
		my $before = $fillers;
		$fillers = connecting();
		return $fillers > 0 && $fillers == $before;
	},
	10, 'the backlog to fill');

# What makes a stage hang, and how it shows that it does.
my @stages = (
	{
		name    => 'connect',
		begin   => sub { $_[0]->sql("SET memberpulse_stripe.api_base = 'https://127.0.0.1:" . $full->sockport . q{'}) },
		reached => sub { connecting() > $fillers },
		end     => sub { $_[0]->sql('RESET memberpulse_stripe.api_base') },
	},
	{
		name  => 'TLS',
		begin => sub {
			$fake->admin_delete('/connections');
			wait_until(sub { $fake->connections->{open} == 0 });
			$fake->fault({ type => 'hang_tls' });
		},
		reached => sub { $fake->admin_get('/faults')->[0]{seen} == 1 && $fake->connections->{open} == 1 },
	},
	{
		name    => 'headers',
		begin   => sub { $fake->fault({ type => 'hang_headers' }) },
		reached => sub { $fake->requests(fault => 'hang_headers') == 1 },
	},
	{
		name    => 'body',
		begin   => sub { $fake->fault({ type => 'hang_body' }) },
		reached => sub { $fake->requests(fault => 'hang_body') == 1 },
	},
	{
		name    => 'back-off',
		begin   => sub { $fake->fault({ type => 'status', status => 503, headers => { 'Retry-After' => '20' } }, count => 5) },
		reached => sub { $fake->requests(status => 503) == 1 },
	});

# Begin a call that hangs, and come back when it does.
sub hang
{
	my ($session, $stage, $sql) = @_;
	$fake->clear_faults;
	$fake->clear_requests;
	$stage->{begin}->($session);
	my $began = time;
	$session->send($sql // $get);
	wait_until($stage->{reached}, 10, "stage $stage->{name}");
	return $began;
}

# What a process has open, relations apart, which the server keeps for later.
sub descriptors
{
	my ($pid) = @_;
	my @open = map { readlink($_) // () } glob "/proc/$pid/fd/*";
	s/\d+// foreach @open;	 # of which socket, of which pipe
	return sort grep { !m{/(?:base|global|pg_xact|pg_wal)/} } @open;
}

sub unhang
{
	my ($session, $stage) = @_;
	$fake->clear_faults;
	$stage->{end}->($session) if $stage->{end} && $session;
	return;
}

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return $sorted[ $#sorted / 2 ];
}

sub check_delays
{
	my ($what, @delays) = @_;
	note sprintf '%s: %s ms', $what, join ', ', map { sprintf '%.0f', $_ } @delays;
	cmp_ok(median(@delays), '<', $LIMIT, "$what: within $LIMIT ms");
	return;
}

# Whether every try had this SQLSTATE; shows what it had instead.
sub check_states
{
	my ($what, $want, @results) = @_;
	is_deeply([ map { $_->{sqlstate} // $_->{stderr} } @results ], [ ($want) x @results ], "$what: SQLSTATE $want");
	return;
}

my $dbs = 0;

foreach my $stage (@stages)
{
	my $name    = $stage->{name};
	my $session = $node->session;
	my $pid     = $session->pid;
	my (@delays, @results, @next);

	is($session->sql($get)->{sqlstate}, undef, "$name: a first call works");
	my @descriptors = descriptors($pid);

	# While it hangs: the wait event, and a barrier.
	$node->safe_psql('postgres', 'CREATE DATABASE victim' . ++$dbs);
	hang($session, $stage);
	is($control->sql("SELECT state, wait_event_type FROM pg_stat_activity WHERE pid = $pid")->{stdout},
		'active|Extension', "$name: pg_stat_activity shows an extension's wait event");
	my $dropped;
	my $drop = milliseconds(sub { $dropped = $control->sql("SET statement_timeout = '10s'; DROP DATABASE victim$dbs; RESET statement_timeout") });
	ok($dropped->{ok}, "$name: another session drops a database") or diag $dropped->{stderr};
	note sprintf '%s: DROP DATABASE took %.0f ms', $name, $drop;
	cmp_ok($drop, '<', 1000, "$name: DROP DATABASE is not held up");
	ok(!$session->is_done, "$name: the request hangs as before");

	# This first hang and some more end by pg_cancel_backend.
	foreach my $try (1 .. $TRIES)
	{
		hang($session, $stage) if $try > 1;
		push @delays, milliseconds(sub { $control->send("SELECT pg_cancel_backend($pid)"); push @results, $session->result });
		is($control->result->{stdout}, 't', "$name: canceled");
		unhang($session, $stage);
		push @next, $session->sql($get);
	}
	check_states("$name, pg_cancel_backend", '57014', @results);
	is($results[0]{message}, 'canceling statement due to user request', "$name, pg_cancel_backend: message");
	check_delays("$name, pg_cancel_backend", @delays);

	(@delays, @results) = ();
	foreach (1 .. $TRIES)
	{
		$session->sql('SET statement_timeout = 400');
		my $began = hang($session, $stage);
		push @results, $session->result;
		push @delays,  1000 * (time - $began) - 400;
		$session->sql('RESET statement_timeout');
		unhang($session, $stage);
		push @next, $session->sql($get);
	}
	check_states("$name, statement_timeout", '57014', @results);
	is($results[0]{message}, 'canceling statement due to statement timeout', "$name, statement_timeout: message");
	check_delays("$name, statement_timeout", @delays);

	is_deeply([ map { $_->{stderr} } @next ], [ ('') x @next ], "$name: after each of them the next call works");
	is_deeply([ descriptors($pid) ], \@descriptors, "$name: no descriptor is left open");
	$session->quit;

	(@delays, @results) = ();
	foreach (1 .. $TRIES)
	{
		$session = $node->session;
		hang($session, $stage);
		push @delays, milliseconds(
			sub {
				$control->send('SELECT pg_terminate_backend(' . $session->pid . ')');
				push @results, $session->result;
			});
		is($control->result->{stdout}, 't', "$name: terminated");
		unhang(undef, $stage);
	}
	check_states("$name, pg_terminate_backend", '57P01', @results);
	check_delays("$name, pg_terminate_backend", @delays);
}

# All stages hang at once, and the server is stopped.
my %delays;
foreach my $try (1 .. $TRIES)
{
	my @sessions;
	foreach my $stage (@stages)
	{
		push @sessions, my $session = $node->session;
		hang($session, $stage);
	}
	my $pidfile = slurp_file($node->data_dir . '/postmaster.pid');
	my ($postmaster) = $pidfile =~ /^(\d+)/;
	my $began = time;
	kill 'INT', $postmaster;
	foreach my $i (0 .. $#sessions)
	{
		my $result = $sessions[$i]->result;
		push @{ $delays{ $stages[$i]{name} } }, 1000 * (time - $began);
		is($result->{sqlstate}, '57P01', "$stages[$i]{name}, fast shutdown: SQLSTATE 57P01");
	}
	wait_until(sub { !-e $node->data_dir . '/postmaster.pid' }, 60, 'the server to stop');
	my $stopped = 1000 * (time - $began);
	note sprintf 'the server had stopped after %.0f ms', $stopped;
	cmp_ok($stopped, '<', 5000, 'the server stopped');
	$control->quit;
	$fake->clear_faults;
	$node->_update_pid(0);
	$node->start;
	$control = $node->session;
}
check_delays("$_, fast shutdown", @{ $delays{$_} }) foreach map { $_->{name} } @stages;

# A postmaster that is gone takes waiting backends with it.
my $session = $node->session;
hang($session, $stages[2]);
$node->kill9;
my $gone = milliseconds(sub { $session->result });
note sprintf 'postmaster killed: the session had ended after %.0f ms', $gone;
cmp_ok($gone, '<', 2000, 'postmaster killed: a waiting backend exits');

done_testing();
