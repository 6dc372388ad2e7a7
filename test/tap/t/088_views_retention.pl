# What the tables answer: the views, who is told of a change, who may do what,
# a standby that can only read, and what pruning takes away.

use strict;
use warnings;

use JSON::PP;

use MemberPulse::Checks;
use MemberPulse::Test;
use MemberPulse::Webhook;
use Test::More;

my $node = new_node(init => { allows_streaming => 1 });
my $s    = $node->session;
my $now  = time;
my $day  = 86_400;
my $T    = JSON::PP::true;
my $F    = JSON::PP::false;

sub subscription
{
	my ($id, $membership, %more) = @_;
	my $end = delete $more{end} // $now + 29 * $day;
	return {
		id => "sub_$id", object => 'subscription', created => $now - $day, livemode => $F, status => 'active', customer => "cus_$id", start_date => $now - $day,
		metadata => { membership_id => $membership }, currency => 'aud', cancel_at_period_end => $F, collection_method => 'charge_automatically', default_payment_method => 'pm_1',
		items => { object => 'list', has_more => $F, url => '/v1/subscription_items',
			data => [ { id => "si_$id", object => 'subscription_item', created => $now - $day, quantity => 2, subscription => "sub_$id", metadata => {},
				price => { id => 'price_gold', object => 'price', product => 'prod_gold', unit_amount => 2500, currency => 'aud', active => $T, type => 'recurring', livemode => $F, created => $now - $day, metadata => {} },
				current_period_start => $now - $day, current_period_end => $end } ] },
		%more };
}

sub happens { my ($type, $object, %more) = @_; return state_of($s, event($type, $object, %more)) }

#
# Views.
#
is(value($s, 'SELECT count(*) FROM stripe.webhook_health'), 0, 'no health without events');
happens('customer.created', { id => "cus_$_", object => 'customer', created => $now - $day, livemode => $F, email => "$_\@example.com", name => "Member $_", metadata => {} }) foreach qw(a b c d e);
happens('price.created', { id => 'price_gold', object => 'price', product => 'prod_gold', unit_amount => 2500, currency => 'aud', active => $T, type => 'recurring', livemode => $F, created => $now - $day, metadata => {} });
happens('customer.subscription.created', subscription('a', 'm-a'));
happens('customer.subscription.created', subscription('b', 'm-b', end => $now + 3 * $day));
happens('customer.subscription.created', subscription('c', 'm-c', end => $now + 3 * $day, cancel_at_period_end => $T, cancel_at => $now + 3 * $day));
happens('customer.subscription.created', subscription('d', 'm-d', status => 'canceled', ended_at => $now - 60, canceled_at => $now - 60));
happens('customer.subscription.created', subscription('e', 'm-a', end => $now + 20 * $day));

is(value($s, q{SELECT membership_id, customer, email, name, status FROM stripe.active_members ORDER BY 1}),
	"m-a|cus_a|a\@example.com|Member a|active\nm-b|cus_b|b\@example.com|Member b|active\nm-c|cus_c|c\@example.com|Member c|canceling", 'active members');
is(value($s, q{SELECT count(*) FROM stripe.memberships m WHERE stripe_membership_active(m.membership_id) <> EXISTS (SELECT FROM stripe.active_members a WHERE a.membership_id = m.membership_id)}), 0,
	'who are those that the function lets in');
is(value($s, q{SELECT membership_id, email, payment_method, currency, amount FROM stripe.renewals_due WHERE due_in <= interval '7 days' ORDER BY 1}), 'm-b|b@example.com|pm_1|aud|5000',
	'renewals due within a week: not those that end, nor those of later');
is(value($s, q{SELECT count(*) FROM stripe.renewals_due WHERE due_in <= interval '40 days'}), 2, 'within forty days: one more');
is(value($s, q{SELECT membership_id, counted, not_counted FROM stripe.membership_conflicts}), 'm-a|sub_a|sub_e', 'two subscriptions of one membership');

my %intent = (object => 'payment_intent', livemode => $F, amount => 2500, currency => 'aud', metadata => { order_type => 'event', order_id => 'o-1' });
happens('payment_intent.payment_failed', { %intent, id => 'pi_1', created => $now, customer => 'cus_a', status => 'requires_payment_method',
	last_payment_error => { code => 'card_declined', decline_code => 'insufficient_funds', message => 'Your card has insufficient funds.' } });
