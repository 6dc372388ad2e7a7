# Payments: every function of the group, against the fake Stripe; what each
# sends, what it returns, and what the tables say afterwards.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Test;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $s    = $node->session;

# A new payment of 25.00; further arguments as SQL.
sub pay
{
	my ($more) = @_;
	return value($s, qq{SELECT stripe_create_intent(2500, return_url => 'https://club.example/done', confirm => true, $more) ->> 'id'});
}

sub payment
{
	my ($column, $id) = @_;
	return value($s, "SELECT $column FROM stripe.payments WHERE payment_intent = '$id'");
}

#
# stripe_create_intent: each argument goes where Stripe expects it.
#
my $customer = value($s, q{SELECT stripe_create_customer(email => 'ada@example.com') ->> 'id'});
forget_requests($fake);
my $id = value($s, qq{
	SELECT stripe_create_intent(2500, currency => 'eur', customer => '$customer',
		payment_method => 'pm_card_visa', confirm => true, off_session => true,
		capture_method => 'automatic', setup_future_usage => 'off_session',
		receipt_email => 'ada\@example.com', description => 'Ticket & more',
		statement_descriptor_suffix => 'TICKET', order_type => 'event', order_id => 'T-17',
		membership_id => 'm-1', metadata => '{"seat": "12"}', params => '{"expand": ["customer"]}',
		idempotency_key => 'ticket-17') ->> 'id'});
my ($request) = $fake->requests;
is($request->{method} . ' ' . $request->{path}, 'POST /v1/payment_intents', 'a payment intent is created');
is( join("\n", sort split /&/, $request->{body}),
	join(
		"\n", sort(
			'amount=2500', 'currency=eur', "customer=$customer", 'payment_method=pm_card_visa',
			'confirm=true', 'off_session=true', 'capture_method=automatic',
			'setup_future_usage=off_session', 'receipt_email=ada%40example.com',
			'description=Ticket%20%26%20more', 'statement_descriptor_suffix=TICKET',
			'metadata[order_type]=event', 'metadata[order_id]=T-17', 'metadata[membership_id]=m-1',
			'metadata[seat]=12', grep { /^expand/ } split /&/, $request->{body})),
	'every argument is sent as its parameter');
like($request->{body}, qr/(?:^|&)expand\[\d\]=customer(?:&|$)/, 'params are merged in');
my %header = %{ $request->{headers} };
is($header{'idempotency-key'}, 'ticket-17', 'the caller\'s idempotency key');
is($header{'stripe-version'}, '2026-10-28.endive', 'the pinned version');
is($header{'content-type'}, 'application/x-www-form-urlencoded', 'a form');
is($header{accept}, 'application/json', 'asks for JSON');
like($header{'user-agent'}, qr{^memberpulse_stripe/\d+\.\d+\.\d+$}, 'says who it is');
ok(!exists $header{'stripe-account'}, 'acts for no connected account');

is(payment(q{concat_ws(' ', status, order_type, order_id, amount, amount_received, amount_refunded, currency, customer)}, $id),
	"completed event T-17 2500 2500 0 eur $customer", 'the payment of the order is in the table');
is(value($s, "SELECT status, amount, currency FROM stripe.payment_intents WHERE id = '$id'"),
	'succeeded|2500|eur', 'and its mirror');

# Idempotency: the caller's key answers again; without one each call has its own.
is( value($s, qq{
	SELECT stripe_create_intent(2500, currency => 'eur', customer => '$customer',
		payment_method => 'pm_card_visa', confirm => true, off_session => true,
		capture_method => 'automatic', setup_future_usage => 'off_session',
		receipt_email => 'ada\@example.com', description => 'Ticket & more',
		statement_descriptor_suffix => 'TICKET', order_type => 'event', order_id => 'T-17',
		membership_id => 'm-1', metadata => '{"seat": "12"}', params => '{"expand": ["customer"]}',
		idempotency_key => 'ticket-17') ->> 'id'}),
	$id, 'the same key is answered with the same payment');
is($fake->books->{totals}{charges}{count}, 1, 'and nothing is charged twice');

forget_requests($fake);
value($s, q{SELECT stripe_create_intent(2500), stripe_create_intent(2500)});
my @keys = map { $_->{headers}{'idempotency-key'} } $fake->requests;
like($keys[0], qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'a call without a key makes one');
isnt($keys[1], $keys[0], 'each call its own');
like(($fake->requests)[0]{body}, qr/currency=aud/, 'without a currency the account\'s is used');

# A currency the caller gives in params counts too.
forget_requests($fake);
is(value($s, q{SELECT stripe_create_intent(2500, params => '{"currency": "nzd"}') ->> 'currency'}), 'nzd', 'currency by params');
is(value($s, q{SELECT stripe_create_intent(2500, currency => 'nzd', params => '{"currency": "nzd"}') ->> 'currency'}),
	'nzd', 'a value given twice alike is fine');

