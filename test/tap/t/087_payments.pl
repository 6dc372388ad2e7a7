# Payments follow their events: paid, processing, refused with the bank's
# reason, refunded in part and in whole, a refund that fails, charged back and
# won again; in whatever order the events come.

use strict;
use warnings;

use JSON::PP;

use MemberPulse::Checks;
use MemberPulse::Test;
use MemberPulse::Webhook;
use Test::More;

my $node = new_node();
my $s    = $node->session;
my $base = time - 10_000;
my $T    = JSON::PP::true;
my $F    = JSON::PP::false;
my $n    = 0;

sub intent
{
	my ($id, %more) = @_;
	return { id => "pi_$id", object => 'payment_intent', created => $base, livemode => $F, amount => 2500, amount_received => 0, currency => 'aud', customer => 'cus_1',
		status => 'requires_payment_method', latest_charge => undef, last_payment_error => undef, metadata => { order_type => 'event', order_id => $id }, %more };
}

sub paid { my ($id, %more) = @_; return intent($id, status => 'succeeded', amount_received => 2500, latest_charge => "ch_$id", %more) }

sub charge
{
	my ($id, %more) = @_;
	return { id => "ch_$id", object => 'charge', created => $base, livemode => $F, amount => 2500, amount_captured => 2500, amount_refunded => 0, refunded => $F, disputed => $F,
		paid => $T, captured => $T, currency => 'aud', status => 'succeeded', customer => 'cus_1', payment_intent => "pi_$id", balance_transaction => "txn_$id",
		receipt_url => "https://receipts.example/$id", payment_method_details => { type => 'card' }, metadata => {}, %more };
}

sub refund
{
	my ($name, $id, $amount, %more) = @_;
	return { id => "re_$name", object => 'refund', created => $base, amount => $amount, currency => 'aud', charge => "ch_$id", payment_intent => "pi_$id", status => 'succeeded',
		reason => undef, balance_transaction => "txn_re_$name", metadata => {}, %more };
}

sub dispute
{
	my ($id, %more) = @_;
	return { id => "du_$id", object => 'dispute', created => $base, livemode => $F, amount => 2500, currency => 'aud', charge => "ch_$id", payment_intent => "pi_$id",
		status => 'needs_response', reason => 'fraudulent', is_charge_refundable => $F, metadata => {}, %more };
}

# An event some seconds after the last one.
sub happens
{
	my ($type, $object, %more) = @_;
	return state_of($s, event($type, $object, created => $base + 10 * ++$n, %more));
}

