# Taking events in: one transaction does ledger, mirror, membership and
# payment; a duplicate is answered without work; what is someone else's is
# refused; what cannot be applied is kept, tried again and replayed; a bad one
# of a batch does not spoil the others; and nothing is written twice.

use strict;
use warnings;

use File::Basename qw(dirname);
use JSON::PP;
use Time::HiRes ();

use MemberPulse::Checks;
use MemberPulse::Test;
use MemberPulse::Webhook;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $s    = $node->session;
my $now  = time;
my $day  = 86_400;

sub customer { my ($id, %more) = @_; return { id => $id, object => 'customer', created => $now - $day, livemode => JSON::PP::false, metadata => {}, %more } }

sub subscription
{
	my ($id, %more) = @_;
	return {
		id => $id, object => 'subscription', created => $now - $day, livemode => JSON::PP::false, status => 'active',
		customer => 'cus_1', start_date => $now - $day, metadata => {}, currency => 'aud', cancel_at_period_end => JSON::PP::false,
		items => { object => 'list', has_more => JSON::PP::false, url => "/v1/subscription_items?subscription=$id",
			data => [ item("si_$id", subscription => $id) ] },
		%more };
}

sub item
{
	my ($id, %more) = @_;
	return {
		id => $id, object => 'subscription_item', created => $now - $day, quantity => 1, metadata => {},
		price => { id => 'price_1', object => 'price', product => 'prod_1' },
		current_period_start => $now - $day, current_period_end => $now + 29 * $day, %more };
}

sub intent
{
	my ($id, %more) = @_;
	return {
		id => $id, object => 'payment_intent', created => $now - $day, livemode => JSON::PP::false, amount => 2500, amount_received => 0,
		currency => 'aud', status => 'requires_payment_method', metadata => { order_type => 'membership', order_id => 'o-1' }, %more };
}

