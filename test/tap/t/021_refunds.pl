# Refunds: never more than was paid, refused here with the figures and without
# asking Stripe to do it; what fails later is left to be refunded again.

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
	my ($method, $amount, $more) = @_;
	$amount //= 2500;
	$more = defined $more ? ", $more" : '';
	return value($s, qq{SELECT stripe_create_intent($amount, payment_method => '$method', confirm => true,
		return_url => 'https://club.example/done', order_type => 'event', order_id => 'T-1'$more) ->> 'id'});
}

sub payment
{
	my ($id) = @_;
	return value($s, "SELECT status, amount_received, amount_refunded FROM stripe.payments WHERE payment_intent = '$id'");
}

# The requests since the last look that would move money.
sub posts
{
	my @posts = sent($fake, method => 'POST');
	forget_requests($fake);
	return @posts;
}

#
# Part, more than the rest, the rest, nothing left.
#
my $id = pay('pm_card_visa');
posts();
my $refund = value($s, qq{
	SELECT stripe_refund('$id', 600, reason => 'requested_by_customer', metadata => '{"why": "rain"}', idempotency_key => 'rain-1') ->> 'id'});
my ($request) = $fake->requests(method => 'POST');
is($request->{path}, '/v1/refunds', 'a refund is created');
is( join('&', sort split /&/, $request->{body}),
	"amount=600&metadata[why]=rain&payment_intent=$id&reason=requested_by_customer",
	'of part of the payment');
posts();
is($request->{headers}{'idempotency-key'}, 'rain-1', 'with the caller\'s key');
is(payment($id), 'partially_refunded|2500|600', 'the payment is partially refunded');
is( value($s, qq{SELECT status, amount, reason, payment_intent = '$id' FROM stripe.refunds WHERE id = '$refund'}),
	'succeeded|600|requested_by_customer|t', 'and the refund has a mirror');

raises($s, qq{SELECT stripe_refund('$id', 1901)}, 'ST003', 'more than is left is refused',
	message => qr/^the refund is larger than what is left of payment "$id"$/,
	detail  => qr/^Asked for 19\.01 AUD, and 19\.00 AUD is left\.$/,
	hint    => qr/^Leave the amount out to refund all that is left\.$/);
is_deeply([ posts() ], [], 'without asking Stripe for it');
is(payment($id), 'partially_refunded|2500|600', 'and nothing has changed');
is($fake->books->{totals}{refunds}{amount}, 600, 'not at Stripe either');

is(value($s, qq{SELECT stripe_refund('$id', 1900) ->> 'amount'}), '1900', 'exactly what is left is refunded');
is(payment($id), 'refunded|2500|2500', 'the payment is refunded');
posts();
foreach my $amount ('', ', 1', ', 2500')
{
	raises($s, qq{SELECT stripe_refund('$id'$amount)}, 'ST003', "nothing is left (asked for '$amount')",
		message => qr/^payment "$id" has nothing left to refund$/,
		detail  => qr/^All of it has been refunded already\.$/);
}
is_deeply([ posts() ], [], 'and Stripe is not asked');
is($fake->books->{totals}{refunds}{amount}, 2500, 'the books agree');

# The same key again is Stripe's to judge: it is the refund that was made.
is( value($s, qq{SELECT stripe_refund('$id', 600, reason => 'requested_by_customer', metadata => '{"why": "rain"}', idempotency_key => 'rain-1') ->> 'id'}),
	$refund, 'a refund repeated with its key is answered, not refused');
is($fake->books->{totals}{refunds}{amount}, 2500, 'and not made again');

# All at once; amounts without an amount.
$id = pay('pm_card_visa', 999, q{currency => 'jpy'});
is(value($s, qq{SELECT stripe_refund('$id') ->> 'amount'}), '999', 'without an amount, all of it');
$id = pay('pm_card_visa', 999, q{currency => 'jpy'});
posts();
raises($s, qq{SELECT stripe_refund('$id', 1000)}, 'ST003', 'more than was paid',
	detail => qr/^Asked for 1000 JPY, and 999 JPY is left\.$/);
raises($s, qq{SELECT stripe_refund('$id', params => '{"amount": 1000}')}, 'ST003', 'also when the amount is in params',
	detail => qr/^Asked for 1000 JPY, and 999 JPY is left\.$/);
is_deeply([ posts() ], [], 'no request to refund');

#
# By the charge's id.
#
$id = pay('pm_card_visa');
value($s, qq{SELECT stripe_get_payment('$id', params => '{"expand": ["latest_charge"]}')});
my $charge = value($s, qq{SELECT latest_charge FROM stripe.payment_intents WHERE id = '$id'});
like($charge, qr/^ch_/, 'a charge');
posts();
is(value($s, qq{SELECT stripe_refund('$charge', 500) ->> 'charge'}), $charge, 'a refund by charge');
is(join(' ', posts()), "POST /v1/refunds amount=500&charge=$charge", 'is sent so');
is(payment($id), 'partially_refunded|2500|500', 'and the payment follows');
raises($s, qq{SELECT stripe_refund('$charge', 2001)}, 'ST003', 'more than is left of a charge',
	detail => qr/^Asked for 20\.01 AUD, and 20\.00 AUD is left\.$/);
is_deeply([ posts() ], [], 'is refused here as well');
is(value($s, qq{SELECT stripe_refund('$charge') ->> 'amount'}), '2000', 'the rest by charge');
raises($s, qq{SELECT stripe_refund('$charge')}, 'ST003', 'nothing left of a charge', message => qr/nothing left to refund/);

