# 095_copies.pl
#	  A copy of a database does not act for live accounts until it is told to:
#	  made from a template, or restored from a dump.  A promoted standby is no
#	  copy.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Keys;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake, init => { allows_streaming => 1 }, conf => 'autovacuum = off');
my $key  = master_key_file($node, 'first');
configure($node, master_key_file => $key);
my $s = $node->session;
value($s, q{CREATE ROLE adm LOGIN;
	SELECT stripe_configure('live1', mode => 'live'); SELECT stripe_set_credentials('live1', 'live', secret_key => 'sk_live_copyTest0001');
	SELECT stripe_configure('test1'); SELECT stripe_set_credentials('test1', secret_key => 'sk_test_copyTest0002');
	SELECT stripe_grant('adm', 'admin', '*')});
my $PAY = q{SELECT stripe_create_intent(2500, order_type => 'event', order_id => 'T-1', account => '%s') ->> 'livemode'};
is(value($s, sprintf $PAY, 'live1'), 'true', 'the original pays for a live account');
is(value($s, 'SELECT count(*) FROM stripe.homes'), '1', 'and knows one home');
is(value($s, 'SELECT adopted FROM stripe.homes'), 'f', 'which it never had to adopt');
my $id = value($s, q{SELECT id FROM stripe.payment_intents WHERE livemode LIMIT 1});

# What a copy may and may not do; the session is one of it.
sub is_a_copy
{
	my ($session, $what) = @_;
	my $sent = () = $fake->requests;
	foreach my $call (sprintf($PAY, 'live1'), qq{SELECT stripe_cancel_intent('$id', account => 'live1')}, q{SELECT stripe_delete_customer('cus_1', account => 'live1')},
		q{SELECT stripe_request('POST', '/v1/customers', account => 'live1')}, qq{SELECT stripe_refund('$id', account => 'live1')},
		q{SELECT stripe_ensure_customer('m-1', account => 'live1')}, q{SELECT ok FROM stripe_try_request('POST', '/v1/customers', account => 'live1')})
	{
		raises($session, $call, 'ST010', "$what: $call", message => qr/^this database is a copy and does not act for the live account "live1"$/,
			detail => qr/came from another database/, hint => qr/stripe_adopt\(\)/);
	}
	is(scalar(grep { $_->{method} ne 'GET' } ($fake->requests)[ $sent .. scalar(() = $fake->requests) - 1 ]), 0, "$what: no request that changes anything was sent");
	is(value($session, qq{SELECT stripe_get_payment('$id', account => 'live1') ->> 'id'}), $id, "$what: reads work");
	ok($session->sql(q{SELECT stripe_list('/v1/customers', account => 'live1') LIMIT 1})->{ok}, "$what: lists do");
	is(value($session, q{SELECT status FROM stripe_order_status('event', 'T-1', 'live1')}), 'pending', "$what: and what is here");
	is(value($session, sprintf $PAY, 'test1'), 'false', "$what: test accounts go on");
	return;
}

sub adopts
{
	my ($session, $adm, $what) = @_;
	is($adm->sql('SELECT stripe_adopt()')->{sqlstate}, '42501', "$what: an administrator of accounts does not adopt");
	value($session, 'BEGIN; SELECT stripe_adopt(); ROLLBACK');
	is($session->sql(sprintf $PAY, 'live1')->{sqlstate}, 'ST010', "$what: nor one who rolls back");
	is($adm->sql(sprintf $PAY, 'live1')->{sqlstate}, 'ST010', "$what: for another session");
	is(value($session, 'SELECT stripe_adopt()'), 't', "$what: adopted");
	is(value($session, sprintf $PAY, 'live1'), 'true', "$what: it pays");
	is(value($adm, sprintf $PAY, 'live1'), 'true', "$what: in every session");
	is(value($session, 'SELECT stripe_adopt()'), 'f', "$what: and is no copy any more");
	cmp_ok(value($session, q{SELECT count(*) FROM stripe.access_audit WHERE action = 'adopt'}), '>=', 1, "$what: which is on record");
	return;
}