is(value($s, q{SELECT payment_intent, email, order_type, order_id, amount, currency, failure_code, decline_code, message FROM stripe.failed_payments}),
	'pi_1|a@example.com|event|o-1|2500|aud|card_declined|insufficient_funds|Your card has insufficient funds.', 'a failed payment, with the reason');

# 2026-01-31 23:59:59 UTC and a second later; another currency; what does not count.
my $january = 1769903999;
sub charge { my ($id, $at, %more) = @_; return { id => "ch_$id", object => 'charge', created => $at, livemode => $F, amount => 1000, amount_captured => 1000, amount_refunded => 0, currency => 'aud', status => 'succeeded', captured => $T, paid => $T, metadata => {}, %more } }
happens('charge.succeeded', charge(1, $january));
happens('charge.succeeded', charge(2, $january + 1, amount => 2000, amount_captured => 1500));
happens('charge.succeeded', charge(3, $january + 1, currency => 'jpy'));
happens('charge.failed', charge(4, $january, status => 'failed', captured => $F, paid => $F, amount_captured => 0));
happens('charge.succeeded', charge(5, $january, captured => $F, amount_captured => 0));
happens('refund.created', { id => 're_1', object => 'refund', created => $january + 2, amount => 300, currency => 'aud', charge => 'ch_1', status => 'succeeded', metadata => {} });
happens('refund.failed', { id => 're_2', object => 'refund', created => $january + 2, amount => 400, currency => 'aud', charge => 'ch_1', status => 'failed', metadata => {} });
my %dispute = (object => 'dispute', created => $january + 3, livemode => $F, currency => 'aud', charge => 'ch_1', metadata => {});
happens('charge.dispute.created', { %dispute, id => 'du_1', amount => 100, status => 'needs_response' });
happens('charge.dispute.closed', { %dispute, id => 'du_2', amount => 200, status => 'won' });
is(value($s, q{SELECT month, currency, payments, received, refunded, disputed, net FROM stripe.revenue_monthly ORDER BY 1, 2}),
	"2026-01-01|aud|1|1000|0|0|1000\n2026-02-01|aud|1|1500|300|100|1100\n2026-02-01|jpy|1|1000|0|0|1000", 'revenue by month of UTC and currency');

happens('charge.updated', [ 'nonsense' ]);
my $events = value($s, 'SELECT count(*) FROM stripe.events');
is(value($s, q{SELECT events, last_day, failed, given_up, last_error LIKE 'the event has no object%', silent_for < '1 minute', lag < '1 minute', types_not_seen FROM stripe.webhook_health}),
	"$events|$events|1|0|t|t|t|{payment_intent.succeeded,invoice.paid,invoice.payment_failed,customer.subscription.updated,customer.subscription.deleted,charge.refunded}",
	'how webhooks arrive, and what has never come');

