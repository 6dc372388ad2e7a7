# 100_order.pl
#	  Whatever the order in which Stripe's events come, however often, mixed
#	  with answers of the API and over several connections, the tables end up
#	  as causal order leaves them, and nobody ever sees a membership active that
#	  causal order never had active.
#
# The work is done by test/order/run.mjs, which has a small Stripe of its own;
# here it gets a server and its checks become tests.  It takes turns at three
# things: every order of consecutive events of the known scenarios, two objects
# at once in transactions that overlap, and random lives in random orders.
#
#	MP_FULL			every order of 7 events, all pairs, and 20,000 random orders
#	MP_ORDER_SEED	a seed to repeat, as a run prints it
#	MP_ORDER_ONLY	only scenarios whose name contains this

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Spec;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use MemberPulse::Node;

my $driver = File::Spec->rel2abs(dirname(__FILE__) . '/../../order/run.mjs');
my %size = $ENV{MP_FULL}
  ? (shuffles => 20_000, depth => 7, races => 1000)
  : (shuffles => 480, depth => 3, races => 12);
my @databases = map { "order_$_" } 1 .. 3;
my $json      = JSON::PP->new->utf8;
my %last;

my $node = MemberPulse::Node->new('order');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 60\nautovacuum_naptime = 5s");
$node->start;
foreach my $database (@databases)
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION memberpulse_stripe');
}

# One line of the driver's: a check, or what it says of the whole.
sub take_line
{
	my ($line) = @_;
	my $said = eval { $json->decode($line) };
	unless (defined $said)
	{
		fail("the driver says: $line");
	}
	elsif (defined $said->{name})
	{
		ok($said->{ok}, $said->{name}) or diag($said->{detail});
	}
	else
	{
		%last = (%last, %$said);
		note("seed $said->{seed}");
	}
	return;
}

my @command = (
	'node', $driver,
	'--host' => $node->host,
	'--port' => $node->port,
	'--user' => $node->safe_psql('postgres', 'SELECT current_user'),
	'--databases' => join(',', @databases),
	map { ("--$_" => $size{$_}) } sort keys %size);
push @command, '--seed' => $ENV{MP_ORDER_SEED} if defined $ENV{MP_ORDER_SEED};
push @command, '--only' => $ENV{MP_ORDER_ONLY} if defined $ENV{MP_ORDER_ONLY};

my ($rest, $err) = ('', '');
my $lines = sub {
	$rest .= $_[0];
	take_line($1) while $rest =~ s/\A(.*)\n//;
};
my $well = IPC::Run::run(\@command, '<', \undef, '>', $lines, '2>', \$err);
is($err, '', 'the driver reports no error of its own');
ok($well && $last{done}, 'the driver came to its end');
cmp_ok($last{shuffles} // 0, '>=', $size{shuffles}, 'all random orders were tried')
  unless defined $ENV{MP_ORDER_ONLY};
note(join ', ', map { "$_ $last{$_}" } grep { $_ ne 'done' } sort keys %last);
diag("seed $last{seed}: repeat with MP_ORDER_SEED=$last{seed}")
  unless Test::More->builder->is_passing;

$node->stop;
done_testing();
