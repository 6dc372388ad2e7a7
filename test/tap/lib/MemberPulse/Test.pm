# Test.pm
#	  What the Perl tests start with: a fake Stripe, servers that use it, and
#	  a way to wait for things.
#
# Example:
#
#	use MemberPulse::Test;
#	use Test::More;
#
#	my $fake = start_fake_stripe();
#	my $node = new_node(fake => $fake);
#	$fake->fault({ type => 'reset' }, path => '/v1/refunds');
#	my $r = $node->run_sql(q{SELECT stripe_refund('pi_1')});
#	is($r->{sqlstate}, '08007', 'the outcome is unknown');
#	done_testing();
#
# A test waits for conditions, with wait_until or poll_query_until, and never
# for a time it hopes is long enough.

package MemberPulse::Test;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use Time::HiRes ();

use PostgreSQL::Test::Utils;
use MemberPulse::FakeStripe;
use MemberPulse::Node;

our @EXPORT = qw(start_fake_stripe new_node wait_until milliseconds slowness);

my $nodes = 0;

# start_fake_stripe(args...): a MemberPulse::FakeStripe, gone when the last
# reference is.  The arguments go to script/fake-stripe.
sub start_fake_stripe
{
	return MemberPulse::FakeStripe->start(@_);
}

#
# new_node(option => value...): a server with the extension, started.
#
#	fake		a fake Stripe; its address and authority are configured
#	name		of the node, if it matters
#	http		true: talk to the fake without TLS
#	preload		true: in shared_preload_libraries
#	conf		further lines of postgresql.conf
#	env			further variables of the server; undef removes one.  A secret,
#				a publishable key and a webhook secret are there without
#	init		arguments of PostgreSQL::Test::Cluster's init
#	start		false: leave it to the test; implies extension
#	extension	false: no CREATE EXTENSION in the database "postgres"
#
sub new_node
{
	my (%option) = @_;
	my %known = map { $_ => 1 } qw(fake name http preload conf env init start extension);
	foreach (keys %option) { croak "new_node does not know \"$_\"" unless $known{$_} }

	my $node = MemberPulse::Node->new($option{name} // 'node' . ++$nodes);
	my %init = %{ $option{init} // {} };
	$node->init(%init, extra => [ @{ $init{extra} // [] }, '--encoding=UTF8', '--locale=C.UTF-8' ]);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'memberpulse_stripe'") if $option{preload};
	if (my $fake = $option{fake})
	{
		my $base = $option{http} ? $fake->http : $fake->https;
		my $ca   = $fake->ca;
		$node->append_conf('postgresql.conf', "memberpulse_stripe.api_base = '$base'\nmemberpulse_stripe.ca_file = '$ca'");
	}
	$node->append_conf('postgresql.conf', $option{conf}) if defined $option{conf};
	$node->server_env(%{ $option{env} // {} });
	if ($option{start} // 1)
	{
		$node->start;
		$node->safe_psql('postgres', 'CREATE EXTENSION memberpulse_stripe') if $option{extension} // 1;
	}
	return $node;
}

# wait_until(sub, seconds, what): call it until it returns something true, and
# return that; die after the seconds (30 unless given).
sub wait_until
{
	my ($condition, $seconds, $what) = @_;
	my $deadline = Time::HiRes::time() + ($seconds // 30);
	while (1)
	{
		my $result = $condition->();
		return $result if $result;
		croak 'waited in vain' . (defined $what ? " for $what" : '') if Time::HiRes::time() > $deadline;
		Time::HiRes::usleep(20_000);
	}
	return;
}

# milliseconds(sub): how long it took.
sub milliseconds
{
	my ($work) = @_;
	my $began = Time::HiRes::time();
	$work->();
	return 1000 * (Time::HiRes::time() - $began);
}

# How many times slower than usual the server may be: more than 1 where it runs
# under a sanitizer.  A limit on time is multiplied by this.
sub slowness
{
	return $ENV{MP_SLOWNESS} // 1;
}

1;
