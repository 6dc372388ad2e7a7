# Read-only transactions and a hot standby: reading works, changing is refused
# before anything is sent.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Test;
use Test::More;

my $fake    = start_fake_stripe();
my $primary = new_node(fake => $fake, name => 'primary', init => { allows_streaming => 1 });
my $s       = $primary->session;

my $id = value($s, q{SELECT stripe_create_intent(2500) ->> 'id'});
my $customer = value($s, q{SELECT stripe_create_customer() ->> 'id'});
my $before = value($s, q{SELECT as_of, synced_at FROM stripe.payment_intents});

# Every function that changes something, and the command it is refused as.
my @changing = (
	[ 'stripe_create_intent',              '2500' ],
	[ 'stripe_update_intent',              "'$id'" ],
	[ 'stripe_confirm_intent',             "'$id'" ],
	[ 'stripe_capture_intent',             "'$id'" ],
	[ 'stripe_cancel_intent',              "'$id'" ],
	[ 'stripe_refund',                     "'$id'" ],
	[ 'stripe_cancel_refund',              "'re_1'" ],
	[ 'stripe_create_customer',            '' ],
	[ 'stripe_ensure_customer',            "'m-1'" ],
	[ 'stripe_update_customer',            "'$customer'" ],
	[ 'stripe_delete_customer',            "'$customer'" ],
	[ 'stripe_create_setup_intent',        "'$customer'" ],
	[ 'stripe_attach_payment_method',      "'pm_card_visa', '$customer'" ],
	[ 'stripe_detach_payment_method',      "'pm_1'" ],
	[ 'stripe_set_default_payment_method', "'$customer', 'pm_1'" ],
	[ 'stripe_request',                    "'POST', '/v1/customers'" ],
	[ 'stripe_request',                    "'DELETE', '/v1/customers/$customer'" ],
	[ 'stripe_try_request',                "'POST', '/v1/customers'" ]);

# The same of both: a session in which nothing may be written.
sub check_read_only
{
	my ($session, $where, $message) = @_;

	forget_requests($fake);
	foreach (@changing)
	{
		my ($function, $arguments) = @$_;
		raises($session, "SELECT $function($arguments)", '25006', "$where: $function", message => qr/^cannot execute $function\(\) $message$/);
		$session->sql('ROLLBACK; BEGIN READ ONLY');
	}
	is_deeply([ sent($fake) ], [], "$where: nothing was sent");

	is(value($session, qq{SELECT stripe_get_payment('$id') ->> 'id'}), $id, "$where: stripe_get_payment works");
	is(value($session, q{SELECT stripe_request('GET', '/v1/customers') ->> 'object'}), 'list', "$where: stripe_request with GET works");
	is(value($session, q{SELECT ok FROM stripe_try_request('GET', '/v1/customers')}), 't', "$where: so does stripe_try_request");
	is(value($session, q{SELECT count(*) FROM stripe_list('/v1/customers')}), '1', "$where: and stripe_list");
	is(value($session, q{SELECT count(*) FROM stripe_search('customers', 'name:"nobody"')}), '0', "$where: and stripe_search");
	is(value($session, qq{SELECT count(*) FROM stripe_list_payment_methods('$customer')}), '0', "$where: and stripe_list_payment_methods");
	is(scalar(grep { !/^GET / } sent($fake)), 0, "$where: all by GET");
	raises($session, q{SELECT stripe_get_payment('pi_none')}, 'ST003', "$where: errors are reported");
	$session->sql('ROLLBACK');
	is(value($session, q{SELECT stripe_last_error() ->> 'code'}), 'resource_missing', "$where: and remembered");
	is(value($session, q{SELECT as_of, synced_at FROM stripe.payment_intents}), $before, "$where: the mirror was left alone");
	return;
}

# Something that a GET would bring to the mirror, were it allowed to.
$fake->admin_post("/objects/$id", { description => 'changed elsewhere' });

$s->sql('BEGIN READ ONLY');
check_read_only($s, 'read-only transaction', qr/in a read-only transaction/);
value($s, 'SET default_transaction_read_only = on');
$s->sql('BEGIN');
check_read_only($s, 'read-only by default', qr/in a read-only transaction/);
value($s, 'SET default_transaction_read_only = off');

#
# A standby, which has the key in its environment as the primary has.
#
$primary->backup('copy');
my $standby = MemberPulse::Node->new('standby');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->start;
$standby->poll_query_until('postgres', 'SELECT count(*) = 1 FROM stripe.payments') or die 'the standby has no data';
my $r = $standby->session;
is(value($r, 'SELECT pg_is_in_recovery()'), 't', 'a hot standby');
$r->sql('BEGIN');
check_read_only($r, 'standby', qr/(?:in a read-only transaction|during recovery)/);
is(value($r, qq{SELECT status FROM stripe.payments WHERE payment_intent = '$id'}), 'pending', 'the tables are replicated');

# Promoted, it does everything.
$standby->promote;
is(value($r, qq{SELECT stripe_get_payment('$id') ->> 'description'}), 'changed elsewhere', 'promoted, it reads');
is(value($r, qq{SELECT data ->> 'description' FROM stripe.payment_intents}), 'changed elsewhere', 'and mirrors');
like(value($r, q{SELECT stripe_create_customer() ->> 'id'}), qr/^cus_/, 'and writes');

requests_ok($fake);
done_testing();
