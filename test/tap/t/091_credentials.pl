# 091_credentials.pl
#	  Sealed credentials: what is refused, what a row is bound to, what can be
#	  read back, how secrets roll, and what each fault of the master key file
#	  leads to.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Keys;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake, preload => 1, env => { STRIPE_SECRET_KEY => undef, STRIPE_PUBLISHABLE_KEY => undef, STRIPE_WEBHOOK_SECRET => undef });
my $s    = $node->session;
my $CALL = q{SELECT stripe_create_customer(account => 'org1') ->> 'object'};
my $KEYS = q{SELECT string_agg(concat_ws(' ', account, mode, purpose, last_four), ', ' ORDER BY account, mode, purpose, expires_at NULLS FIRST) FROM stripe.credential_status};

sub key_used { return (($fake->requests)[-1]{headers}{authorization} // '(no request)') =~ s/^Bearer //r }
sub set_key { my ($arguments) = @_; return "SELECT stripe_set_credentials($arguments)" }

#
# No master key
#
value($s, q{SELECT stripe_configure('org1')});
my $TEST = set_key(q{'org1', 'test', secret_key => 'sk_test_orgOneFirst0001'});
raises($s, $TEST, 'ST010', 'without a master key nothing is sealed', message => qr/^no master key file is configured$/, hint => qr/openssl rand -out FILE 32.*memberpulse_stripe\.master_key_file/);
is(value($s, 'SELECT count(*) FROM stripe.credentials'), '0', 'and nothing stored');

my $first = master_key_file($node, 'first');
configure($node, master_key_file => $first);

#
# Refusals
#
foreach my $case (
	[ q{'org1', 'test', secret_key => 'sk_live_abcdefgh12345678'},      'ST012', 'secret_key',      qr/live mode.*test mode/ ],
	[ q{'org1', 'live', secret_key => 'sk_test_abcdefgh12345678'},      'ST012', 'secret_key',      qr/test mode.*live mode/ ],
	[ q{'org1', 'live', secret_key => 'rk_test_abcdefgh12345678'},      'ST012', 'secret_key',      qr/test mode.*live mode/ ],
	[ q{'org1', 'test', publishable_key => 'pk_live_abcdefgh12345678'}, 'ST012', 'publishable_key', qr/live mode/ ],
	[ q{'org1', secret_key => 'sk_live_abcdefgh12345678'},              'ST012', 'secret_key',      qr/test mode/ ],
	[ q{'org1', 'test', secret_key => 'pk_test_abcdefgh12345678'},      'ST010', 'secret_key',      qr/is a publishable key/ ],
	[ q{'org1', 'test', publishable_key => 'sk_test_abcdefgh12345678'}, 'ST010', 'publishable_key', qr/is a secret key/ ],
	[ q{'org1', 'test', webhook_secret => 'sk_test_abcdefgh12345678'},  'ST010', 'webhook_secret',  qr/is a secret key/ ],
	[ q{'org1', 'test', secret_key => 'whsec_abcdefgh12345678'},        'ST010', 'secret_key',      qr/is a webhook secret/ ],
	[ q{'org1', 'test', secret_key => 'sk_test_'},                      'ST010', 'secret_key',      qr/too short/ ],
	[ q{'org1', 'test', secret_key => ''},                              'ST010', 'secret_key',      qr/is empty/ ],
	[ q{'org1', 'test', secret_key => 'sk_test_abcdefgh 12345678'},     'ST010', 'secret_key',      qr/space/ ],
	[ q{'org1', 'test', secret_key => E'sk_test_abcdefgh12345678\n'},   'ST010', 'secret_key',      qr/line break/ ],
	[ q{'org1', 'test', secret_key => 'sk_test_abcdefgh1234ä'},         'ST010', 'secret_key',      qr/no key has/ ],
	[ q{'org1', 'test', secret_key => 'sk_test_' || repeat('a', 300)},  'ST010', 'secret_key',      qr/too long/ ],
	[ q{'org1', 'test', secret_key => 'neverSeenHere'},                 'ST010', 'secret_key',      qr/does not begin with "sk_test_"/ ])
{
	my ($arguments, $state, $name, $detail) = @$case;
	my $error = raises($s, set_key($arguments), $state, $arguments, message => qr/^invalid value for argument "$name"$/, detail => $detail);
	unlike($error->{stderr}, qr/abcdefgh|neverSeenHere/, 'the refusal does not repeat it');
}
raises($s, set_key(q{'org1', 'production', secret_key => 'sk_test_abcdefgh12345678'}), '22023', 'a mode that is none', detail => qr/"live" or "test"/);
raises($s, set_key(q{'org1', 'test'}), '22023', 'nothing to set', message => qr/no credential was given/);
raises($s, set_key(q{'org1', 'test', secret_key => 'sk_test_abcdefgh12345678', webhook_secret => 'nonsense'}), 'ST010', 'one of two is wrong');
is(value($s, 'SELECT count(*) FROM stripe.credentials'), '0', 'none of these is stored, not even the good one of two');

#
# What can be read back
#
is(value($s, set_key(q{'org1', 'test', 'pk_test_orgOnePub0000004', 'sk_test_orgOneFirst0001', 'whsec_orgOneHook0000003'})),
	'{"mode": "test", "account": "org1", "secret_key": "0001", "webhook_secret": "0003", "publishable_key": "0004"}', 'setting says the last four characters');
is(value($s, set_key(q{'org1', 'live', secret_key => 'rk_live_orgOneLive0002'})), '{"mode": "live", "account": "org1", "secret_key": "0002"}', 'a restricted key serves as well');
is(value($s, $KEYS), 'org1 live secret_key 0002, org1 test publishable_key 0004, org1 test secret_key 0001, org1 test webhook_secret 0003', 'as does the view');
is(value($s, $CALL), 'customer', 'a call opens the key');
is(key_used(), 'sk_test_orgOneFirst0001', 'the one that was sealed');
is(value($s, q{SELECT bool_and(set_by = current_user AND set_at > now() - interval '1 minute') FROM stripe.credential_status}), 't', 'who set it and when');
is(value($s, q{SELECT last_used > now() - interval '1 minute' FROM stripe.credential_status WHERE mode = 'test' AND purpose = 'secret_key'}), 't', 'and when it was used last');
is(value($s, q{SELECT count(last_used) FROM stripe.credential_status}), '1', 'the others were not used');
is(value($s, q{SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'stripe.credential_status'::regclass AND attnum > 0}),
	'account mode purpose last_four set_at set_by expires_at last_used', 'the view shows no more than that');
is(value($s, q{SELECT bool_or(position(k IN encode(sealed, 'escape')) > 0) FROM stripe.credentials, unnest('{orgOne,sk_test,whsec,rk_live}'::text[]) k}), 'f', 'what is stored does not hold the key');
value($s, set_key(q{'org1', 'live', secret_key => 'rk_live_orgOneLive0002'}));
is(value($s, q{SELECT count(DISTINCT sealed) FROM stripe.credentials WHERE livemode}), '1', 'setting the same key again replaces it');
value($s, q{CREATE TABLE twice AS SELECT sealed FROM stripe.credentials WHERE livemode});
value($s, set_key(q{'org1', 'live', secret_key => 'rk_live_orgOneLive0002'}));
is(value($s, q{SELECT t.sealed = c.sealed FROM twice t, stripe.credentials c WHERE c.livemode}), 'f', 'sealed another way each time');

# Another kind is left alone.
value($s, set_key(q{'org1', 'test', publishable_key => 'pk_test_orgOnePub0000005'}));
is(value($s, $CALL), 'customer', 'setting one key');
is(key_used(), 'sk_test_orgOneFirst0001', 'leaves the others alone');

#
# A row belongs to its account, mode and purpose
#
value($s, q{SELECT stripe_configure('org2'); SELECT stripe_configure('org3', mode => 'live')});
my $COPY = q{INSERT INTO stripe.credentials (account, livemode, purpose, last_four, set_by, key_id, sealed)
	SELECT %s, last_four, set_by, key_id, sealed FROM stripe.credentials WHERE account = 'org1' AND NOT livemode AND purpose = '%s' AND serial = 0};
my %closed = (message => qr/^a credential of account "org[123]" does not open$/, detail => qr/belongs to another account, mode or purpose/, hint => qr/stripe_set_credentials/);
value($s, sprintf $COPY, q{'org2', false, 'secret_key'}, 'secret_key');
raises($s, $CALL =~ s/org1/org2/r, 'ST010', 'a row copied to another account does not open', %closed);
value($s, q{DELETE FROM stripe.credentials WHERE account = 'org2'});
value($s, sprintf $COPY, q{'org3', true, 'secret_key'}, 'secret_key');
raises($s, $CALL =~ s/org1/org3/r, 'ST010', 'nor to another account and mode', %closed);
value($s, q{DELETE FROM stripe.credentials WHERE account = 'org3'});
value($s, q{BEGIN; DELETE FROM stripe.credentials WHERE livemode; });
value($s, sprintf $COPY, q{'org1', true, 'secret_key'}, 'secret_key');
value($s, q{SELECT stripe_configure('org1', mode => 'live'); SAVEPOINT a});
raises($s, $CALL, 'ST010', 'nor to another mode of the same account', %closed);
value($s, 'ROLLBACK');
value($s, q{BEGIN; DELETE FROM stripe.credentials WHERE account = 'org1' AND NOT livemode AND purpose = 'secret_key'});
value($s, sprintf $COPY, q{'org1', false, 'secret_key'}, 'webhook_secret');
value($s, q{SAVEPOINT a});
raises($s, $CALL, 'ST010', 'nor to another purpose', %closed);
value($s, 'ROLLBACK');
foreach my $damage (q{set_byte(sealed, 3, get_byte(sealed, 3) # 1)}, q{set_byte(sealed, length(sealed) - 1, get_byte(sealed, length(sealed) - 1) # 1)},
	q{set_byte(sealed, 20, get_byte(sealed, 20) # 1)}, q{substr(sealed, 1, 27)}, q{''}, q{sealed || '\x00'}, q{sealed || decode(repeat('00', 1000), 'hex')})
{
	value($s, qq{BEGIN; UPDATE stripe.credentials SET sealed = $damage WHERE account = 'org1' AND NOT livemode AND purpose = 'secret_key'; SAVEPOINT a});
	raises($s, $CALL, 'ST010', "a damaged row does not open: $damage", %closed);
	value($s, 'ROLLBACK');
}
is(value($s, $CALL), 'customer', 'undamaged, it does');

#
# Two webhook secrets at once
#
my $HOOKS = q{SELECT string_agg(last_four || COALESCE(' ' || justify_hours(date_trunc('hour', expires_at - now() + interval '30 minutes')), ''), ', ' ORDER BY expires_at DESC) FROM stripe.credential_status WHERE mode = 'test' AND purpose = 'webhook_secret'};
is(value($s, $HOOKS), '0003', 'a single secret has no end');
value($s, set_key(q{'org1', webhook_secret => 'whsec_orgOneHook0000004'}));
is(value($s, $HOOKS), '0004, 0003 1 day', 'a new one lets the old one live for a day');
value($s, set_key(q{'org1', webhook_secret => 'whsec_orgOneHook0000005', webhook_overlap => '2 hours'}));
is(value($s, $HOOKS), '0005, 0003 1 day, 0004 02:00:00', 'or as long as is said');
value($s, q{UPDATE stripe.credentials SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL});
value($s, set_key(q{'org1', webhook_secret => 'whsec_orgOneHook0000006', webhook_overlap => '1 hour'}));
is(value($s, $HOOKS), '0006, 0005 01:00:00', 'expired ones go at the next change');
value($s, set_key(q{'org1', webhook_secret => 'whsec_orgOneHook0000007', webhook_overlap => '0'}));
is(value($s, q{SELECT count(*) FROM stripe.credential_status WHERE mode = 'test' AND purpose = 'webhook_secret' AND last_four = '0006' AND expires_at > now()}), '0', 'no overlap ends the old one at once');
value($s, set_key(q{'org1', 'live', webhook_secret => 'whsec_orgOneHookLive009'}));
is(value($s, q{SELECT count(*) FROM stripe.credential_status WHERE mode = 'live' AND purpose = 'webhook_secret' AND expires_at IS NULL}), '1', 'the modes\' secrets are apart');

#
# What is wrong with the master key file: calls are refused, nothing is lost
#
my $content = slurp_file($first);
my %broken = (
	missing           => [ sub { unlink $first }, qr/^the master key file is not usable$/, qr/could not be opened: No such file/, qr/memberpulse_stripe\.master_key_file/ ],
	'a directory'     => [ sub { unlink $first; mkdir $first, 0700 }, qr/^the master key file is not usable$/, qr/not a regular file/, qr/plain file/ ],
	'for the group'   => [ sub { chmod 0640, $first }, qr/^the master key file is not usable$/, qr/Others than the server's user may read/, qr/0600/ ],
	'for the world'   => [ sub { chmod 0604, $first }, qr/^the master key file is not usable$/, qr/Others than the server's user may read/, qr/0600/ ],
	'not readable'    => [ sub { chmod 0000, $first }, qr/^the master key file is not usable$/, qr/could not be opened: Permission denied/, qr/server's user may read/ ],
	'too short'       => [ sub { write_file($first, substr $content, 1) }, qr/^the master key file is not usable$/, qr/31 bytes instead of 32/, qr/openssl rand -out FILE 32/ ],
	'too long'        => [ sub { write_file($first, "$content\n") }, qr/^the master key file is not usable$/, qr/33 bytes instead of 32/, qr/openssl rand -out FILE 32/ ],
	'much too long'   => [ sub { write_file($first, unpack 'H*', $content) }, qr/^the master key file is not usable$/, qr/larger than|64 bytes instead/, qr/./ ],
	empty             => [ sub { write_file($first, '') }, qr/^the master key file is not usable$/, qr/0 bytes instead of 32/, qr/openssl rand -out FILE 32/ ],
	'another key'     => [ sub { write_file($first, scalar reverse $content) }, qr/^the master key file does not hold the key that sealed these credentials$/, qr/master key [0-9a-f]{16}/, qr/Restore that master key file/ ]);
my $rows = value($s, 'SELECT md5(jsonb_agg(c ORDER BY c)::text) FROM stripe.credentials c');
my $asked = () = $fake->requests;
foreach my $fault (sort keys %broken)
{
	my ($break, $message, $detail, $hint) = @{ $broken{$fault} };
	$break->();
	my $session = $node->session;
	raises($session, $CALL, 'ST010', "the master key file: $fault", message => $message, detail => $detail, hint => $hint);
	unless ($fault eq 'another key')
	{
		raises($session, $TEST, 'ST010', "nothing is sealed then: $fault", message => $message);
		raises($session, 'SELECT stripe_reseal()', 'ST010', "nor resealed: $fault", message => $message);
	}
	is(value($s, 'SELECT md5(jsonb_agg(c ORDER BY c)::text) FROM stripe.credentials c'), $rows, "nothing is lost: $fault");
	is($session->sql(q{SELECT count(*) FROM stripe_order_status('event', 'T-1', 'org1')})->{stdout}, '1', "what asks nothing of Stripe works: $fault");
	is($session->sql(q{SELECT stripe.livemode('org1')})->{stdout}, 'f', "and the mode is known: $fault");
	-d $first ? rmdir $first : unlink $first;
	write_file($first, $content);
	$session->sql('SELECT 1');
	is(value($session, $CALL), 'customer', "with the file back the same session calls again: $fault");
	$asked++;
	is(scalar(() = $fake->requests), $asked, "and only that was sent: $fault");
}

# An old master key file that is broken matters to those rows only that need it.
configure($node, old_master_key_file => $node->basedir . '/none');
is(value($node->session, $CALL), 'customer', 'an old master key file that is missing and not needed');
configure($node, old_master_key_file => undef);

#
# Resealing, while calls go on
#
my $second = master_key_file($node, 'second');
my @callers = map { $node->session } 1 .. 2;

# Each caller calls in a loop, a statement a call; with the key opened anew in
# sessions that come and go as well.
sub keep_calling
{
	my ($what, $between) = @_;
	my $failed = 0;
	foreach my $turn (1 .. 8)
	{
		$_->send($CALL) foreach @callers;
		$between->() if $turn == 4;
		my $new = $node->session;
		foreach my $r ((map { $_->result } @callers), $new->sql($CALL))
		{
			$failed++ unless $r->{ok};
			diag($r->{stderr}) unless $r->{ok};
		}
		$new->quit;
	}
	is($failed, 0, "no call fails: $what");
	return;
}

keep_calling('both keys are configured', sub { configure($node, master_key_file => $second, old_master_key_file => $first) });
my $admin = $node->session;
is(value($s, 'SELECT count(DISTINCT key_id) FROM stripe.credentials'), '1', 'all rows are sealed under one key');
my $n = value($s, 'SELECT count(*) FROM stripe.credentials');
my $old_id = value($s, 'SELECT DISTINCT key_id FROM stripe.credentials');
keep_calling('credentials are resealed', sub { is(value($admin, 'SELECT stripe_reseal()'), $n, 'all rows move') });
isnt(value($s, 'SELECT string_agg(DISTINCT key_id, \' \') FROM stripe.credentials'), $old_id, 'to the new key');
is(value($s, 'SELECT count(DISTINCT key_id) FROM stripe.credentials'), '1', 'all of them');
is(value($admin, 'SELECT stripe_reseal()'), '0', 'once');

keep_calling('the old master key is taken away', sub { configure($node, old_master_key_file => undef) });
unlink $first;
is(value($node->session, $CALL), 'customer', 'the old file is needed no more');
is(key_used(), 'sk_test_orgOneFirst0001', 'the keys are the same');
is(value($s, $KEYS), 'org1 live secret_key 0002, org1 live webhook_secret e009, org1 test publishable_key 0005, org1 test secret_key 0001, org1 test webhook_secret 0007, org1 test webhook_secret 0006, org1 test webhook_secret 0005', 'all of them');

# Single statements that go on through it all, one in a transaction, and one
# that commits after each call: neither looks at a reload before its end.
my $third = master_key_file($node, 'third');
my $READ  = q{PERFORM stripe_request('GET', '/v1/customers', '{"limit": 1}', account => 'org1')};
value($s, qq{CREATE TABLE switch AS SELECT true AS going;
	CREATE PROCEDURE in_one_transaction() LANGUAGE plpgsql AS \$\$ BEGIN WHILE (SELECT going FROM switch) LOOP $READ; END LOOP; END \$\$;
	CREATE PROCEDURE in_many_transactions() LANGUAGE plpgsql AS \$\$ BEGIN WHILE (SELECT going FROM switch) LOOP $READ; COMMIT; END LOOP; END \$\$});
my @loops = qw(in_one_transaction in_many_transactions);
$callers[$_]->send("CALL $loops[$_]()") foreach 0 .. 1;
wait_until(sub { value($s, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL in_%' AND state = 'active'}) eq '2' }, 30, 'the loops');
configure($node, master_key_file => $third, old_master_key_file => $second);
is(value($admin, 'SELECT stripe_reseal()'), $n, 'resealed again');
my $seen = () = $fake->requests;
wait_until(sub { (() = $fake->requests) > $seen + 40 || grep { $_->is_done } @callers }, 30, 'more calls');
value($s, 'UPDATE switch SET going = false');
foreach (0 .. 1)
{
	my $loop = $callers[$_]->result;
	ok($loop->{ok}, "a loop that calls all the while does not fail: $loops[$_]") or diag($loop->{stderr});
}

# Nobody but superusers and the owner.
value($s, q{CREATE ROLE adm LOGIN; SELECT stripe_grant('adm', 'admin', '*'); GRANT EXECUTE ON FUNCTION stripe_reseal TO adm});
raises($node->session(user => 'adm'), 'SELECT stripe_reseal()', '42501', 'an administrator does not reseal', message => qr/permission denied to reseal/);

# A row that does not open stops the resealing as a whole.
my $fourth = master_key_file($node, 'fourth');
configure($node, master_key_file => $fourth, old_master_key_file => $third);
value($s, q{UPDATE stripe.credentials SET sealed = set_byte(sealed, 3, get_byte(sealed, 3) # 1) WHERE account = 'org1' AND NOT livemode AND purpose = 'publishable_key'});
my $state = value($s, 'SELECT md5(jsonb_agg(c ORDER BY c)::text) FROM stripe.credentials c');
raises($admin, 'SELECT stripe_reseal()', 'ST010', 'one damaged row', message => qr/account "org1" does not open/);
is(value($s, 'SELECT md5(jsonb_agg(c ORDER BY c)::text) FROM stripe.credentials c'), $state, 'keeps all where they are');
is(value($node->session, $CALL), 'customer', 'and calls go on');

unlike(slurp_file($node->logfile), qr/was terminated by signal|PANIC/, 'the server lived through it');
$_->quit foreach @callers, $admin, $s;
done_testing();
