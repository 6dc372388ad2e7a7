# 097_connection_check.pl
#	  stripe_test_connection(): what it says of a good key and of everything
#	  that can be wrong, and that it raises nothing for what it can report.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Keys;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $key  = master_key_file($node, 'first');
configure($node, master_key_file => $key);
my $s = $node->session;
value($s, q{SET memberpulse_stripe.max_retries = 0; SELECT stripe_configure('org1'); CREATE ROLE bill LOGIN; SELECT stripe_grant('bill', 'biller', 'org1'); CREATE ROLE adm LOGIN; SELECT stripe_grant('adm', 'admin', 'org1')});

# The row as "name=value", and a test for each part given.
sub says
{
	my ($name, $account, %want) = @_;
	my @columns = qw(ok problem seen advice stripe_account mode clock_skew_s);
	my $r = $s->sql(sprintf q{SELECT concat_ws(E'\t', %s) FROM stripe_test_connection('%s')}, join(', ', map { "COALESCE($_\::text, '(null)')" } @columns), $account);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($r->{ok}, "$name: nothing is raised") or return diag($r->{stderr});
	my %got;
	@got{@columns} = split /\t/, $r->{stdout};
	foreach my $column (sort keys %want)
	{
		if (ref $want{$column}) { like($got{$column}, $want{$column}, "$name: $column") }
		else                    { is($got{$column}, $want{$column}, "$name: $column") }
	}
	unlike($r->{stdout}, qr/[sr]k_(?:test|live)_\w{9}/, "$name: no key is shown");
	# Who is told of a problem is told what to do.
	if ($got{problem} ne '(null)')
	{
		like($got{$_}, qr/^[A-Z].*\.$/s, "$name: $_ is a sentence") foreach qw(seen advice);
	}
	return;
}

