# 090_accounts.pl
#	  Accounts: how stripe_configure() makes and changes them, what it refuses,
#	  and how their settings reach the calls.

use strict;
use warnings;

use JSON::PP;
use MemberPulse::Checks;
use MemberPulse::Keys;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $s    = $node->session;
my $json = JSON::PP->new;

configure($node, master_key_file => master_key_file($node, 'first'));

# Settings of an account, from the table.
sub settings
{
	my ($account) = @_;
	return $json->decode(value($s, "SELECT to_jsonb(a) - 'created' - 'updated' FROM stripe.accounts a WHERE account = '$account'"));
}

# Parameters of the last request, decoded.
sub parameters
{
	my $body = ($fake->requests)[-1]{body};
	return { map { s/\+/ /gr =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger } map { split /=/, $_, 2 } split /&/, $body };
}

sub key_used { return (($fake->requests)[-1]{headers}{authorization} // '') =~ s/^Bearer //r }

#
# Making and changing
#
my $made = $json->decode(value($s, q{SELECT stripe_configure('org1')}));
is($made->{mode}, 'test', 'a new account is in test mode');
my %default = (account => 'org1', livemode => JSON::PP::false, currency => 'aud', tax_behavior => undef,
	statement_descriptor => undef, payment_methods => undef, grace_days => 7, renewal_slack => '3 days', connected_account => undef);
is_deeply(settings('org1'), \%default, 'with what the settings form shows when it is empty');

my $all = q{mode => 'live', currency => 'usd', tax_behavior => 'inclusive', statement_descriptor => 'ORG ONE',
	payment_methods => '{card,apple_pay,google_pay,bank_transfer,debit}', grace_days => 0, renewal_slack => '30 days', connected_account => 'acct_1Abc'};
my $shown = $json->decode(value($s, "SELECT stripe_configure('org1', $all)"));
my %set = (account => 'org1', livemode => JSON::PP::true, currency => 'usd', tax_behavior => 'inclusive', statement_descriptor => 'ORG ONE',
	payment_methods => [qw(card apple_pay google_pay bank_transfer debit)], grace_days => 0, renewal_slack => '30 days', connected_account => 'acct_1Abc');
is_deeply(settings('org1'), \%set, 'every setting is stored');
my %returned = (%set, mode => 'live');
delete $returned{livemode};
delete @$shown{qw(created updated)};
is_deeply($shown, \%returned, 'and returned, with the mode in words');

value($s, q{SELECT stripe_configure('org1')});
is_deeply(settings('org1'), \%set, 'NULL leaves all as it is');
value($s, q{SELECT stripe_configure('org1', grace_days => 30)});
is_deeply(settings('org1'), { %set, grace_days => 30 }, 'one setting changes alone');
value($s, q{SELECT stripe_configure('org1', tax_behavior => '', statement_descriptor => '', payment_methods => '{}', connected_account => '')});
is_deeply(settings('org1'), { %set, grace_days => 30, tax_behavior => undef, statement_descriptor => undef, payment_methods => undef, connected_account => undef },
	'what is empty unsets');
value($s, qq{SELECT stripe_configure('@{[ 'a' x 63 ]}', tax_behavior => '', statement_descriptor => '', payment_methods => '{}', connected_account => '')});
is(settings('a' x 63)->{tax_behavior}, undef, 'also when the account is made; its name may have 63 bytes');
is(value($s, q{SET memberpulse_stripe.account = 'org9'; SELECT stripe_configure(currency => 'nzd') ->> 'account'; RESET memberpulse_stripe.account}),
	'org9', 'without a name it is the session\'s account');

#
# Refusals change nothing
#
my $before = value($s, 'SELECT jsonb_agg(a ORDER BY account) FROM stripe.accounts a');
my $audit  = value($s, 'SELECT count(*) FROM stripe.access_audit');
foreach my $case (
	[ q{mode => 'production'},                   'mode',                 qr/"live" or "test"/ ],
	[ q{mode => ''},                             'mode',                 qr/"live" or "test"/ ],
	[ q{mode => 'LIVE'},                         'mode',                 qr/"live" or "test"/ ],
	[ q{currency => 'dollars'},                  'currency',             qr/three/ ],
	[ q{currency => 'USD'},                      'currency',             qr/lower/ ],
	[ q{currency => 'us'},                       'currency',             qr/three/ ],
	[ q{currency => ''},                         'currency',             qr/three/ ],
	[ q{tax_behavior => 'unspecified'},          'tax_behavior',         qr/"inclusive" or "exclusive"/ ],
	[ q{statement_descriptor => 'a<b'},          'statement_descriptor', qr/none of </ ],
	[ q{statement_descriptor => '12345'},        'statement_descriptor', qr/at least one letter/ ],
	[ q{statement_descriptor => repeat('a', 23)}, 'statement_descriptor', qr/22 characters/ ],
	[ q{payment_methods => '{card,cash}'},       'payment_methods',      qr/card, apple_pay, google_pay, bank_transfer and debit/ ],
	[ q{payment_methods => '{NULL}'},            'payment_methods',      qr/card, apple_pay/ ],
	[ q{grace_days => -1},                       'grace_days',           qr/0 to 30/ ],
	[ q{grace_days => 31},                       'grace_days',           qr/0 to 30/ ],
	[ q{renewal_slack => '-1 second'},           'renewal_slack',        qr/30 days/ ],
	[ q{renewal_slack => '30 days 1 second'},    'renewal_slack',        qr/30 days/ ],
	[ q{connected_account => 'cus_1'},           'connected_account',    qr/"acct_"/ ],
	[ q{connected_account => 'acct_'},           'connected_account',    qr/"acct_"/ ],
	[ q{connected_account => E'acct_1\nX: y'},   'connected_account',    qr/"acct_"/ ])
{
	my ($argument, $name, $detail) = @$case;
	raises($s, "SELECT stripe_configure('org1', $argument)", '22023', $argument, message => qr/^invalid value for argument "\Q$name\E"$/, detail => $detail);
}
raises($s, qq{SELECT stripe_configure('')}, '22023', 'no name', message => qr/"account"/);
raises($s, qq{SELECT stripe_configure('@{[ 'a' x 64 ]}')}, '22023', 'a name too long', message => qr/"account"/);
raises($s, qq{SELECT stripe_set_credentials('@{[ 'a' x 64 ]}', secret_key => 'sk_test_abcdefgh1234')}, '22023', 'nor has it credentials', message => qr/"account"/);
raises($s, qq{SELECT stripe_set_credentials('', secret_key => 'sk_test_abcdefgh1234')}, '22023', 'nor one without a name', message => qr/"account"/);
is(value($s, 'SELECT jsonb_agg(a ORDER BY account) FROM stripe.accounts a'), $before, 'nothing was changed');
is(value($s, 'SELECT count(*) FROM stripe.access_audit'), $audit, 'and nothing recorded');

#
# The mode: which key is used, and which rows are seen
#
value($s, q{SELECT stripe_configure('club', mode => 'test');
	SELECT stripe_set_credentials('club', 'test', secret_key => 'sk_test_clubTest00000001');
	SELECT stripe_set_credentials('club', 'live', secret_key => 'sk_live_clubLive00000001')});
my $PAY = q{SELECT stripe_create_intent(2500, order_type => 'event', order_id => 'T-1', account => 'club') ->> 'livemode'};
is(value($s, $PAY), 'false', 'in test mode a payment is a test');
is(key_used(), 'sk_test_clubTest00000001', 'made with the test key');
is(value($s, q{SELECT stripe.livemode('club')}), 'f', 'the mode can be asked for');
is(value($s, q{SELECT status FROM stripe_order_status('event', 'T-1', 'club')}), 'pending', 'its state is seen in test mode');
value($s, q{SELECT stripe_configure('club', mode => 'live')});
is(value($s, q{SELECT stripe.livemode('club')}), 't', 'the toggle turns');
is(value($s, q{SELECT status IS NULL FROM stripe_order_status('event', 'T-1', 'club')}), 't', 'in live mode a test payment pays for nothing');
is(value($s, $PAY), 'true', 'a payment is live');
is(key_used(), 'sk_live_clubLive00000001', 'and made with the live key');
value($s, q{UPDATE stripe.payments SET status = 'completed' WHERE livemode AND order_id = 'T-1'});
is(value($s, q{SELECT status FROM stripe_order_status('event', 'T-1', 'club')}), 'completed', 'the live row is seen');
value($s, q{SELECT stripe_configure('club', mode => 'test')});
is(value($s, q{SELECT status FROM stripe_order_status('event', 'T-1', 'club')}), 'pending', 'and back, the test row again');
is(value($s, q{SELECT string_agg(livemode::text, ',' ORDER BY livemode) FROM stripe.payments WHERE order_id = 'T-1'}), 'false,true', 'both rows are there');

# Another session's cached account follows at once, and a rollback undoes it.
my $other = $node->session;
is(value($other, $PAY), 'false', 'a second session pays in test mode');
value($s, q{BEGIN; SELECT stripe_configure('club', mode => 'live')});
is(value($s, q{SELECT stripe.livemode('club')}), 't', 'a toggle is in force at once where it was turned');
is(value($other, $PAY), 'false', 'and not elsewhere, before it is committed');
value($s, 'ROLLBACK');
is(value($s, q{SELECT stripe.livemode('club')}), 'f', 'a rollback turns it back');
is(value($s, $PAY), 'false', 'for calls as well');
value($s, q{SELECT stripe_configure('club', mode => 'live')});
is(value($other, $PAY), 'true', 'once committed, everywhere');
value($s, q{SELECT stripe_configure('club', mode => 'test')});
value($s, q{BEGIN; SAVEPOINT a; SELECT stripe_configure('club', mode => 'live'); SELECT stripe.livemode('club'); ROLLBACK TO a});
is(value($s, q{SELECT stripe.livemode('club'); COMMIT}), 'f', 'and so does a savepoint');

# A transaction with an old snapshot uses the settings of now.
value($other, q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM stripe.accounts});
value($s, q{SELECT stripe_configure('club', mode => 'live')});
is(value($other, $PAY), 'true', 'a transaction that is older than the toggle pays in the new mode');
value($other, 'ROLLBACK');
value($s, q{SELECT stripe_configure('club', mode => 'test')});

value($s, q{SELECT stripe_configure('keyless', mode => 'live'); SELECT stripe_set_credentials('keyless', 'test', secret_key => 'sk_test_keyless000001')});
my $sent = () = $fake->requests;
raises($s, q{SELECT stripe_create_intent(1000, account => 'keyless')}, 'ST010', 'a mode without a key', message => qr/^no secret key of the live mode is set for account "keyless"$/, hint => qr/stripe_set_credentials/);
raises($s, q{SELECT stripe_create_intent(1000, account => 'nowhere')}, 'ST010', 'an account that is none', message => qr/^account "nowhere" is not configured$/, hint => qr/stripe_configure/);
raises($s, q{SELECT stripe.livemode('nowhere')}, 'ST010', 'has no mode', message => qr/not configured/);
is(scalar(() = $fake->requests), $sent, 'nothing is sent for either');

#
# Settings flow into calls; the call's own arguments come first
#
my $INTENT = q{SELECT stripe_create_intent(2500, account => 'club'%s) ->> 'id'};

sub intent_with
{
	my ($more) = @_;
	value($s, sprintf $INTENT, $more ? ", $more" : '');
	my $p = parameters();
	delete $p->{amount};
	delete $p->{$_} foreach grep { /^expand/ } keys %$p;
	return $p;
}

is_deeply(intent_with(), { currency => 'aud' }, 'without settings a payment has a currency only');
value($s, q{SELECT stripe_configure('club', currency => 'usd', statement_descriptor => 'TICKETS', payment_methods => '{card,debit}')});
my %flow = (currency => 'usd', statement_descriptor_suffix => 'TICKETS',
	'allowed_payment_method_types[0]' => 'card', 'allowed_payment_method_types[1]' => 'us_bank_account');
is_deeply(intent_with(), \%flow, 'settings fill what the call leaves open');
is_deeply(intent_with(q{currency => 'gbp'}), { %flow, currency => 'gbp', 'allowed_payment_method_types[1]' => 'bacs_debit' }, 'a currency of the call\'s own, and the debit that takes it');
is_deeply(intent_with(q{statement_descriptor_suffix => 'OWN'}), { %flow, statement_descriptor_suffix => 'OWN' }, 'a suffix of its own');
is_deeply(intent_with(q{params => '{"statement_descriptor_suffix": "PARAMS"}'}), { %flow, statement_descriptor_suffix => 'PARAMS' }, 'also in params');
is_deeply(intent_with(q{params => '{"excluded_payment_method_types": ["klarna"]}'}),
	{ currency => 'usd', statement_descriptor_suffix => 'TICKETS', 'excluded_payment_method_types[0]' => 'klarna' }, 'a choice of methods of its own');
value($s, q{SELECT stripe_configure('club', payment_methods => '{apple_pay,google_pay}')});
is_deeply(intent_with(), { currency => 'usd', statement_descriptor_suffix => 'TICKETS', 'allowed_payment_method_types[0]' => 'card' }, 'wallets are cards');
value($s, q{SELECT stripe_configure('club', payment_methods => '{debit}')});
raises($s, q{SELECT stripe_create_intent(2500, currency => 'jpy', account => 'club')}, 'ST010', 'no method takes the currency', message => qr/takes the currency "jpy"/, hint => qr/stripe_configure/);

value($s, q{SELECT stripe_configure('club', payment_methods => '{card,bank_transfer,debit}')});
my $customer = value($s, q{SELECT stripe_create_customer(account => 'club') ->> 'id'});
my %aud = (currency => 'aud', statement_descriptor_suffix => 'TICKETS', customer => $customer);
my %usd = (%aud, currency => 'usd');
is_deeply(intent_with("customer => '$customer'"), { %usd, 'allowed_payment_method_types[0]' => 'card',
		'allowed_payment_method_types[1]' => 'customer_balance', 'allowed_payment_method_types[2]' => 'us_bank_account' }, 'bank transfers');
is_deeply(intent_with("customer => '$customer', currency => 'aud'"), { %aud, 'allowed_payment_method_types[0]' => 'card',
		'allowed_payment_method_types[1]' => 'au_becs_debit', 'allowed_payment_method_types[2]' => 'payto' }, 'but not in a currency that has none');
value($s, q{SET memberpulse_stripe.api_version = '2024-04-10'});
is_deeply(intent_with("customer => '$customer'"), { %usd, 'payment_method_types[0]' => 'card',
		'payment_method_types[1]' => 'customer_balance', 'payment_method_types[2]' => 'us_bank_account' }, 'an old version names the types by the old parameter');
value($s, q{RESET memberpulse_stripe.api_version; SELECT stripe_configure('club', payment_methods => '{}', statement_descriptor => '')});
is_deeply(intent_with(), { currency => 'usd' }, 'what is unset is sent no more');

#
# Connected accounts
#
is(($fake->requests)[-1]{headers}{'stripe-account'}, undef, 'no Stripe-Account without a connected account');
value($s, q{SELECT stripe_configure('club', connected_account => 'acct_1Connected')});
my $id = value($s, sprintf $INTENT, '');
is(($fake->requests)[-1]{headers}{'stripe-account'}, 'acct_1Connected', 'Stripe-Account names it');
value($s, qq{SELECT stripe_get_payment('$id', account => 'club')});
is(($fake->requests)[-1]{headers}{'stripe-account'}, 'acct_1Connected', 'for reads as well');
is(($fake->requests)[-1]{method}, 'GET', 'which this was');
value($s, q{SELECT stripe_create_customer()});
is(($fake->requests)[-1]{headers}{'stripe-account'}, undef, 'other accounts\' calls do not');
value($s, q{SELECT stripe_configure('club', connected_account => '')});
raises($s, qq{SELECT stripe_get_payment('$id', account => 'club')}, 'ST003', 'the platform itself does not see that account\'s payment');

#
# The environment's keys configure "default"
#
is(key_used(), 'sk_test_clubTest00000001', 'this was the club\'s key');
value($s, q{SELECT stripe_create_customer()});
is(key_used(), 'sk_test_fakeSecretKeyForTests0001', 'the default account uses the environment\'s');
is(value($s, q{SELECT stripe.livemode('default')}), 'f', 'and has its mode');
is(value($s, q{SELECT stripe.livemode(NULL)}), 'f', 'as the session\'s account');
value($s, q{SELECT stripe_configure('default', currency => 'nzd')});
is(value($s, q{SELECT stripe_create_intent(900) ->> 'currency'}), 'nzd', 'a row for it adds settings');
is(key_used(), 'sk_test_fakeSecretKeyForTests0001', 'and leaves the key');
value($s, q{SELECT stripe_configure('default', mode => 'live')});
raises($s, q{SELECT stripe_create_intent(900)}, 'ST010', 'in the other mode the environment\'s key is not used', message => qr/live mode/, hint => qr/STRIPE_SECRET_KEY.*stripe_set_credentials/);
value($s, q{SELECT stripe_set_credentials('default', 'live', secret_key => 'sk_live_defaultSealed01')});
is(value($s, q{SELECT stripe_create_intent(900) ->> 'livemode'}), 'true', 'a sealed one is');
is(key_used(), 'sk_live_defaultSealed01', 'so the environment does not hold the only key');
value($s, q{SELECT stripe_configure('default', mode => 'test'); SELECT stripe_set_credentials('default', 'test', secret_key => 'sk_test_defaultSealed01')});
value($s, q{SELECT stripe_create_customer()});
is(key_used(), 'sk_test_defaultSealed01', 'a sealed key comes before the environment\'s');

$node->server_env(STRIPE_SECRET_KEY => 'sk_live_environmentLive01', STRIPE_PUBLISHABLE_KEY => undef);
value($s, q{DELETE FROM stripe.accounts WHERE account = 'default'; DELETE FROM stripe.credentials WHERE account = 'default'});
$node->restart;
$s = $node->session;
is(value($s, q{SELECT stripe.livemode('default')}), 't', 'a live key makes the default account a live one');
is(value($s, q{SELECT stripe_create_intent(900) ->> 'livemode'}), 'true', 'and its payments');

requests_ok($fake);
done_testing();