#
# Who listens is told of a change, once, and of nothing else.
#
my $listener = $node->session;
value($listener, 'LISTEN memberpulse_stripe');
sub told
{
	my $result = $listener->sql('SELECT 1');
	return sort map { my $said = decode_json($_); join ' ', map { $_ // '-' } @{$said}{qw(kind account id membership_id)} } "$result->{stdout}" =~ /notification "memberpulse_stripe" with payload "(.*)" received/g;
}
my $renewed = event('customer.subscription.updated', subscription('b', 'm-b', end => $now + 33 * $day), previous => { items => {} }, created => $now + 1);
is(state_of($s, $renewed), 'applied', 'a renewal');
is_deeply([ told() ], ['membership default sub_b m-b'], 'is told');
value($s, 'SELECT ' . deliver($renewed));
is_deeply([ told() ], [], 'a duplicate is not');
happens('customer.subscription.updated', subscription('b', 'm-b', end => $now + 33 * $day), created => $now + 2);
is_deeply([ told() ], [], 'nor what says the same');
happens('customer.subscription.updated', subscription('b', 'm-b', end => $now + 33 * $day, default_payment_method => 'pm_2'), created => $now + 3);
is_deeply([ told() ], [], 'nor what does not concern the membership');
value($s, 'BEGIN; SELECT ' . deliver(event('customer.subscription.updated', subscription('b', 'm-b', end => $now + 34 * $day), created => $now + 4)) . '; ROLLBACK');
is_deeply([ told() ], [], 'nor what is rolled back');
happens('customer.created', { id => 'cus_quiet', object => 'customer', created => $now, metadata => {} });
is_deeply([ told() ], [], 'nor a customer');

# Its payload names ids, and nobody.
happens('customer.subscription.deleted', subscription('b', 'm-b', status => 'canceled', ended_at => $now - 1, canceled_at => $now - 1), created => $now + 5);
my $said = $listener->sql('SELECT 1')->{stdout};
like($said, qr/sub_b/, 'an end is told');
unlike($said, qr/example\.com|Member b/, 'without the member\'s name or address');
is(value($s, q{SELECT status, changed_at IS NOT NULL FROM stripe.membership_history WHERE membership_id = 'm-b' ORDER BY serial}), "active|t\nactive|t\nended|t", 'the history has each change once');

#
# Who may do what.
#
$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE biller LOGIN; CREATE ROLE chief LOGIN; CREATE ROLE elsewhere LOGIN');
value($s, qq{SELECT stripe_grant('$_->[0]', '$_->[1]', '$_->[2]')}) foreach [ reader => 'reader', 'default' ], [ biller => 'biller', 'default' ], [ chief => 'admin', 'default' ], [ elsewhere => 'admin', 'other' ];
my $event = event('customer.created', { id => 'cus_role', object => 'customer', created => $now, metadata => {} });
my $body  = payload($event);
my $args  = bytes($body) . ', ' . literal(sign($body));
# Who may call what: a reader and above, 1; 4 is the owner alone.
my @calls = (
	[ "stripe_verify_webhook($args)",                                              2 ],
	[ "stripe_webhook_is_valid($args)",                                            2 ],
	[ q{stripe_membership_active('m-a')},                                          1 ],
	[ q{stripe_membership('m-a')},                                                 1 ],
	[ "stripe_ingest_webhook($args)",                                              2 ],
	[ "stripe_ingest_webhooks(ARRAY[" . bytes($body) . '], ARRAY[' . literal(sign($body)) . '])', 2 ],
	[ 'stripe_retry_events()',                                                     2 ],
	[ 'stripe_refetch(0)',                                                         2 ],
	[ q{stripe_link_membership('m-z', 'sub_z')},                                   2 ],
	[ q{stripe_ingest_events('{}')},                                               3 ],
	[ "stripe_replay_event('$renewed->{id}')",                                     3 ],
	[ q{stripe_override_membership('m-z', now() + '1 day', 'a gift')},             3 ],
	[ q{stripe_prune('100 days')},                                                 4 ]);
my %rank = (stranger => 0, reader => 1, biller => 2, chief => 3);
foreach my $role (sort keys %rank)
{
	foreach my $call (@calls)
	{
		my $r = $node->run_sql("SELECT $call->[0]", user => $role);
		my ($name) = $call->[0] =~ /^(\w+)/;
		if ($rank{$role} >= $call->[1]) { ok($r->{ok}, "$role may $name") or diag($r->{stderr}) }
		else { is($r->{sqlstate}, '42501', "$role may not $name") or diag($r->{stderr}) }
	}
}
foreach my $view (qw(active_members renewals_due failed_payments revenue_monthly membership_conflicts webhook_health events memberships membership_history refetches))
{
	my $sql = "SELECT count(*) FROM stripe.$view";
	is($node->run_sql($sql, user => 'reader')->{stdout}, value($s, $sql), "a reader sees $view");
	is($node->run_sql($sql, user => 'elsewhere')->{stdout}, 0, "who has another account sees nothing of $view");
	is($node->run_sql($sql, user => 'stranger')->{sqlstate}, '42501', "a stranger may not look at $view");
	next if $view !~ /^(?:events|memberships|membership_history|refetches)$/;
	is($node->run_sql("DELETE FROM stripe.$view", user => 'chief')->{sqlstate}, '42501', "nobody writes to $view by hand");
}
foreach my $call (@calls)
{
	my ($name) = $call->[0] =~ /^(\w+)/;
	my $r = $node->run_sql("SELECT $call->[0]", user => 'elsewhere');
	is($r->{sqlstate}, '42501', "another account's administrator may not $name") or diag($r->{stdout}, $r->{stderr}) unless $name eq 'stripe_membership';
	is($r->{stdout}, '', "another account's administrator learns nothing from $name");
}

#
# A standby can only read, and answers who is a member.
#
$node->backup('base');
my $standby = MemberPulse::Node->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my $r = $standby->session;
is(value($r, 'SELECT pg_is_in_recovery()'), 't', 'a standby');
is(value($r, q{SELECT stripe_membership_active('m-a'), stripe_membership_active('m-b'), stripe_membership_active('m-nobody')}), 't|f|f', 'knows the members');
is(value($r, q{SELECT stripe_membership_active('m-a', now() + interval '90 days'), stripe_membership_active('m-a', now() - interval '1 year')}), 'f|f', 'at every moment');
is(value($r, q{SELECT stripe_membership('m-a') ->> 'status'}), 'active', 'and all about them');
is($standby->run_sql(q{SELECT stripe_membership_active('m-a')}, user => 'reader')->{stdout}, 't', 'also for a reader');
is($standby->run_sql(q{SELECT stripe_membership_active('m-a')}, user => 'stranger')->{sqlstate}, '42501', 'and not for a stranger');
is(value($r, "SELECT stripe_webhook_is_valid($args)"), 't', 'it can check a signature');
raises($r, 'SELECT ' . deliver(event('customer.created', { id => 'cus_standby', object => 'customer' })), '25006', 'it cannot take an event in');
raises($r, 'SELECT stripe_refetch()', '25006', 'nor fetch');
happens('customer.subscription.deleted', subscription('a', 'm-a', status => 'canceled', ended_at => $now - 1, canceled_at => $now - 1), created => $now + 9);
happens('customer.subscription.deleted', subscription('e', 'm-a', status => 'canceled', ended_at => $now - 1, canceled_at => $now - 1), created => $now + 9);
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is(value($r, q{SELECT stripe_membership_active('m-a')}), 'f', 'an end arrives there');
raises($s, 'BEGIN READ ONLY; SELECT ' . deliver(event('customer.created', { id => 'cus_read', object => 'customer' })), '25006', 'nor does a read-only transaction take an event in');
$s->sql('ROLLBACK');
$r->quit;
$standby->stop;

#
# Pruning.
#
raises($s, q{SELECT stripe_prune('30 days')}, '22023', 'less than 31 days are not kept', detail => qr/31 days/);
raises($s, 'SELECT stripe_prune(NULL)', '22023', 'nor none');
raises($s, q{SELECT stripe_prune('60 days', 0)}, '22023', 'nothing at a time');
is(value($s, q{SELECT stripe_prune('31 days')}), 0, 'what is new stays');
value($s, q{UPDATE stripe.events SET received_at = received_at - interval '40 days', created = created - interval '40 days';
	UPDATE stripe.membership_history SET changed_at = changed_at - interval '40 days';
	UPDATE stripe.events SET state = 'received' WHERE object_id = 'cus_quiet'});
my $fresh = event('customer.created', { id => 'cus_fresh', object => 'customer', created => $now, metadata => {} });
state_of($s, $fresh);
my $kept     = value($s, q{SELECT count(*) FROM stripe.events WHERE state IN ('failed', 'received')});
my $old      = value($s, q{SELECT count(*) FROM stripe.events WHERE state IN ('applied', 'stale', 'ignored') AND received_at < now() - interval '31 days'});
my $members  = value($s, q{SELECT count(DISTINCT membership_id) FROM stripe.membership_history});
my $history  = value($s, q{SELECT count(*) FROM stripe.membership_history});
my $mirrored = value($s, q{SELECT count(*) FROM stripe.customers});
is($kept, 2, 'an event that failed and one that waits');
is(value($s, q{SELECT stripe_prune('31 days', 7)}), 7, 'seven at a time');
is(value($s, q{SELECT count(*) FROM stripe.events WHERE state IN ('applied', 'stale', 'ignored') AND received_at < now() - interval '31 days'}), $old - 7, 'are gone');
is(value($s, q{SELECT stripe_prune('50 days')}), 0, 'by the policy: what is younger stays');
is(value($s, q{SELECT stripe_prune('31 days')}), $old - 7 + $history - $members, 'then the rest, and old history');
is(value($s, q{SELECT string_agg(state, ',' ORDER BY state) FROM stripe.events}), 'applied,failed,received', 'what is not applied stays, however old, and what is new');
is(value($s, q{SELECT count(*) - count(DISTINCT membership_id), count(*) FROM stripe.membership_history}), "0|$members", 'and the newest history of each membership');
is(value($s, q{SELECT count(*) FROM stripe.customers}), $mirrored, 'mirrors are not touched');
is(value($s, q{SELECT stripe_prune('31 days')}), 0, 'nothing is left to be pruned');
done_testing();