#
# stripe_update_intent
#
$id = value($s, q{SELECT stripe_create_intent(2500, order_type => 'course', order_id => 'C-1', description => 'Old') ->> 'id'});
is(payment('status', $id), 'pending', 'a payment that was not confirmed is pending');
is( value($s, qq{SELECT r ->> 'amount', r ->> 'description', r -> 'metadata' ->> 'order_id'
	FROM stripe_update_intent('$id', amount => 3000, description => '', order_id => 'C-2') r}),
	'3000||C-2', 'stripe_update_intent changes what is named; an empty string unsets');
is(payment(q{concat_ws(' ', amount, order_type, order_id)}, $id), '3000 course C-2', 'and the table follows');

#
# stripe_confirm_intent
#
forget_requests($fake);
is( value($s, qq{SELECT stripe_confirm_intent('$id', payment_method => 'pm_card_visa', return_url => 'https://club.example/done') ->> 'status'}),
	'succeeded', 'stripe_confirm_intent pays');
is(($fake->requests)[0]{path}, "/v1/payment_intents/$id/confirm", 'on its own path');
is(payment('status', $id), 'completed', 'and completes the payment');
raises($s, qq{SELECT stripe_confirm_intent('$id', payment_method => 'pm_card_visa', return_url => 'https://club.example/done')},
	'ST003', 'a paid intent is not confirmed again',
	message => qr/^the payment intent's status does not allow this$/,
	hint => qr/^Read the payment intent and decide by its status\.$/, detail => qr/payment_intent_unexpected_state/);
raises($s, qq{SELECT stripe_update_intent('$id', amount => 100)}, 'ST003', 'nor its amount changed');

#
# stripe_capture_intent
#
$id = pay(q{payment_method => 'pm_card_visa', capture_method => 'manual'});
is(payment('status', $id), 'processing', 'an authorized payment is processing');
forget_requests($fake);
is( value($s, qq{SELECT r ->> 'status', r ->> 'amount_received' FROM stripe_capture_intent('$id', 2000) r}),
	'succeeded|2000', 'stripe_capture_intent takes part of it');
like(($fake->requests)[0]{body}, qr/(?:^|&)amount_to_capture=2000(?:&|$)/, 'by Stripe\'s name of the amount');
is(payment(q{concat_ws(' ', status, amount, amount_received, amount_refunded)}, $id), 'completed 2500 2000 0',
	'what was not captured is not a refund');
is(value($s, qq{SELECT stripe_get_payment('$id', params => '{"expand": ["latest_charge"]}') ->> 'status'}), 'succeeded', 'asked again');
is(payment(q{concat_ws(' ', status, amount_received, amount_refunded)}, $id), 'completed 2000 0',
	'also when the charge itself is known, which counts the release as refunded');
raises($s, qq{SELECT stripe_capture_intent('$id')}, 'ST003', 'a captured payment is not captured again');

$id = pay(q{payment_method => 'pm_card_visa', capture_method => 'manual'});
is(value($s, qq{SELECT stripe_capture_intent('$id') ->> 'amount_received'}), '2500', 'without an amount, all of it');

#
# stripe_cancel_intent
#
$id = value($s, q{SELECT stripe_create_intent(2500) ->> 'id'});
forget_requests($fake);
is( value($s, qq{SELECT r ->> 'status', r ->> 'cancellation_reason' FROM stripe_cancel_intent('$id', 'requested_by_customer') r}),
	'canceled|requested_by_customer', 'stripe_cancel_intent');
is(join(' ', sent($fake)) =~ s/expand\[\d\]=[^& ]*&?//gr,
	"POST /v1/payment_intents/$id/cancel cancellation_reason=requested_by_customer", 'with the reason');
is(payment('status', $id), 'canceled', 'a canceled payment');
raises($s, qq{SELECT stripe_cancel_intent('$id')}, 'ST003', 'is not canceled again');