#
# Tables that are behind Stripe's do not refuse what Stripe would do, and do
# not let pass what it would not.
#
$id = pay('pm_card_visa');
value($s, qq{SELECT stripe_refund('$id', 2000)});
$refund = $fake->books->{refund}[-1]{id};
$fake->admin_post("/refunds/$refund", { to => 'failed' });
is(payment($id), 'partially_refunded|2500|2000', 'a refund failed, and no one has told us');
posts();
is(value($s, qq{SELECT stripe_refund('$id', 2500) ->> 'amount'}), '2500', 'all is left again, as Stripe says when asked');
is(scalar(posts()), 1, 'one request to refund');

$id = pay('pm_card_visa');
$charge = value($s, qq{SELECT latest_charge FROM stripe.payment_intents WHERE id = '$id'});
my $other = new_node(fake => $fake, name => 'other')->session;
value($other, qq{SELECT stripe_refund('$id', 2000)});
posts();
is(payment($id), 'completed|2500|0', 'refunded by someone else');
raises($s, qq{SELECT stripe_refund('$id', 1000)}, 'ST003', 'Stripe refuses what our tables would have allowed',
	detail => qr/Refund amount .* is greater than unrefunded amount on charge/);
is($fake->admin_get("/objects/$charge")->{amount_refunded}, 2000, 'and refunds nothing');

# A payment that this database never saw.
my $unseen = value($other, q{SELECT stripe_create_intent(2500, payment_method => 'pm_card_visa', confirm => true,
	return_url => 'https://club.example/done') ->> 'id'});
is(value($s, qq{SELECT stripe_refund('$unseen', 100) ->> 'amount'}), '100', 'a payment not in the tables is refunded');
raises($s, qq{SELECT stripe_refund('$unseen', 9900)}, 'ST003', 'and Stripe refuses too much of it');

#
# A refund that fails days later: the rest comes back once it is heard of.
#
$id = pay('pm_card_refundFail');
$refund = value($s, qq{SELECT stripe_refund('$id', 1000) ->> 'id'});
is(payment($id), 'partially_refunded|2500|1000', 'a refund succeeds');
value($s, q{SELECT pg_sleep(1.1)});    # moments are whole seconds
$fake->admin_post('/settle');
value($s, qq{SELECT stripe_request('GET', '/v1/refunds/$refund')});
is(value($s, qq{SELECT status, failure_reason IS NOT NULL FROM stripe.refunds WHERE id = '$refund'}), 'failed|t', 'and fails later');
is(payment($id), 'completed|2500|0', 'the payment is whole again');
is(value($s, qq{SELECT stripe_refund('$id') ->> 'amount'}), '2500', 'and can be refunded in full');

$id = pay('pm_card_pendingRefund');
$refund = value($s, qq{SELECT stripe_refund('$id') ->> 'id'});
is(value($s, qq{SELECT status FROM stripe.refunds WHERE id = '$refund'}), 'pending', 'a refund under way');
is(payment($id), 'refunded|2500|2500', 'counts as refunded');
raises($s, qq{SELECT stripe_refund('$id')}, 'ST003', 'and cannot be made twice');

# What was captured, not what was authorized, is what can be refunded.
$id = pay('pm_card_visa', 2500, q{capture_method => 'manual'});
value($s, qq{SELECT stripe_capture_intent('$id', 2000)});
posts();
raises($s, qq{SELECT stripe_refund('$id', 2001)}, 'ST003', 'more than was captured is refused',
	detail => qr/^Asked for 20\.01 AUD, and 20\.00 AUD is left\.$/);
is_deeply([ posts() ], [], 'without asking Stripe');
is(value($s, qq{SELECT stripe_refund('$id') ->> 'amount'}), '2000', 'what was captured is refunded');

# A refund of as much as was released is a refund all the same.
$id = pay('pm_card_visa', 2500, q{capture_method => 'manual'});
value($s, qq{SELECT stripe_capture_intent('$id', 2000)});
value($s, qq{SELECT stripe_refund('$id', 500)});
is(payment($id), 'partially_refunded|2000|500', 'a refund of the amount that was released at capture');
value($s, qq{SELECT count(*) FROM stripe_list('/v1/refunds', '{"payment_intent": "$id"}')});
is(payment($id), 'partially_refunded|2000|500', 'also when Stripe\'s note of the release is known');
is(value($s, qq{SELECT stripe_refund('$id') ->> 'amount'}), '1500', 'what is left of it');
is(payment($id), 'refunded|2000|2000', 'is refunded');

#
# A payment that was never made.
#
$id = value($s, q{SELECT stripe_create_intent(2500) ->> 'id'});
raises($s, qq{SELECT stripe_refund('$id')}, 'ST003', 'an unpaid payment is not refunded');

#
# stripe_cancel_refund
#
$id = pay('pm_card_visa');
$refund = value($s, qq{SELECT stripe_refund('$id') ->> 'id'});
raises($s, qq{SELECT stripe_cancel_refund('$refund')}, 'ST003', 'a refund that succeeded is not canceled');
$fake->admin_post("/refunds/$refund", { to => 'requires_action' });
posts();
is(value($s, qq{SELECT stripe_cancel_refund('$refund') ->> 'status'}), 'canceled', 'one that waits for the customer is');
like(join(' ', posts()), qr{^POST /v1/refunds/$refund/cancel ?$}, 'on its own path');
is(payment($id), 'completed|2500|0', 'and the payment is whole again');

requests_ok($fake);
done_testing();