#
# A template
#
$s->quit;
$node->safe_psql('template1', 'CREATE DATABASE twin TEMPLATE postgres');
my $twin = $node->session(dbname => 'twin');
my $twin_adm = $node->session(dbname => 'twin', user => 'adm');
is_a_copy($twin, 'a database from a template');
adopts($twin, $twin_adm, 'a database from a template');
$s = $node->session;
is(value($s, sprintf $PAY, 'live1'), 'true', 'the original is untouched');
$_->quit foreach $twin, $twin_adm;

# Its own copy is a copy again, and so is one that goes back to the original's name.
$node->safe_psql('template1', 'CREATE DATABASE grandchild TEMPLATE twin');
my $grandchild = $node->session(dbname => 'grandchild');
is($grandchild->sql(sprintf $PAY, 'live1')->{sqlstate}, 'ST010', 'a copy of an adopted copy is a copy');
$grandchild->quit;
$node->safe_psql('template1', 'DROP DATABASE grandchild');
$node->safe_psql('template1', 'CREATE DATABASE grandchild');
$node->safe_psql('grandchild', 'CREATE EXTENSION memberpulse_stripe');
is($node->safe_psql('grandchild', q{SELECT stripe_configure('x', mode => 'live') ->> 'mode'}), 'live', 'a new database of the name');
is($node->run_sql(q{SELECT stripe_set_credentials('x', secret_key => 'sk_live_copyTest0003'); SELECT stripe_create_customer(account => 'x') ->> 'object'}, dbname => 'grandchild')->{ok}, 1, 'is no copy');

# A renamed database is the same one.
$s->quit;
$node->safe_psql('template1', 'ALTER DATABASE postgres RENAME TO renamed');
is($node->run_sql(sprintf($PAY, 'live1'), dbname => 'renamed')->{stdout}, 'true', 'a renamed database is no copy');
$node->safe_psql('template1', 'ALTER DATABASE renamed RENAME TO postgres');

#
# A dump, restored beside the original, in another cluster, and over the original
#
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'a dump');
$node->safe_psql('template1', 'CREATE DATABASE beside');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('beside') ], 'restored beside the original');
my $beside = $node->session(dbname => 'beside');
my $beside_adm = $node->session(dbname => 'beside', user => 'adm');
is_a_copy($beside, 'a restored dump');
adopts($beside, $beside_adm, 'a restored dump');

my $other = new_node(fake => $fake, extension => 0);
configure($other, master_key_file => $key);
$other->safe_psql('postgres', 'CREATE ROLE adm LOGIN; CREATE DATABASE restored');
$other->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $other->connstr('restored') ], 'restored in another cluster');
my $far = $other->session(dbname => 'restored');
my $far_adm = $other->session(dbname => 'restored', user => 'adm');
is_a_copy($far, 'a dump in another cluster');
adopts($far, $far_adm, 'a dump in another cluster');
$_->quit foreach $far, $far_adm, $beside, $beside_adm;

#
# A standby
#
$node->backup('base');
my $standby = MemberPulse::Node->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->server_env(%{ $node->{server_env} });
$standby->start;
$node->wait_for_catchup($standby);
my $replica = $standby->session;
is(value($replica, qq{SELECT stripe_get_payment('$id', account => 'live1') ->> 'id'}), $id, 'a standby reads from Stripe');
is(value($replica, q{SELECT status FROM stripe_order_status('event', 'T-1', 'live1')}), 'pending', 'and what is here');
is($replica->sql(sprintf $PAY, 'live1')->{sqlstate}, '25006', 'it does not pay');
is($replica->sql(sprintf $PAY, 'test1')->{sqlstate}, '25006', 'not even for a test account');
$node->stop('immediate');
$standby->promote;
is(value($replica, sprintf $PAY, 'live1'), 'true', 'promoted, it goes on without asking, also in a session that was there before');
is(value($standby->session, q{SELECT count(*) FROM stripe.homes WHERE NOT adopted}), '1', 'and has no other home');
$replica->quit;
$standby->stop;

#
# In place: the database is the same, so it is no copy
#
$node->start;
my $clean = $node->basedir . '/clean.sql';
$node->command_ok([ 'pg_dump', '--clean', '--if-exists', '-f', $clean, '-d', $node->connstr('postgres') ], 'a dump that clears first');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $clean, '-d', $node->connstr('postgres') ], 'restored into the same database');
is($node->run_sql(sprintf $PAY, 'live1')->{stdout}, 'true', 'which goes on as the original it is');
done_testing();
