# 098_doctor.pl
#	  stripe_doctor(): a row for each check, each shown to fail when its cause
#	  is there and to be well again when it is gone.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Keys;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
configure($node, master_key_file => master_key_file($node, 'first'));
my $s = $node->session;
value($s, q{SET memberpulse_stripe.max_retries = 0; SELECT stripe_configure('org1')});

# What the doctor says of one check, as "status: seen / advice".
sub says
{
	my ($check, $want, $name, $account, $deep) = @_;
	my $said = value($s, sprintf q{SELECT status || ': ' || seen || ' / ' || COALESCE(advice, '')
		FROM stripe_doctor('%s', deep => %s) WHERE name = '%s'}, $account // 'org1', $deep // 'false', $check);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($said, $want, $name);
	unlike($said, qr/[sr]k_(?:test|live)_\w{9}|whsec_\w{9}/, "$name: no key is shown");
	return;
}

is(value($s, q{SELECT string_agg(name, ' ' ORDER BY name) FROM stripe_doctor('org1')}), 'events keys original preload', 'the fast checks');
is(value($s, q{SELECT count(*) FROM stripe_doctor('org1', deep => true) WHERE name = 'connection'}), '1', 'and the deep one');
is(value($s, q{SELECT count(*) FROM stripe_doctor() WHERE status NOT IN ('ok', 'warning', 'problem')}), '0', 'the states');

# keys
says('keys', qr/^problem: Account "org1" has no secret key of the test mode\. \/ Set it/, 'no key');
value($s, q{SELECT stripe_set_credentials('org1', 'test', secret_key => 'sk_test_doctor0000001')});
says('keys', qr/^warning: Account "org1" has no webhook secret of the test mode\. \/ Set it/, 'no webhook secret');
value($s, q{SELECT stripe_set_credentials('org1', 'test', webhook_secret => 'whsec_doctor0000001')});
says('keys', qr/^ok: .* \/ $/, 'both keys');
says('keys', qr/^problem: account "nobody" is not configured \/ Create it/, 'no account', 'nobody');

# connection
says('connection', qr/^ok: Stripe accepted the key/, 'a good key', 'org1', 'true');
$fake->register_key(key => 'sk_test_doctorRevoked01', status => 'revoked');
value($s, q{SELECT stripe_set_credentials('org1', 'test', secret_key => 'sk_test_doctorRevoked01')});
says('connection', qr/^problem: .*401.* \/ Set a key that is valid now/, 'a revoked key', 'org1', 'true');

# original
says('original', qr/^ok: /, 'the original');
value($s, q{INSERT INTO stripe.homes (system_identifier, database, adopted) VALUES ('1', 1, false)});
says('original', qr/^problem: This database is a copy .* \/ .*stripe_adopt/, 'a copy');
value($s, q{SELECT stripe_adopt()});
says('original', qr/^ok: /, 'a copy that was adopted');

# events
says('events', qr/^ok: No event failed/, 'no failed event');
value($s, q{INSERT INTO stripe.events (account, livemode, id, type, created, state, payload)
	VALUES ('org1', false, 'evt_doctor', 'customer.created', now(), 'failed', '{}')});
says('events', qr/^problem: 1 events failed to apply, and 0 wait\. \/ .*stripe_retry_events/, 'a failed event');
says('events', qr/^ok: /, 'of another account', 'default');

# preload
says('preload', qr/^warning: The library is not in shared_preload_libraries/, 'not preloaded');
$s->quit;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'memberpulse_stripe'");
$node->restart;
$s = $node->session;
says('preload', qr/^ok: /, 'preloaded');

raises($s, q{SET ROLE pg_monitor; SELECT stripe_doctor()}, '42501', 'only administrators may ask', message => qr{permission denied});

$s->quit;
$node->stop;
done_testing();