sub set_key { my ($secret, $mode) = @_; return value($s, sprintf q{SELECT stripe_set_credentials('org1', '%s', secret_key => '%s')}, $mode // 'test', $secret) }

#
# Good keys
#
my %good = (ok => 'true', problem => '(null)', advice => '(null)', stripe_account => qr/^acct_/, mode => 'test', clock_skew_s => qr/^-?[01]$/);
says('the default account', 'default', %good, seen => qr/accepted the key/);
says('no key', 'org1', ok => 'false', problem => 'no_key', seen => qr/no secret key of the test mode/, advice => qr/stripe_set_credentials/, stripe_account => '(null)', clock_skew_s => '(null)');
set_key('sk_test_connection00001');
says('a key', 'org1', %good);
set_key('sk_live_connection00002', 'live');
value($s, q{SELECT stripe_configure('org1', mode => 'live')});
says('a live key', 'org1', %good, mode => 'live');
value($s, q{SELECT stripe_configure('org1', mode => 'test')});
is(($fake->requests)[-1]{method}, 'GET', 'asking changes nothing');

#
# Bad keys
#
$fake->register_key(key => 'sk_test_revoked00001', status => 'revoked');
$fake->register_key(key => 'sk_test_expired00001', status => 'expired');
foreach my $status (qw(revoked expired))
{
	set_key("sk_test_${status}00001");
	says("a key that is $status", 'org1', ok => 'false', problem => 'bad_key', mode => 'test', seen => qr/./, advice => qr/key/i, stripe_account => '(null)');
}
value($s, q{SELECT stripe_configure('default', mode => 'live')});
says('the environment\'s key of the other mode', 'default', ok => 'false', problem => 'wrong_mode', mode => 'live', seen => qr/live mode.*the other/, advice => qr/stripe_configure/);
value($s, q{SELECT stripe_configure('default', mode => 'test')});
says('and of the right mode again', 'default', %good);

#
# Restricted keys
#
my %all = map { $_ => 'write' } qw(customers payment_methods payment_intents setup_intents charges refunds products prices subscriptions invoices events);
$fake->register_key(key => 'rk_test_everything0001', permissions => { %all, account => 'read' });
set_key('rk_test_everything0001');
says('a restricted key that may all', 'org1', %good);
$fake->register_key(key => 'rk_test_noaccount00001', permissions => \%all);
set_key('rk_test_noaccount00001');
says('one that may not read the account', 'org1', ok => 'true', problem => '(null)', seen => qr/restricted key/);
$fake->register_key(key => 'rk_test_lacking000001', permissions => { %all, account => 'read', refunds => 'none', charges => 'none' });
set_key('rk_test_lacking000001');
says('one that lacks something', 'org1', ok => 'false', problem => 'restricted_key', seen => qr/may not read: charges, refunds\b/, advice => qr/./);
$fake->register_key(key => 'rk_test_lacking000002', permissions => { customers => 'read' });
set_key('rk_test_lacking000002');
says('one that lacks nearly all', 'org1', ok => 'false', problem => 'restricted_key', seen => qr/payment_methods, payment_intents, setup_intents, charges, refunds/);
unlike($s->sql(q{SELECT seen FROM stripe_test_connection('org1')})->{stdout}, qr/may not read: .*customers/, 'what it may is not named');
set_key('sk_test_connection00001');

#
# The way there
#
foreach my $case ([ 'a certificate of an authority that is not known', $fake->unknown_ca ], [ 'one of another host', $fake->wrong_host ], [ 'one that has expired', $fake->expired ])
{
	value($s, "SET memberpulse_stripe.api_base = '$case->[1]'");
	says($case->[0], 'org1', ok => 'false', problem => 'certificate', seen => qr/certificate/i, advice => qr/clock.*memberpulse_stripe\.ca_file/s, clock_skew_s => '(null)');
}
my $closed = PostgreSQL::Test::Cluster::get_free_port();
value($s, "SET memberpulse_stripe.api_base = 'https://127.0.0.1:$closed'");
says('a port that is closed', 'org1', ok => 'false', problem => 'unreachable', advice => qr/network.*memberpulse_stripe\.api_base/s);
value($s, q{RESET memberpulse_stripe.api_base; SET memberpulse_stripe.timeout = '300ms'});
$fake->fault({ type => 'hang_headers' });
says('no answer', 'org1', ok => 'false', problem => 'timeout', advice => qr/memberpulse_stripe\.timeout/);
$fake->clear_faults;
value($s, 'RESET memberpulse_stripe.timeout');
$fake->fault({ type => 'server_error', status => 500 });
says('Stripe fails', 'org1', ok => 'false', problem => 'stripe', seen => qr/500/);
$fake->fault({ type => 'garbage' });
says('nonsense in between', 'org1', ok => 'false', problem => 'stripe', seen => qr/./);
$fake->clear_faults;
value($s, q{SET statement_timeout = '300ms'});
$fake->fault({ type => 'hang_headers' });
is($s->sql(q{SELECT stripe_test_connection('org1')})->{sqlstate}, '57014', 'it can be cancelled');
$fake->clear_faults;
value($s, 'RESET statement_timeout');

#
# Clocks
#
foreach my $case ([ 'slow', 600 ], [ 'fast', -600 ])
{
	my ($how, $offset) = @$case;
	$fake->admin_post('/clock', { offset_ms => 1000 * $offset });
	says("a clock that is $how", 'org1', ok => 'false', problem => 'clock_skew', clock_skew_s => qr/^@{[ $offset > 0 ? '-' : '' ]}(?:599|600|601)$/, seen => qr/seconds/, advice => qr/NTP/);
}
$fake->admin_post('/clock', { offset_ms => 30_000 });
says('a clock that is nearly right', 'org1', %good, clock_skew_s => qr/^-(?:29|30|31)$/);
$fake->admin_post('/clock', { offset_ms => 0 });

#
# Settings of ours
#
rename $key, "$key.away";
$s->quit;
$s = $node->session;
my $away = $s->sql(q{SELECT ok, problem FROM stripe_test_connection('org1')});
rename "$key.away", $key;
ok(($away->{sqlstate} // '') eq 'ST010' && $away->{message} =~ /master key file/ || $away->{stdout} =~ /^f\|./, 'a master key file that is missing is named, or reported') or diag($away->{stderr}, $away->{stdout});
says('and with it', 'org1', %good);
raises($s, q{SELECT * FROM stripe_test_connection('nowhere')}, 'ST010', 'an account that is none', message => qr/not configured/);
is($node->run_sql(q{SELECT ok FROM stripe_test_connection('org1')}, user => 'adm')->{stdout}, 't', 'an administrator asks');
is($node->run_sql(q{SELECT ok FROM stripe_test_connection('default')}, user => 'adm')->{sqlstate}, '42501', 'for the own account');
is($node->run_sql(q{SELECT ok FROM stripe_test_connection('org1')}, user => 'bill')->{sqlstate}, '42501', 'a biller does not');
is(scalar(grep { $_->{method} ne 'GET' } $fake->requests), 0, 'nothing but questions was sent');
$s->quit;
done_testing();
