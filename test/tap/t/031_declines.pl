# Declined payments: what Stripe says, and what to do about it.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Test;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $s    = $node->session;

my %HINT = (
	new_method   => qr/^Ask the customer for another payment method, or to call the card's issuer\.$/,
	later        => qr/^Try the same payment method again some hours later, a few times at most\.$/,
	authenticate => qr/^Bring the customer back and confirm the same payment intent with them present\.$/,
	fix_data     => qr/^Let the customer enter the card again\.$/,
	secret       => qr/^Tell the customer only that the card was declined, not why, and do not try it again\.$/,
	merchant     => qr/^Look for an earlier payment of the same amount before charging again\.$/);

my $DECLINED = qr/^the payment was declined$/;

#
# The test cards, as they behave.
#
my @cards = (
	[ 'pm_card_visa_chargeDeclined', 'card_declined', 'generic_decline', $DECLINED, undef ],
	[ 'pm_card_visa_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds', $DECLINED, $HINT{later} ],
	[ 'pm_card_visa_chargeDeclinedVelocityLimitExceeded', 'card_declined', 'card_velocity_exceeded', $DECLINED, $HINT{later} ],
	[ 'pm_card_visa_chargeDeclinedLostCard', 'card_declined', 'lost_card', $DECLINED, $HINT{secret} ],
	[ 'pm_card_visa_chargeDeclinedStolenCard', 'card_declined', 'stolen_card', $DECLINED, $HINT{secret} ],
	[ 'pm_card_radarBlock', 'card_declined', 'fraudulent', $DECLINED, $HINT{secret} ],
	[ 'pm_card_chargeDeclinedExpiredCard', 'expired_card', '', qr/^the card has expired$/, qr/another card/ ],
	[ 'pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc', '', qr/^the card's security code is wrong$/, $HINT{fix_data} ],
	[ 'pm_card_chargeDeclinedProcessingError', 'processing_error', '', qr/^an error occurred while processing the card$/, qr/in a few minutes/ ]);

foreach (@cards)
{
	my ($card, $code, $decline_code, $message, $hint) = @$_;
	raises($s, qq{SELECT stripe_create_intent(2500, payment_method => '$card', confirm => true, return_url => 'https://club.example/')},
		'ST001', $card, message => $message, defined $hint ? (hint => $hint) : ());
	is(value($s, q{SELECT e ->> 'code', e ->> 'decline_code' FROM stripe_last_error() e}), "$code|$decline_code", "$card: the codes");

	# Where nothing is rolled back, the table has it.
	is( value($s, qq{SELECT http_status FROM stripe_try_request('POST', '/v1/payment_intents', '{"amount": 2500, "currency": "aud",
			"payment_method": "$card", "confirm": true, "return_url": "https://club.example/"}')}),
		'402', "$card: tried");
	is(value($s, q{SELECT status, failure_code, decline_code FROM stripe.payments WHERE payment_intent = stripe_last_error() ->> 'payment_intent'}),
		"failed|$code|$decline_code", "$card: the payment failed, and why");
}

# The card is attached, and declines later.
my $customer = value($s, q{SELECT stripe_create_customer() ->> 'id'});
my $saved = value($s, qq{SELECT stripe_attach_payment_method('pm_card_chargeCustomerFail', '$customer') ->> 'id'});
raises($s, qq{SELECT stripe_create_intent(2500, customer => '$customer', payment_method => '$saved', confirm => true, off_session => true)},
	'ST001', 'a saved card that declines');

# Reasons that must not reach the customer are not in what one might show them.
foreach my $card (qw(LostCard StolenCard))
{
	my $r = $s->sql(qq{SELECT stripe_create_intent(2500, payment_method => 'pm_card_visa_chargeDeclined$card', confirm => true, return_url => 'https://club.example/')});
	unlike("$r->{message} $r->{hint}", qr/lost|stolen|fraud/i, "$card: message and hint do not say why");
}

#
# Every documented decline code, by group; and one that is not documented.
#
my %group = (
	later => [qw(try_again_later processing_error issuer_not_available reenter_transaction approve_with_id insufficient_funds
		  card_velocity_exceeded withdrawal_count_limit_exceeded)],
	authenticate => [qw(authentication_required authentication_not_handled mobile_device_authentication_required offline_pin_required
		  online_or_offline_pin_required)],
	fix_data => [qw(incorrect_number invalid_number incorrect_cvc invalid_cvc incorrect_zip incorrect_address invalid_expiry_month
		  invalid_expiry_year incorrect_pin invalid_pin)],
	new_method => [qw(expired_card card_not_supported currency_not_supported call_issuer do_not_honor do_not_try_again generic_decline
		  invalid_account invalid_amount new_account_information_available no_action_taken not_permitted pin_try_exceeded
		  revocation_of_all_authorizations revocation_of_authorization security_violation service_not_allowed stop_payment_order
		  transaction_not_allowed testmode_decline partner_generic_decline invented_tomorrow)],
	secret   => [qw(fraudulent lost_card stolen_card merchant_blacklist pickup_card restricted_card)],
	merchant => [qw(duplicate_transaction)]);

sub decline
{
	my (%error) = @_;
	$fake->fault({ type => 'status', status => 402,
			body => { error => { type => 'card_error', code => 'card_declined', message => 'Your card was declined.', %error } } },
		path => '/v1/payment_intents');
	return $s->sql(q{SELECT stripe_create_intent(2500)});
}

foreach my $name (sort keys %group)
{
	foreach my $code (@{ $group{$name} })
	{
		my $r = decline(decline_code => $code);
		is($r->{sqlstate}, $name eq 'authenticate' ? 'ST002' : 'ST001', "$code: SQLSTATE");
		like($r->{hint}, $HINT{$name}, "$code: the hint of its group");
	}
}

# Stripe's advice goes before the group, but not before secrecy.
my %advice = (
	try_again_later   => $HINT{later},
	do_not_try_again  => qr/this one will not work again\.$/,
	confirm_card_data => $HINT{fix_data});
foreach my $advice (sort keys %advice)
{
	my $r = decline(decline_code => 'do_not_honor', advice_code => $advice);
	like($r->{hint}, $advice{$advice}, "advice $advice");
	is(value($s, q{SELECT stripe_last_error() ->> 'advice_code'}), $advice, "advice $advice: as data");
	$r = decline(decline_code => 'stolen_card', advice_code => $advice);
	like($r->{hint}, $HINT{secret}, "advice $advice on a stolen card");
}
like(decline(decline_code => 'do_not_honor', advice_code => 'invented_tomorrow')->{hint}, $HINT{new_method}, 'advice no one knows yet');

# Card errors without a decline code.
my %code = (
	expired_card => qr/expired/, incorrect_cvc => qr/security code/, invalid_cvc => qr/security code/, incorrect_number => qr/card number/,
	invalid_number => qr/card number/, processing_error => qr/processing/, insufficient_funds => qr/insufficient funds/,
	card_decline_rate_limit_exceeded => qr/declined too often/);
foreach my $code (sort keys %code)
{
	my $r = decline(code => $code);
	like($r->{message}, $code{$code}, "code $code");
	is($r->{sqlstate}, 'ST001', "code $code: SQLSTATE");
}

requests_ok($fake);
done_testing();