$id = pay(q{payment_method => 'pm_card_visa', capture_method => 'manual'});
is(value($s, qq{SELECT stripe_cancel_intent('$id') ->> 'status'}), 'canceled', 'an authorization is released');
is(payment(q{concat_ws(' ', status, amount_received, amount_refunded)}, $id) =~ s/ \d+$//r, 'canceled 0', 'nothing was received');

#
# stripe_get_payment, and a payment that was made elsewhere
#
forget_requests($fake);
$id = $fake->books->{payment_intent}[0]{id};
is(value($s, qq{SELECT stripe_get_payment('$id') ->> 'id'}), $id, 'stripe_get_payment');
like(join(' ', sent($fake)), qr{^GET /v1/payment_intents/$id(?:\?expand\S*)?$}, 'is a GET');
ok(!exists +(($fake->requests)[0]{headers}{'idempotency-key'}), 'without an idempotency key');
raises($s, q{SELECT stripe_get_payment('pi_none')}, 'ST003', 'a payment that is not there',
	message => qr/^Stripe has no such object$/, hint => qr/test and live objects never mix/,
	detail => qr/resource_missing/, context => qr{^Stripe request GET /v1/payment_intents/pi_none});

#
# Bank debits and transfers are not failures while they last.
#
my $mandate = q{"mandate_data": {"customer_acceptance": {"type": "online", "online": {"ip_address": "203.0.113.7", "user_agent": "test"}}}};
my $person  = q{"billing_details": {"name": "Ada", "email": "ada@example.com"}};
my %debit   = (
	au_becs_debit => [ 'aud', qq{{"type": "au_becs_debit", "au_becs_debit": {"bsb_number": "000000", "account_number": "000123456"}, $person}} ],
	sepa_debit    => [ 'eur', qq{{"type": "sepa_debit", "sepa_debit": {"iban": "AT611904300234573201"}, $person}} ],
	us_bank_account => [ 'usd', undef ]);
foreach my $type (sort keys %debit)
{
	my ($currency, $data) = @{ $debit{$type} };
	my $how = $data ? qq{params => '{"payment_method_data": $data, $mandate}'} : q{payment_method => 'pm_usBankAccount_success'};
	$id = pay(qq{currency => '$currency', order_type => 'membership', order_id => '$type', $how});
	is(payment(q{concat_ws(' ', status, amount_received)}, $id), 'processing 0', "$type: processing, nothing received yet");
	is(value($s, "SELECT status FROM stripe_order_status('membership', '$type')"), 'processing', "$type: so is the order");
	raises($s, qq{SELECT stripe_cancel_intent('$id')}, 'ST003', "$type: cannot be canceled meanwhile");
	value($s, qq{SELECT stripe_get_payment('$id')});
	is(payment('status', $id), 'processing', "$type: asking does not change it");
	$fake->admin_post("/advance/$id", { to => 'succeeded' });
	value($s, qq{SELECT stripe_get_payment('$id')});
	is(payment(q{concat_ws(' ', status, amount_received)}, $id), 'completed 2500', "$type: completed once the bank says so");
}

$id = pay(q{currency => 'usd', payment_method => 'pm_usBankAccount_insufficientFunds'});
is(payment('status', $id), 'processing', 'a debit that will fail is processing first');
$fake->admin_post("/advance/$id", { to => 'requires_payment_method' });
value($s, qq{SELECT stripe_get_payment('$id')});
is(payment(q{concat_ws(' ', status, failure_code)}, $id), 'failed insufficient_funds', 'then failed, with the bank\'s code');

# A bank transfer waits for the customer's money.
$id = pay(qq{currency => 'eur', customer => '$customer', params => '{"payment_method_data": {"type": "customer_balance"},
	"payment_method_options": {"customer_balance": {"funding_type": "bank_transfer",
	"bank_transfer": {"type": "eu_bank_transfer", "eu_bank_transfer": {"country": "DE"}}}}}'});
is(payment('status', $id), 'requires_action', 'a bank transfer requires an action');
is(value($s, qq{SELECT next_action_type FROM stripe.payment_intents WHERE id = '$id'}),
	'display_bank_transfer_instructions', 'that is: to transfer the money');
$fake->admin_post("/advance/$id", { to => 'succeeded' });
value($s, qq{SELECT stripe_get_payment('$id')});
is(payment('status', $id), 'completed', 'completed when it arrives');

#
# Wallets are cards.
#
foreach my $wallet (qw(apple_pay google_pay))
{
	$id = pay(qq{payment_method => 'pm_card_visa_$wallet', params => '{"expand": ["payment_method", "latest_charge"]}'});
	is(payment('status', $id), 'completed', "$wallet pays");
	is(payment('payment_method_type', $id), 'card', "$wallet: as a card");
	is( value($s, qq{SELECT m.data #>> '{card,wallet,type}' FROM stripe.payment_methods m
		JOIN stripe.payment_intents p ON p.payment_method = m.id WHERE p.id = '$id'}),
		$wallet, "$wallet: and the mirror says which");
}

#
# The customer has to act: 3-D Secure.
#
$id = pay(q{payment_method => 'pm_card_authenticationRequired'});
is(payment('status', $id), 'requires_action', 'authentication on session is an action, no error');
$fake->admin_post("/advance/$id", { to => 'succeeded' });
value($s, qq{SELECT stripe_get_payment('$id')});
is(payment('status', $id), 'completed', 'completed after it');

# A dispute: charged back.
$id = pay(q{payment_method => 'pm_card_createDispute'});
value($s, qq{SELECT stripe_get_payment('$id', params => '{"expand": ["latest_charge"]}')});
value($s, q{SELECT stripe_request('GET', '/v1/disputes')});
is(payment('status', $id), 'charged_back', 'a disputed payment is charged back');
raises($s, qq{SELECT stripe_refund('$id')}, 'ST003', 'and not refunded', message => qr/disputed and cannot be refunded/,
	hint => qr/dispute/);

# The charge is mirrored with the payment.
$id = pay(q{payment_method => 'pm_card_visa'});
is( value($s, qq{SELECT c.status, c.amount FROM stripe.charges c WHERE c.payment_intent = '$id'}),
	'succeeded|2500', 'a payment brings its charge');
like(payment('receipt_url', $id), qr{^https://}, 'and with it the receipt\'s address');

requests_ok($fake);
done_testing();