# What a statement does to the tables of the extension, as "table inserted
# updated deleted", and "xid" if it needed a transaction id.
sub work
{
	my ($sql) = @_;
	my $counts = q{
SELECT '#' || relname || ' ' || n_tup_ins || ' ' || n_tup_upd || ' ' || n_tup_del
  FROM pg_stat_xact_user_tables WHERE schemaname = 'stripe' ORDER BY 1};
	my $result = value($s, "BEGIN; $counts; SELECT '#then'; $sql; $counts; SELECT '#xid' WHERE pg_current_xact_id_if_assigned() IS NOT NULL; COMMIT");
	my ($before, $after) = map { [ /^#(.*)$/mg ] } split /^#then\n/m, $result;
	my %before = map { /^(\w+) (\d+) (\d+) (\d+)$/ ? ($1 => [ $2, $3, $4 ]) : () } @$before;
	my @work;
	foreach (@$after)
	{
		my ($table, @now) = split / /;
		$now[$_] -= $before{$table}[$_] // 0 foreach 0 .. $#now;
		push @work, join ' ', $table, @now if $table eq 'xid' || grep { $_ } @now;
	}
	return join ', ', @work;
}

#
# One event, one transaction.
#
my $paid = event('payment_intent.succeeded', intent('pi_1', status => 'succeeded', amount_received => 2500), request => { id => 'req_1', idempotency_key => 'k' });
is(ingest($s, $paid), "$paid->{id}|payment_intent.succeeded|applied|pi_1|", 'a payment is taken in');
is(value($s, q{SELECT data ->> 'status', status, amount_received, deleted, last_event FROM stripe.payment_intents WHERE id = 'pi_1'}),
	"succeeded|succeeded|2500|f|$paid->{id}", 'its mirror');
is(value($s, q{SELECT order_type, order_id, status, amount_received FROM stripe.payments}), 'membership|o-1|completed|2500', 'its payment');
is(value($s, q{SELECT status FROM stripe_order_status('membership', 'o-1')}), 'completed', 'its order');

my $created = event('customer.subscription.created', subscription('sub_1', metadata => { membership_id => 'm-1', plan => 'gold' }));
is(ingest($s, $created), "$created->{id}|customer.subscription.created|applied|sub_1|m-1", 'a subscription is taken in');
is(ledger($s, $created, 'type, api_version, object_type, object_id, membership_id, state, error, attempts, next_attempt, request_id, applied_at IS NOT NULL, extract(epoch FROM created)::bigint'),
	"customer.subscription.created|2026-09-30.endive|subscription|sub_1|m-1|applied||1|||t|$created->{created}", 'its row in the ledger');
is(ledger($s, $paid, 'request_id'), 'req_1', 'and the request that caused the other');
is(value($s, sprintf 'SELECT payload = %s::jsonb FROM stripe.events WHERE id = %s', literal(payload($created)), literal($created->{id})), 't', 'with the payload');
is(value($s, q{SELECT status, plan, subscription, cause FROM stripe.memberships WHERE membership_id = 'm-1'}), "active|gold|sub_1|$created->{id}", 'the membership');
is(value($s, q{SELECT stripe_membership_active('m-1')}), 't', 'gives access');
is(value($s, q{SELECT id, price, subscription FROM stripe.subscription_items}), 'si_sub_1|price_1|sub_1', 'the item of the subscription has its row');
is(value($s, q{SELECT count(DISTINCT x) FROM (SELECT xmin::text x FROM stripe.events WHERE object_id = 'sub_1' UNION ALL SELECT xmin::text FROM stripe.subscriptions
	UNION ALL SELECT xmin::text FROM stripe.subscription_items UNION ALL SELECT xmin::text FROM stripe.memberships UNION ALL SELECT xmin::text FROM stripe.membership_history) r}),
	# A subtransaction may have an id of its own: all rows are of one.
	1, 'all of it written by one (sub)transaction');
my $undone = event('customer.created', customer('cus_undone'));
value($s, 'BEGIN; SELECT state FROM ' . deliver($undone) . '; ROLLBACK');
is(value($s, q{SELECT (SELECT count(*) FROM stripe.events WHERE object_id = 'cus_undone'), (SELECT count(*) FROM stripe.customers WHERE id = 'cus_undone')}),
	'0|0', 'and undone by it');
is(state_of($s, $undone), 'applied', 'what was rolled back is taken in when it comes again');

#
# Duplicates.
#
is(work('SELECT ' . deliver($created)), '', 'a duplicate writes no row and needs no transaction id');
is(ingest($s, $created), "$created->{id}|customer.subscription.created|applied|sub_1|m-1", 'and is answered as the first time');
is(work('SELECT ' . deliver({ %$created, type => 'customer.subscription.deleted' })), '', 'the id decides, not the content');
is(value($s, q{SELECT status FROM stripe.memberships WHERE membership_id = 'm-1'}), 'active', 'which changes nothing');

# Two sessions with the same event at once: the second waits, and has no work.
my $other = $node->session;
my $twice = event('customer.created', customer('cus_twice'));
value($s, 'BEGIN; SELECT state FROM ' . deliver($twice));
$other->send('SELECT state FROM ' . deliver($twice));
wait_until(sub { value($s, 'SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = \'Lock\' AND pid = ' . $other->pid) }, 10, 'the second session');
value($s, 'COMMIT');
my $second = $other->result;
is($second->{stdout}, 'applied', 'the same event in two sessions at once') or diag($second->{stderr});
is(value($s, q{SELECT count(*), min(state) FROM stripe.events WHERE object_id = 'cus_twice'}), '1|applied', 'is in the ledger once');

#
# Whose event it is.
#
my $rows = value($s, 'SELECT count(*) FROM stripe.events');
raises($s, 'SELECT ' . deliver(event('customer.created', customer('cus_live', livemode => JSON::PP::true), livemode => JSON::PP::true)), 'ST012',
	'an event of live mode', message => qr/^event "evt_\d+" is of the live mode$/, detail => qr/^Account "default" is in test mode\.$/);
raises($s, 'SELECT ' . deliver(event('customer.created', customer('cus_x'), account => 'acct_other')), 'ST012',
	'an event of a connected account', message => qr/belongs to another Stripe account/, detail => qr/acct_other/);
value($s, q{SELECT stripe_configure('default', connected_account => 'acct_ours')});
raises($s, 'SELECT ' . deliver(event('customer.created', customer('cus_x'), account => 'acct_other')), 'ST012', 'of another connected account', detail => qr/acct_other.*acct_ours/);
raises($s, 'SELECT ' . deliver(event('customer.created', customer('cus_x'))), 'ST012', 'of the platform', detail => qr/platform's own.*acct_ours/);
is(state_of($s, event('customer.created', customer('cus_ours'), account => 'acct_ours')), 'applied', 'its own is taken in');
value($s, q{SELECT stripe_configure('default', connected_account => '')});
is(value($s, 'SELECT count(*) FROM stripe.events'), $rows + 1, 'what is refused leaves no row in the ledger');
is(value($s, q{SELECT count(*) FROM stripe.customers WHERE id IN ('cus_live', 'cus_x')}), 0, 'nor in a mirror');
raises($s, 'SELECT ' . deliver({ id => 'evt_thin', object => 'v2.core.event', type => 'v1.customer.created', created => '2026-01-01T00:00:00Z', livemode => JSON::PP::false }),
	'22023', 'a thin event', detail => qr/thin event/, hint => qr/snapshot/);
is(value($s, 'SELECT count(*) FROM stripe.events'), $rows + 1, 'is not kept');

#
# What there is no mirror for is kept all the same.
#
my $unknown = event('galaxy.merged', { id => 'gx_1', object => 'galaxy', metadata => {} });
is(ingest($s, $unknown), "$unknown->{id}|galaxy.merged|ignored|gx_1|", 'an unknown type is stored');
is(ledger($s, $unknown, "state, object_type, payload #>> '{data,object,id}'"), 'ignored|galaxy|gx_1', 'with its payload');
is(state_of($s, event('balance.available', { object => 'balance', available => [] })), 'ignored', 'an object without id');
is(state_of($s, event('customer.frobnicated', customer('cus_frob'))), 'applied', 'an unknown type of event with a known object is applied');

#
# No client secret is kept.
#
my $secretive = event('payment_intent.created', intent('pi_secret', client_secret => 'pi_secret_secret_abc', nested => { client_secret => 'pi_secret_secret_abc' }));
is(state_of($s, $secretive), 'applied', 'an event with a client secret');
is(value($s, q{SELECT count(*) FROM (SELECT payload::text t FROM stripe.events UNION ALL SELECT data::text FROM stripe.payment_intents) x WHERE t LIKE '%secret_abc%'}), 0,
	'leaves it in no table');

#
# An event that cannot be applied is kept with the error, tried again and
# replayed.
#
$node->safe_psql('postgres', q{
CREATE FUNCTION no_customers() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN IF new.id LIKE 'cus_bad%' THEN RAISE 'no room for %', new.id USING ERRCODE = '23514', DETAIL = 'all taken, says sk_test_51HiddenKeyHiddenKey00'; END IF; RETURN new; END$$;
CREATE TRIGGER no_customers BEFORE INSERT OR UPDATE ON stripe.customers FOR EACH ROW EXECUTE FUNCTION no_customers()});
my $bad = event('customer.created', customer('cus_bad1'));
is(ingest($s, $bad), "$bad->{id}|customer.created|failed|cus_bad1|", 'an event that cannot be applied is taken in');
is(ledger($s, $bad, q{state, error LIKE 'no room for cus_bad1 (23514)%', error LIKE '%Hidden%', attempts, applied_at, next_attempt - received_at}), 'failed|t|f|1||00:01:00',
	'as failed, with the error less its secrets, to be tried again in a minute');
is(value($s, q{SELECT count(*) FROM stripe.customers WHERE id = 'cus_bad1'}), 0, 'nothing of it was applied');
is(ingest($s, $bad), "$bad->{id}|customer.created|failed|cus_bad1|", 'a second delivery says so, too');
is(value($s, 'SELECT count(*) FROM stripe_retry_events()'), 0, 'before its time it is not tried');

sub make_due { return value($s, q{UPDATE stripe.events SET next_attempt = now() WHERE state = 'failed'}) }

foreach my $turn ([ 2, '00:02:00' ], [ 3, '00:04:00' ], [ 4, '00:08:00' ])
{
	make_due();
	is(value($s, q{SELECT event_id, state, error LIKE 'no room%' FROM stripe_retry_events()}), "$bad->{id}|failed|t", "attempt $turn->[0] fails");
	is(ledger($s, $bad, q{attempts, date_trunc('minute', next_attempt - now() + '30 s')}), join('|', @$turn), 'and the next one comes later');
}
value($s, q{UPDATE stripe.events SET attempts = 18 WHERE state = 'failed'});
make_due();
value($s, 'SELECT stripe_retry_events()');
is(ledger($s, $bad, q{next_attempt - now() <= '1 day'}), 't', 'but not later than in a day');
value($s, q{UPDATE stripe.events SET attempts = 30 WHERE state = 'failed'});
make_due();
value($s, 'SELECT stripe_retry_events()');
is(ledger($s, $bad, 'state, next_attempt'), 'failed|', 'in the end it is left for a person');
is(value($s, 'SELECT failed, given_up, last_error LIKE \'no room%\' FROM stripe.webhook_health'), '1|1|t', 'who is told');
my $later = event('customer.created', customer('cus_bad2'));
is(state_of($s, $later), 'failed', 'another one fails');
$node->safe_psql('postgres', 'DROP TRIGGER no_customers ON stripe.customers');
is(value($s, qq{SELECT * FROM stripe_replay_event('$bad->{id}')}), "$bad->{id}|customer.created|applied|cus_bad1|", 'a replay applies it');
is(ledger($s, $bad, 'state, error, next_attempt, applied_at IS NOT NULL'), 'applied|||t', 'and it is as if nothing had been');
make_due();
is(value($s, 'SELECT event_id, state, error FROM stripe_retry_events()'), "$later->{id}|applied|", 'so does the next attempt of the other');
is(value($s, q{SELECT count(*) FROM stripe.customers WHERE id LIKE 'cus_bad%'}), 2, 'both are there');
is(value($s, qq{SELECT state FROM stripe_replay_event('$created->{id}')}), 'applied', 'what was applied can be replayed');
raises($s, q{SELECT stripe_replay_event('evt_nowhere')}, 'P0002', 'what never came cannot', message => qr/"evt_nowhere" is not in the ledger/);
raises($s, 'SELECT stripe_retry_events(-1)', '22023', 'a negative number of attempts');

# A replay does not bring an old state back.
my $older = event('customer.updated', customer('cus_1', name => 'Old'), created => $now - 100);
my $newer = event('customer.updated', customer('cus_1', name => 'New'), created => $now - 50);
is(state_of($s, $newer), 'applied', 'an event');
is(state_of($s, $older), 'stale', 'an older one that comes later is stale');
value($s, qq{SELECT stripe_replay_event('$older->{id}')});
is(value($s, q{SELECT name FROM stripe.customers WHERE id = 'cus_1'}), 'New', 'also when it is replayed');

#
# A batch of 500 with bad ones among them.
#
$node->safe_psql('postgres', 'CREATE TRIGGER no_customers BEFORE INSERT OR UPDATE ON stripe.customers FOR EACH ROW EXECUTE FUNCTION no_customers()');
my @batch = map { event('customer.created', customer("cus_b$_")) } 1 .. 500;
my %spoiled = (17 => [ $batch[17], 't=1,v1=00' ], 111 => 'garbage', 112 => '', 250 => event('customer.created', customer('cus_bad3')),
	251 => event('customer.created', customer('cus_bad4')), 333 => event('customer.created', customer('cus_b'), livemode => JSON::PP::true),
	400 => $batch[399], 499 => '[1]');
$batch[$_] = $spoiled{$_} foreach keys %spoiled;
my @rows = ingest_all($s, q{coalesce(state, '-'), object_id, left(error, 34)}, @batch);
is(scalar @rows, 500, 'a batch of 500 gives 500 rows');
is($rows[17],  "-||the webhook's signature is not val", 'one has a bad signature');
is($rows[111], "-||the webhook's payload cannot be re", 'one is garbage');
is($rows[112], "-||the webhook's payload cannot be re", 'one is empty');
is($rows[250], 'failed|cus_bad3|no room for cus_bad3 (23514)  all ', 'one cannot be applied');
is($rows[251], 'failed|cus_bad4|no room for cus_bad4 (23514)  all ', 'nor the next');
like($rows[333], qr/^-\|\|event "evt_\d+" is of the live/, 'one is of another mode');
is($rows[400], 'applied|cus_b400|', 'one is there twice');
is($rows[499], '-||the payload is not an event that c', 'one is an array');
is(join(' ', grep { $_ } map { $rows[$_] eq 'applied|cus_b' . ($_ + 1) . '|' ? '' : "$_: $rows[$_]" } grep { !exists $spoiled{$_} } 0 .. 499), '', 'the others are applied, in the order they came');
is(value($s, q{SELECT count(*) FROM stripe.customers WHERE id ~ '^cus_b\d'}), 492, 'all of them');
is(value($s, q{SELECT count(*) FROM stripe.events WHERE object_id ~ '^cus_b(ad[34]|\d)'}), 494, 'and in the ledger with those that failed');
is(work('SELECT count(*) FROM (SELECT 1) x'), '', 'nothing is left open');
my @again = ingest_all($s, q{coalesce(state, '-')}, @batch);
is(scalar(grep { $_ eq 'applied' } @again), 493, 'the same batch again is answered the same');
raises($s, q{SELECT stripe_ingest_webhooks(ARRAY['{}'::text], '{}')}, '2202E', 'as many payloads as signatures');
is(value($s, q{SELECT count(*) FROM stripe_ingest_webhooks('{}'::text[], '{}')}), 0, 'an empty batch');
is(value($s, sprintf q{SELECT event_id IS NULL, error FROM stripe_ingest_webhooks(ARRAY[NULL::text], ARRAY['t=1'])}), 't|the payload must not be null', 'a missing payload is one row');
is(value($s, sprintf q{SELECT state FROM stripe_ingest_webhooks(ARRAY[%s], ARRAY[%s])}, literal(payload($created)), literal(sign(payload($created)))), 'applied', 'a batch of texts');

# Events the server fetched by itself need no signature.
my @fetched = map { event('customer.created', customer("cus_f$_")) } 1 .. 3;
is(value($s, sprintf q{SELECT string_agg(state, ',') FROM stripe_ingest_events(ARRAY[%s]::jsonb[])}, join ',', map { literal(payload($_)) } @fetched, $created),
	'applied,applied,applied,applied', 'events that were fetched');
is(value($s, q{SELECT count(*) FROM stripe.customers WHERE id ~ '^cus_f\d'}), 3, 'are applied');
is(value($s, q{SELECT state IS NULL, error LIKE '%not an event%' FROM stripe_ingest_events(ARRAY['{"object": "charge"}']::jsonb[])}), 't|t', 'what is none is told');
$node->safe_psql('postgres', 'DROP TRIGGER no_customers ON stripe.customers');
make_due();
value($s, 'SELECT count(*) FROM stripe_retry_events()');

#
# What is the same writes nothing but the ledger's row.
#
my $same = event('customer.updated', customer('cus_same', name => 'Same'), created => $now - 40);
state_of($s, $same);
is(work('SELECT ' . deliver(event('customer.updated', customer('cus_same', name => 'Same'), created => $now - 30))), 'events 1 0 0, xid',
	'an event that says what is known writes its row in the ledger only');
my $renewed = event('customer.subscription.updated', subscription('sub_1', metadata => { membership_id => 'm-1', plan => 'gold' }));
is(work('SELECT ' . deliver($renewed)), 'events 1 0 0, xid', 'a subscription that did not change: no row of it, its items or its membership');
is(value($s, q{SELECT count(*) FROM stripe.membership_history WHERE membership_id = 'm-1'}), 1, 'and no history');

# The write-ahead log has no record of the row either.
my $lsn = value($s, 'SELECT pg_current_wal_insert_lsn()');
my $file = value($s, q{SELECT pg_relation_filepath('stripe.customers')});
value($s, 'SELECT ' . deliver(event('customer.updated', customer('cus_same', name => 'Same'), created => $now - 20)));
my $end = value($s, 'SELECT pg_current_wal_insert_lsn()');
value($s, 'SELECT pg_switch_wal()');
my ($relation) = $file =~ m{(\d+)$};
my ($wal) = PostgreSQL::Test::Utils::run_command([ $node->installed_command('pg_waldump'), '-p', $node->data_dir . '/pg_wal', '-s', $lsn, '-e', $end ]);
like($wal, qr/rmgr: Heap/, 'the write-ahead log is read');
is(scalar(grep { m{rel \d+/\d+/$relation\b} && /desc: (?:INSERT|UPDATE|HOT_UPDATE|DELETE)/ } split /\n/, $wal), 0, 'and has no record of a row of the mirror');

#
# Objects that are gone.
#
my $gone = event('customer.deleted', customer('cus_gone', email => 'gone@example.com'));
state_of($s, event('customer.created', customer('cus_gone', email => 'gone@example.com'), created => $now - 60));
is(state_of($s, $gone), 'applied', 'a customer is deleted');
is(value($s, q{SELECT deleted, email FROM stripe.customers WHERE id = 'cus_gone'}), 't|gone@example.com', 'its row stays, marked, with what was known');
is(state_of($s, event('customer.updated', customer('cus_gone', email => 'back@example.com'), created => $now + 5)), 'stale', 'what comes later does not bring it back');
is(value($s, q{SELECT deleted, email FROM stripe.customers WHERE id = 'cus_gone'}), 't|gone@example.com', 'it stays deleted');
is(state_of($s, event('customer.deleted', { id => 'cus_stub', object => 'customer', deleted => JSON::PP::true })), 'applied', 'a deletion that comes first');
is(state_of($s, event('customer.created', customer('cus_stub', email => 'stub@example.com'), created => $now - 60)), 'applied', 'takes what was before');
is(value($s, q{SELECT deleted, email FROM stripe.customers WHERE id = 'cus_stub'}), 't|stub@example.com', 'and stays a deletion');

#
# Nested lists that Stripe cut short.
#
my @items = map { item(sprintf('si_long%02d', $_), subscription => 'sub_long', price => { id => "price_$_", object => 'price', product => 'prod_1' }) } 1 .. 23;
my $cut   = subscription('sub_long', metadata => { membership_id => 'm-long' });
$cut->{items} = { object => 'list', has_more => JSON::PP::true, url => '/v1/subscription_items?subscription=sub_long', data => [ @items[ 0 .. 9 ] ] };
is(state_of($s, event('customer.subscription.created', $cut)), 'applied', 'a subscription with more than ten items');
is(value($s, q{SELECT count(*) FROM stripe.subscription_items WHERE subscription = 'sub_long'}), 10, 'has those that were shown');
is(value($s, q{SELECT object_type, id, reason, attempts FROM stripe.refetches}), 'subscription|sub_long|nested list|0', 'and is put down to be fetched');

sub answer
{
	my ($path, $body, %match) = @_;
	return $fake->fault({ type => 'status', status => 200, headers => { 'content-type' => 'application/json' }, body => payload($body) }, method => 'GET', path => $path, %match);
}

# First Stripe is out of order, then it answers.
$fake->fault({ type => 'server_error', status => 500, should_retry => 'false' }, path => '/v1/subscriptions/sub_long');
my $first = value($s, q{SELECT object_type, object_id, reason, error IS NOT NULL FROM stripe_refetch()});
is($first, 'subscription|sub_long|nested list|t', 'an attempt that fails says so');
is(value($s, q{SELECT attempts, last_error IS NOT NULL, next_attempt > now() FROM stripe.refetches}), '1|t|t', 'and is tried again later');
is(value($s, 'SELECT count(*) FROM stripe_refetch()'), 0, 'not at once');
value($s, 'UPDATE stripe.refetches SET next_attempt = now()');
$fake->clear_faults;
$fake->clear_requests;
answer('/v1/subscriptions/sub_long', $cut);
answer('/v1/subscription_items', { object => 'list', url => '/v1/subscription_items', has_more => JSON::PP::true, data => [ @items[ 0 .. 15 ] ] });
answer('/v1/subscription_items', { object => 'list', url => '/v1/subscription_items', has_more => JSON::PP::false, data => [ @items[ 16 .. 22 ] ] });
is(value($s, q{SELECT object_type, object_id, reason, error FROM stripe_refetch()}), 'subscription|sub_long|nested list|', 'the rest is fetched');
my @asked = map { $_->{path} } $fake->requests;
is(scalar @asked, 3, 'with the object and two pages');
like($asked[2] // '', qr/starting_after=si_long16/, 'the second after the last of the first');
like($asked[1] // '', qr/subscription=sub_long/, 'from the address that the list names');
is(value($s, q{SELECT count(*), min(price), bool_and(NOT deleted) FROM stripe.subscription_items WHERE subscription = 'sub_long'}), '23|price_1|t', 'every item has its row');
is(value($s, q{SELECT jsonb_array_length(data #> '{items,data}'), data #>> '{items,has_more}' FROM stripe.subscriptions WHERE id = 'sub_long'}), '23|false', 'and the object has all of them');
is(value($s, 'SELECT count(*) FROM stripe.refetches'), 0, 'nothing is left to be fetched');
$cut->{cancel_at_period_end} = JSON::PP::true;
state_of($s, event('customer.subscription.updated', $cut, previous => { cancel_at_period_end => JSON::PP::false }, created => time + 1));
is(value($s, q{SELECT count(*) FROM stripe.subscription_items WHERE subscription = 'sub_long'}), 23, 'an event that shows ten again throws none away');
is(value($s, q{SELECT cancel_at_period_end FROM stripe.subscriptions WHERE id = 'sub_long'}), 't', 'though it changes the rest');
value($s, 'DELETE FROM stripe.refetches');
$fake->clear_faults;
raises($s, 'SELECT stripe_refetch(-1)', '22023', 'a negative number of objects');

# What Stripe has no longer.
$cut = subscription('sub_lost');
$cut->{items}{has_more} = JSON::PP::true;
state_of($s, event('customer.subscription.created', $cut));
is(value($s, 'SELECT object_id, error FROM stripe_refetch()'), 'sub_lost|', 'an object that Stripe has no longer');
is(value($s, q{SELECT count(*) FROM stripe.refetches}), 0, 'is not asked for again');

#
# Payloads of every era fill the same typed columns.
#
my %era;
foreach my $name ('2022-08-01', '2024-12-18.acacia', '2025-06-30.basil', '2026-09-30.endive')
{
	my $objects = decode_json(PostgreSQL::Test::Utils::slurp_file(dirname(__FILE__) . "/../../fixtures/$name.json"));
	foreach my $type (sort keys %$objects)
	{
		my $object = $objects->{$type};
		next if $type eq 'subscription_item';
		my $verb = event("$type.updated", $object, api_version => $name, created => $object->{created} // $now);
		my $table = { 'checkout.session' => 'checkout_sessions', 'entitlements.active_entitlement' => 'active_entitlements' }->{$type} // "${type}s";
		my $state = state_of($s, $verb);
		# Those without events of their own have none to be applied.
		is($state, 'applied', "$name: $type");
		is(value($s, sprintf q{SELECT count(*) FROM stripe.%s WHERE id = %s AND NOT deleted}, $table, literal($object->{id})), 1, "$name: $type has its row");
		$era{$name}++;
	}
}
is(scalar(grep { $_ >= 5 } values %era), 4, 'four eras');
is(value($s, q{SELECT count(*) FROM stripe.events WHERE state = 'failed'}), 0, 'none of them failed');

# One and the same invoice and subscription, told in two ways.
my ($from, $to) = ($now - $day, $now + 29 * $day);
my %plain = (customer => 'cus_1', status => 'active', start_date => $from, metadata => {}, currency => 'aud', created => $from, livemode => JSON::PP::false, object => 'subscription');
my %told = (
	sub_old => [ '2022-08-01', subscription => { %plain, id => 'sub_old', current_period_start => $from, current_period_end => $to,
		items => { object => 'list', has_more => JSON::PP::false, url => '/v1/subscription_items', data => [ item('si_old', subscription => 'sub_old', current_period_start => undef, current_period_end => undef) ] } } ],
	sub_new => [ '2026-09-30.endive', subscription => { %plain, id => 'sub_new',
		items => { object => 'list', has_more => JSON::PP::false, url => '/v1/subscription_items', data => [ item('si_new', subscription => 'sub_new') ] } } ],
	in_old => [ '2022-08-01', invoice => { id => 'in_old', object => 'invoice', livemode => JSON::PP::false, status => 'paid', customer => 'cus_1', subscription => 'sub_old', tax => 227, total => 2500,
		amount_paid => 2500, billing_reason => 'subscription_cycle', created => $from, metadata => {} } ],
	in_new => [ '2026-09-30.endive', invoice => { id => 'in_new', object => 'invoice', livemode => JSON::PP::false, status => 'paid', customer => 'cus_1', total => 2500,
		parent => { type => 'subscription_details', subscription_details => { subscription => 'sub_new', metadata => {} } }, total_taxes => [ { amount => 200 }, { amount => 27 } ],
		amount_paid => 2500, billing_reason => 'subscription_cycle', created => $from, metadata => {} } ]);
foreach my $id (sort keys %told)
{
	my ($version, $type, $object) = @{ $told{$id} };
	is(state_of($s, event($type eq 'invoice' ? 'invoice.paid' : 'customer.subscription.updated', $object, api_version => $version)), 'applied', "$id of $version");
}
is(value($s, q{SELECT replace(to_jsonb(s)::text, '_old', '_new') FROM (SELECT i.* FROM (SELECT id, customer, status, start_date, current_period_start, current_period_end, currency, latest_invoice FROM stripe.subscriptions WHERE id = 'sub_old') i) s}),
	value($s, q{SELECT to_jsonb(s)::text FROM (SELECT id, customer, status, start_date, current_period_start, current_period_end, currency, latest_invoice FROM stripe.subscriptions WHERE id = 'sub_new') s}),
	'the subscription is the same in both shapes');
is(value($s, q{SELECT replace(to_jsonb(s)::text, '_old', '_new') FROM (SELECT id, subscription, customer, status, tax, total, amount_paid, billing_reason, created FROM stripe.invoices WHERE id = 'in_old') s}),
	value($s, q{SELECT to_jsonb(s)::text FROM (SELECT id, subscription, customer, status, tax, total, amount_paid, billing_reason, created FROM stripe.invoices WHERE id = 'in_new') s}),
	'and the invoice');

is(value($s, 'SELECT count(*) FROM stripe.events WHERE state NOT IN (\'applied\', \'stale\', \'ignored\')'), 0, 'nothing is left undone');
done_testing();