sub payment
{
	my ($id, $columns) = @_;
	return value($s, sprintf 'SELECT %s FROM stripe.payments WHERE payment_intent = %s', $columns // 'status, amount_received, amount_refunded', literal("pi_$id"));
}

sub order { my ($id) = @_; return value($s, sprintf q{SELECT status FROM stripe_order_status('event', %s)}, literal($id)) }

#
# Paid.
#
happens('payment_intent.created', intent('a'));
is(payment('a'), 'pending|0|0', 'a payment intent is a payment that is pending');
my $receipt = payment('a', 'receipt_number');
like($receipt, qr/^INV-\d{8}-\d{4,}$/, 'with a receipt number');
happens('payment_intent.requires_action', intent('a', status => 'requires_action', next_action => { type => 'use_stripe_sdk' }));
is(payment('a'), 'requires_action|0|0', 'the customer is asked');
happens('payment_intent.succeeded', paid('a'));
is(payment('a'), 'completed|2500|0', 'it is paid');
is(order('a'), 'completed', 'and so is the order');
happens('charge.succeeded', charge('a'));
is(payment('a', 'payment_method_type, receipt_url, receipt_number'), "card|https://receipts.example/a|$receipt", 'the charge tells how, and the receipt number is the same');

#
# By bank debit: days of processing, then paid.
#
happens('payment_intent.processing', intent('b', status => 'processing'));
is(payment('b'), 'processing|0|0', 'a debit is processed');
is(order('b'), 'processing', 'the order waits');
happens('payment_intent.succeeded', paid('b'));
is(payment('b'), 'completed|2500|0', 'and paid');

#
# Refused.
#
sub refused
{
	my ($id, $code, $decline) = @_;
	return intent($id, last_payment_error => { type => 'card_error', code => $code, decline_code => $decline, message => 'Your card was declined.',
		payment_method => { id => 'pm_1', object => 'payment_method', type => 'card' } });
}
happens('payment_intent.payment_failed', refused('c', 'card_declined', 'insufficient_funds'));
is(payment('c', 'status, failure_code, decline_code, payment_method_type'), 'failed|card_declined|insufficient_funds|card', 'a refused payment has the bank\'s reason');
is(order('c'), 'failed', 'and so has the order');
happens('payment_intent.failed', refused('c2', 'card_declined', 'lost_card'));
is(payment('c2', 'status, failure_code, decline_code'), 'failed|card_declined|lost_card', 'also by the other name of the event');
is(value($s, q{SELECT payment_intent, order_id, failure_code, decline_code, message FROM stripe.failed_payments ORDER BY 1}),
	"pi_c|c|card_declined|insufficient_funds|Your card was declined.\npi_c2|c2|card_declined|lost_card|Your card was declined.", 'both are among the failed payments');
happens('payment_intent.succeeded', paid('c'));
is(payment('c', 'status, failure_code, decline_code'), 'completed||', 'another card is taken');
is(value($s, q{SELECT payment_intent FROM stripe.failed_payments}), 'pi_c2', 'it is no failed payment any more');
happens('payment_intent.canceled', intent('c2', status => 'canceled', cancellation_reason => 'abandoned', canceled_at => $base));
is(payment('c2', 'status'), 'canceled', 'the other is given up');

#
# Refunded in part, the rest; then that one fails.
#
happens('refund.created', refund('a1', 'a', 500));
is(payment('a'), 'partially_refunded|2500|500', 'part of it is refunded');
is(order('a'), 'partially_refunded', 'of the order');
happens('charge.refunded', charge('a', amount_refunded => 500));
is(payment('a'), 'partially_refunded|2500|500', 'the charge says the same: it counts once');
happens('refund.created', refund('a2', 'a', 2000, status => 'pending'));
is(payment('a'), 'refunded|2500|2500', 'all of it');
happens('charge.refunded', charge('a', amount_refunded => 2500, refunded => $T));
happens('refund.updated', refund('a2', 'a', 2000), previous => { status => 'pending' });
is(payment('a'), 'refunded|2500|2500', 'and done');
happens('refund.failed', refund('a2', 'a', 2000, status => 'failed', failure_reason => 'expired_or_canceled_card'));
is(payment('a'), 'partially_refunded|2500|500', 'a refund that fails later is none');
happens('charge.updated', charge('a', amount_refunded => 500));
is(payment('a'), 'partially_refunded|2500|500', 'which the charge says, too');
happens('refund.updated', refund('a1', 'a', 500, status => 'canceled'), previous => { status => 'succeeded' });
happens('charge.updated', charge('a'));
is(payment('a'), 'completed|2500|0', 'one that is canceled leaves the payment whole');

# Only the charge tells of the refund.
happens('payment_intent.succeeded', paid('d'));
happens('charge.succeeded', charge('d'));
happens('charge.refunded', charge('d', amount_refunded => 700));
is(payment('d'), 'partially_refunded|2500|700', 'a refund of which only the charge tells');

#
# Charged back.
#
happens('payment_intent.succeeded', paid('e'));
happens('charge.succeeded', charge('e'));
happens('charge.dispute.created', dispute('e', status => 'warning_needs_response'));
is(payment('e'), 'completed|2500|0', 'an inquiry moves no money');
happens('charge.dispute.updated', dispute('e'), previous => { status => 'warning_needs_response' });
is(payment('e', 'status'), 'charged_back', 'a dispute does');
is(order('e'), 'charged_back', 'the order, too');
happens('charge.updated', charge('e', disputed => $T));
happens('charge.dispute.updated', dispute('e', status => 'under_review'), previous => { status => 'needs_response' });
is(payment('e', 'status'), 'charged_back', 'while it is looked into');
happens('charge.dispute.closed', dispute('e', status => 'won'));
is(payment('e'), 'completed|2500|0', 'it is won: paid again');
is(order('e'), 'completed', 'and so is the order');
happens('payment_intent.succeeded', paid('f'));
happens('charge.succeeded', charge('f'));
happens('charge.dispute.created', dispute('f'));
happens('charge.dispute.closed', dispute('f', status => 'lost'));
is(payment('f', 'status'), 'charged_back', 'one that is lost stays charged back');

# A hold that is captured in part.
happens('payment_intent.amount_capturable_updated', intent('g', status => 'requires_capture', amount_capturable => 2500, latest_charge => 'ch_g'));
is(payment('g'), 'processing|0|0', 'a hold');
happens('charge.captured', charge('g', amount_captured => 2000, amount_refunded => 500));
happens('payment_intent.succeeded', paid('g', amount_received => 2000));
is(payment('g'), 'completed|2000|0', 'of which part is captured: the rest was never paid');

#
# The same life in every order comes to the same end, with each event twice.
#
sub life
{
	my ($id) = @_;
	my $at = $base;
	return map { event($_->[0], $_->[1], created => $at += 5) } (
		[ 'payment_intent.created',        intent($id) ],
		[ 'payment_intent.payment_failed', refused($id, 'card_declined', 'generic_decline') ],
		[ 'payment_intent.succeeded',      paid($id) ],
		[ 'charge.succeeded',              charge($id) ],
		[ 'refund.created',                refund($id, $id, 900) ],
		[ 'charge.refunded',               charge($id, amount_refunded => 900) ],
		[ 'charge.dispute.created',        dispute($id, amount => 1600) ],
		[ 'charge.dispute.closed',         dispute($id, amount => 1600, status => 'won') ]);
}
srand 87;
my %ends;
foreach my $turn (1 .. 25)
{
	my $id = "life$turn";
	my @events = map { $_, $_ } life($id);
	foreach my $i (reverse 1 .. $#events)
	{
		my $j = int rand $i + 1;
		@events[ $i, $j ] = @events[ $j, $i ];
	}
	if ($turn % 2) { value($s, 'SELECT ' . deliver($_)) foreach @events }
	else { ingest_all($s, 'state', @events) }
	$ends{ payment($id, 'status, amount, amount_received, amount_refunded, failure_code, payment_method_type') }++;
}
is_deeply(\%ends, { 'partially_refunded|2500|2500|900||card' => 25 }, 'a payment\'s events in 25 orders, one by one and in batches');

is(value($s, q{SELECT count(*) FROM stripe.events WHERE state NOT IN ('applied', 'stale')}), 0, 'all events were applied, or knew nothing new');
is(value($s, q{SELECT count(*) FROM stripe.payments p FULL JOIN stripe.payment_states s USING (account, livemode, payment_intent)
	WHERE (p.status, p.amount_received, p.amount_refunded, p.failure_code) IS DISTINCT FROM (s.status, s.amount_received, s.amount_refunded, s.failure_code)}), 0,
	'and the payments are what the mirrors say');
is(value($s, 'SELECT count(*) FROM stripe.payments GROUP BY receipt_number HAVING count(*) > 1'), '', 'no receipt number is there twice');
done_testing();
