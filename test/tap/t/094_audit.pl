# 094_audit.pl
#	  The audit trail: what leaves a row, what is in it, who can read it, that
#	  nobody but a superuser changes it, and that it can be shortened.

use strict;
use warnings;

use JSON::PP;
use MemberPulse::Checks;
use MemberPulse::Keys;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $json = JSON::PP->new->canonical;
configure($node, master_key_file => master_key_file($node, 'first'));
my $s = $node->session;
value($s, q{CREATE ROLE adm LOGIN; CREATE ROLE bill LOGIN; CREATE ROLE red LOGIN; CREATE ROLE app LOGIN IN ROLE bill; CREATE ROLE adm2 LOGIN});
my $last = 0;

# Rows since the last look, as "account mode action session acting detail".
sub rows
{
	my $rows = value($s, "SELECT COALESCE(jsonb_agg(a ORDER BY id), '[]') FROM stripe.access_audit a WHERE id > $last");
	my $all  = $json->decode($rows);
	$last = $all->[-1]{id} if @$all;
	return @$all;
}

# One test: the statement leaves these rows, each a hash of what is in it.
sub leaves
{
	my ($session, $sql, $name, @want) = @_;
	my $r    = $session->sql($sql);
	my @rows = rows();
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(scalar @rows, scalar @want, "$name: rows") or diag($r->{stderr}, explain(\@rows));
	foreach my $i (0 .. $#want)
	{
		my %got = map { $_ => $rows[$i]{$_} } keys %{ $want[$i] };
		is_deeply(\%got, $want[$i], "$name: what is in it");
	}
	return $r;
}

rows();
my %super = (session_role => 'postgres', acting_role => 'postgres');
%super = map { $_ => value($s, 'SELECT current_user') } keys %super;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

#
# Settings, credentials, modes, rights
#
leaves($s, q{SELECT stripe_configure('org1', currency => 'usd')}, 'settings', { %super, account => 'org1', action => 'configure', livemode => undef });
is(value($s, "SELECT detail ->> 'currency' FROM stripe.access_audit WHERE id = $last"), 'usd', 'the new settings are in the row');
leaves($s, q{SELECT stripe_configure('org1', mode => 'live')}, 'the mode', { %super, account => 'org1', action => 'mode', livemode => $true });
leaves($s, q{SELECT stripe_configure('org1', mode => 'test')}, 'and back', { %super, account => 'org1', action => 'mode', livemode => $false });
leaves($s, q{SELECT stripe_set_credentials('org1', 'test', secret_key => 'sk_test_auditKey000001', webhook_secret => 'whsec_auditKey000002')}, 'credentials',
	{ %super, account => 'org1', action => 'credentials', livemode => $false, detail => { account => 'org1', mode => 'test', secret_key => '0001', webhook_secret => '0002' } });
leaves($s, q{SELECT stripe_set_credentials('org1', 'live', secret_key => 'sk_live_auditKey000003')}, 'of the other mode',
	{ account => 'org1', action => 'credentials', livemode => $true, detail => { account => 'org1', mode => 'live', secret_key => '0003' } });
leaves($s, q{SELECT stripe_grant('adm', 'admin', 'org1')}, 'a grant', { %super, account => 'org1', action => 'grant', livemode => undef, detail => { role => 'adm', level => 'admin' } });
my $a = $node->session(user => 'adm');
leaves($a, q{SELECT stripe_grant('bill', 'biller', 'org1')}, 'one by an administrator', { session_role => 'adm', acting_role => 'adm', account => 'org1', action => 'grant', detail => { role => 'bill', level => 'biller' } });
leaves($a, q{SELECT stripe_grant('red', 'reader', 'org1')}, 'another', { action => 'grant', detail => { role => 'red', level => 'reader' } });
leaves($a, q{SELECT stripe_revoke('red', 'org1')}, 'one taken back', { session_role => 'adm', account => 'org1', action => 'revoke', detail => { role => 'red' } });
leaves($a, q{SELECT stripe_revoke('red', 'org1')}, 'what was not there to be taken back');
leaves($a, q{SELECT stripe_grant('red', 'reader', 'org1')}, 'given again', { action => 'grant' });
leaves($s, q{SELECT stripe_grant('adm2', 'admin', 'org2')}, 'of another account', { account => 'org2' });
leaves($s, q{SELECT stripe_reseal()}, 'resealing', { %super, account => '*', action => 'reseal' });
leaves($s, q{SELECT stripe_adopt()}, 'adoption', { %super, account => '*', action => 'adopt' });

#
# Use of keys
#
my $b   = $node->session(user => 'bill');
my $PAY = q{SELECT stripe_create_intent(2500, payment_method => 'pm_card_visa', confirm => true, return_url => 'https://club.example/', account => 'org1', idempotency_key => '%s') ->> 'id'};
my $r   = leaves($b, sprintf($PAY, 'audit-1'), 'a call', { session_role => 'bill', acting_role => 'bill', account => 'org1', livemode => $false, action => 'call',
		detail => { function => 'stripe_create_intent', path => '/v1/payment_intents', idempotency_key => 'audit-1' } });
my $id = $r->{stdout};
leaves($a, qq{SELECT stripe_refund('$id', 100, account => 'org1')}, 'a refund', { session_role => 'adm', acting_role => 'adm', account => 'org1', livemode => $false, action => 'refund' });
like(value($s, "SELECT detail ->> 'path' FROM stripe.access_audit WHERE id = $last"), qr{^/v1/refunds$}, 'and what was asked for');
my $b2 = $node->session(user => 'bill');
leaves($b2, qq{SELECT stripe_get_payment('$id', account => 'org1')}, 'a read, the first of a session', { session_role => 'bill', account => 'org1', action => 'read', livemode => $false, detail => { function => 'stripe_get_payment' } });
leaves($b2, qq{SELECT stripe_get_payment('$id', account => 'org1')}, 'further ones');
leaves($b2, sprintf($PAY, 'audit-2'), 'a call after it', { action => 'call' });
value($s, q{SELECT stripe_configure('org1', mode => 'live')});
rows();
leaves($b2, q{SELECT stripe_list('/v1/customers', account => 'org1')}, 'a read with the other mode\'s key', { action => 'read', livemode => $true });
value($s, q{SELECT stripe_configure('org1', mode => 'test')});
rows();

# Who acts and who connected are not the same.
my $p = $node->session(user => 'app');
leaves($p, sprintf($PAY, 'audit-3'), 'a member of a role', { session_role => 'app', acting_role => 'app', action => 'call' });
value($s, 'GRANT bill TO adm2');
my $a2 = $node->session(user => 'adm2');
value($a2, 'SET ROLE bill');
leaves($a2, sprintf($PAY, 'audit-4'), 'one who acts in another role', { session_role => 'adm2', acting_role => 'bill', action => 'call' });
value($a2, 'RESET ROLE');
value($s, 'REVOKE bill FROM adm2');
value($b, q{SET application_name = 'the till'});
leaves($b, sprintf($PAY, 'audit-5'), 'from where', { application_name => 'the till', client_address => undef });
is(value($s, "SELECT at BETWEEN now() - interval '1 minute' AND now() FROM stripe.access_audit WHERE id = $last"), 't', 'and when');

# What is rolled back here was used all the same; the next use is on record.
my $b3 = $node->session(user => 'bill');
leaves($b3, qq{BEGIN; SELECT stripe_get_payment('$id', account => 'org1'); ROLLBACK}, 'a read that is rolled back');
leaves($b3, qq{SELECT stripe_get_payment('$id', account => 'org1')}, 'the next', { action => 'read', session_role => 'bill' });
my $b4 = $node->session(user => 'bill');
leaves($b4, qq{BEGIN READ ONLY; SELECT stripe_get_payment('$id', account => 'org1'); COMMIT}, 'a read where nothing can be written');
leaves($b4, qq{SELECT stripe_get_payment('$id', account => 'org1')}, 'the next where it can', { action => 'read', session_role => 'bill' });

# What was refused before anything happened leaves nothing.
leaves($b, q{SELECT stripe_create_intent(2500, account => 'org2')}, 'a call refused');
leaves($b, q{SELECT stripe_create_intent(-1, account => 'org1')}, 'a wrong argument');
leaves($a, q{SELECT stripe_set_credentials('org1', secret_key => 'sk_live_auditKey000009')}, 'a key refused');

unlike(value($s, 'SELECT jsonb_agg(a)::text FROM stripe.access_audit a'), qr/auditKey|sk_test|sk_live|whsec/, 'no row holds a key');

#
# Who can read it, and that nobody can change it
#
is(value($a, q{SELECT string_agg(DISTINCT account, ',') FROM stripe.access_audit}), 'org1', 'an administrator reads what happened to the account');
is(value($a2, q{SELECT string_agg(DISTINCT account, ',') FROM stripe.access_audit}), 'org2', 'another that of another');
foreach my $session ([ adm => $a ], [ bill => $b ], [ red => $node->session(user => 'red') ])
{
	foreach my $sql ('DELETE FROM stripe.access_audit', q{UPDATE stripe.access_audit SET acting_role = 'adm2'}, 'TRUNCATE stripe.access_audit', 'DROP TABLE stripe.access_audit',
		q{INSERT INTO stripe.access_audit (account, action, session_role, acting_role) VALUES ('org1', 'read', 'adm2', 'adm2')},
		'ALTER TABLE stripe.access_audit DISABLE ROW LEVEL SECURITY', q{SELECT setval('stripe.access_audit_id_seq', 1)}, q{SELECT stripe_prune_audit('0')},
		q{SELECT * FROM stripe.access_audit FOR UPDATE}, q{MERGE INTO stripe.access_audit a USING (SELECT 1) x ON true WHEN MATCHED THEN DELETE})
	{
		is($session->[1]->sql($sql)->{sqlstate}, '42501', "$session->[0]: $sql");
	}
}
value($s, 'GRANT EXECUTE ON FUNCTION stripe_prune_audit TO adm');
is($a->sql(q{SELECT stripe_prune_audit('0')})->{sqlstate}, '42501', 'not even one who may execute stripe_prune_audit()');

#
# Retention
#
my $count = value($s, 'SELECT count(*) FROM stripe.access_audit');
is(value($s, q{SELECT stripe_prune_audit('1 day')}), '0', 'nothing is older than a day');
value($s, q{UPDATE stripe.access_audit SET at = at - interval '100 days' WHERE account = 'org2'; UPDATE stripe.access_audit SET at = at - interval '20 days' WHERE action = 'grant' AND account = 'org1'});
is(value($s, q{SELECT stripe_prune_audit('90 days')}), '1', 'a row that is older goes');
is(value($s, q{SELECT count(*) FROM stripe.access_audit}), $count - 1, 'no other');
is(value($s, q{SELECT stripe_prune_audit('10 days')}), '4', 'older ones go with a shorter time');
is(value($s, q{SELECT stripe_prune_audit(NULL)}), '0', 'without a time nothing does');
$_->quit foreach $s, $a, $a2, $b, $b2, $b3, $b4, $p;
done_testing();
