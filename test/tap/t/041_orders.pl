# Payments of orders: stripe_order_status and receipt numbers.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Test;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $s    = $node->session;

sub pay
{
	my ($session, $order, $method) = @_;
	return value($session, qq{SELECT body -> 'error' -> 'payment_intent' ->> 'id' FROM stripe_try_request('POST', '/v1/payment_intents',
		'{"amount": 2500, "currency": "aud", "confirm": true, "return_url": "https://club.example/", "payment_method": "$method",
		"metadata": {"order_type": "event", "order_id": "$order"}}')});
}

sub order
{
	my ($order, $columns) = @_;
	return value($s, "SELECT $columns FROM stripe_order_status('event', '$order')");
}

#
# Of an order's payments, the one that came furthest counts.
#
is(order('T-1', 'status IS NULL, payment_intent IS NULL'), 't|t', 'an order without a payment');
my $failed = pay($s, 'T-1', 'pm_card_chargeDeclined');
is(order('T-1', 'status, failure_code, payment_intent'), "failed|card_declined|$failed", 'one that failed');
my $open = value($s, q{SELECT stripe_create_intent(2500, order_type => 'event', order_id => 'T-1') ->> 'id'});
is(order('T-1', 'status, payment_intent'), "pending|$open", 'one that is open goes before one that failed');
value($s, qq{SELECT stripe_confirm_intent('$failed', payment_method => 'pm_card_visa', return_url => 'https://club.example/')});
is(order('T-1', 'status, payment_intent, failure_code, amount, amount_refunded, currency'), "completed|$failed||2500|0|aud", 'a completed one before all');
value($s, qq{SELECT stripe_cancel_intent('$open')});
is(order('T-1', 'status'), 'completed', 'canceling another changes nothing');
value($s, qq{SELECT stripe_refund('$failed', 500)});
is(order('T-1', 'status, amount_refunded'), 'partially_refunded|500', 'refunded in part');
value($s, qq{SELECT stripe_refund('$failed')});
is(order('T-1', 'status, amount_refunded'), 'refunded|2500', 'refunded');
is(value($s, q{SELECT status IS NULL FROM stripe_order_status('course', 'T-1')}), 't', 'the same id of another type is another order');
forget_requests($fake);
order('T-1', 'status');
is(scalar($fake->requests), 0, 'Stripe is not asked');

# An order that changes hands: the payment follows its metadata.
my $moved = value($s, q{SELECT stripe_create_intent(2500, order_type => 'event', order_id => 'T-2') ->> 'id'});
value($s, qq{SELECT stripe_update_intent('$moved', order_id => 'T-3')});
is(order('T-2', 'status IS NULL'), 't', 'no longer the old order\'s');
is(order('T-3', 'payment_intent'), $moved, 'but the new one\'s');

#
# Test and live payments of one order do not mix.
#
value($s, q{INSERT INTO stripe.payments (account, livemode, payment_intent, order_type, order_id, status, receipt_number)
	VALUES ('default', true, 'pi_live', 'event', 'T-9', 'completed', 'L-1')});
is(order('T-9', 'status IS NULL'), 't', 'with a test key, a live payment does not count');

#
# Receipt numbers
#
my $today = value($s, q{SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')});
is( value($s, q{SELECT count(*) FROM stripe.payments WHERE NOT livemode AND receipt_number !~ '^INV-\d{8}-\d{4,}$'}),
	'0', 'all receipt numbers look like INV-20261123-0001');
like(order('T-3', 'receipt_number'), qr/^INV-(?:$today|\d{8})-\d{4}$/, 'with the day of the payment');
my $number = order('T-1', 'receipt_number');
value($s, qq{SELECT stripe_get_payment('$failed')});
is(order('T-1', 'receipt_number'), $number, 'a receipt number is given once');

# The day is that of the payment, in UTC, whatever the session's time zone.
$fake->admin_post('/clock', { offset_ms => -30 * 86400 * 1000 });
value($s, q{SET timezone = 'Pacific/Kiritimati'});
my $old = value($s, q{SELECT stripe_create_intent(2500) ->> 'id'});
is( value($s, qq{SELECT receipt_number LIKE 'INV-' || to_char(to_timestamp((p.data ->> 'created')::bigint) AT TIME ZONE 'UTC', 'YYYYMMDD') || '-%'
	FROM stripe.payments JOIN stripe.payment_intents p ON p.id = payment_intent WHERE payment_intent = '$old'}),
	't', 'the day of a payment of last month');
value($s, 'RESET timezone');
$fake->admin_post('/clock', { offset_ms => 0 });

# More than four digits when they are needed.
value($s, q{SELECT setval('stripe.receipt_number', 9999)});
my $large = value($s, q{SELECT stripe_create_intent(2500) ->> 'id'});
like(value($s, "SELECT receipt_number FROM stripe.payments WHERE payment_intent = '$large'"), qr/-10000$/, 'the ten thousandth');

# Two open transactions that both create payments: neither waits, and the
# numbers differ.
my $t = $node->session;
value($_, q{SET lock_timeout = '5s'; BEGIN}) foreach $s, $t;
my @ids;
foreach my $turn (1 .. 3)
{
	push @ids, value($_, qq{SELECT stripe_create_intent(2500, order_type => 'event', order_id => 'T-4') ->> 'id'}) foreach $s, $t;
}
is(value($s, q{SELECT count(*) FROM stripe.payments WHERE order_id = 'T-4'}), '3', 'both go on while the other is open');
value($t, 'COMMIT');
value($s, 'COMMIT');
is(value($s, q{SELECT count(*), count(DISTINCT receipt_number) FROM stripe.payments WHERE order_id = 'T-4'}), '6|6', 'all have a number of their own');

# A rollback leaves a gap, and no number twice.
value($s, 'BEGIN');
my $dropped = value($s, q{SELECT stripe_create_intent(2500) ->> 'id'});
my $gap = value($s, "SELECT receipt_number FROM stripe.payments WHERE payment_intent = '$dropped'");
value($s, 'ROLLBACK');
value($s, "SELECT stripe_get_payment('$dropped')");
isnt(value($s, "SELECT receipt_number FROM stripe.payments WHERE payment_intent = '$dropped'"), $gap, 'a number rolled back is not given again');

# A number that is taken, of whatever origin, is an error and not a second owner.
my $r = $s->sql(q{INSERT INTO stripe.payments (account, livemode, payment_intent, status, receipt_number)
	SELECT account, livemode, 'pi_double', status, receipt_number FROM stripe.payments LIMIT 1});
is($r->{sqlstate}, '23505', 'receipt numbers are unique within the account');

#
# A refund heard of before its payment: nothing to derive yet, and then all.
#
my $id = value($s, q{SELECT stripe_create_intent(2500, payment_method => 'pm_card_visa', confirm => true,
	return_url => 'https://club.example/', order_type => 'event', order_id => 'T-5') ->> 'id'});
value($s, qq{SELECT stripe_refund('$id', 700)});
value($s, 'TRUNCATE stripe.payments, stripe.payment_intents, stripe.charges, stripe.refunds');
value($s, q{SELECT count(*) FROM stripe_list('/v1/refunds')});
is(order('T-5', 'status IS NULL'), 't', 'a refund without its payment');
value($s, qq{SELECT stripe_get_payment('$id')});
is(order('T-5', 'status, amount_refunded'), 'partially_refunded|700', 'counts once the payment is there');

requests_ok($fake);
done_testing();
