# Customers and their saved payment methods; one customer for each member,
# whatever happens.

use strict;
use warnings;

use JSON::PP;
use MemberPulse::Checks;
use MemberPulse::Test;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $s    = $node->session;

# Without the parameters that ask for expansion, which are not the point here.
sub requests
{
	my @requests = map { s/[?& ]?expand\[\d\]=[^&]*//gr } sent($fake, @_);
	forget_requests($fake);
	return @requests;
}

# What Stripe's search answers before it knows of the last minute's objects.
sub search_lags
{
	$fake->fault({ type => 'status', status => 200,
			body => { object => 'search_result', data => [], has_more => JSON::PP::false, next_page => undef, url => '/v1/customers/search' } },
		path => '/v1/customers/search', count => $_[0] // 1);
	return;
}

#
# Create, update, delete.
#
my $id = value($s, q{SELECT stripe_create_customer(email => 'ada@example.com', name => 'Ada', phone => '+61 2 5550 0000',
	description => 'Life member', member_id => 'm-1', address => '{"line1": "1 High St", "country": "AU"}',
	metadata => '{"branch": "north"}', params => '{"preferred_locales": ["en"]}') ->> 'id'});
my ($request) = $fake->requests;
is("$request->{method} $request->{path}", 'POST /v1/customers', 'stripe_create_customer');
is( join("\n", sort split /&/, $request->{body}),
	join("\n", sort(
			'email=ada%40example.com', 'name=Ada', 'phone=%2B61%202%205550%200000',
			'description=Life%20member', 'metadata[member_id]=m-1', 'address[line1]=1%20High%20St',
			'address[country]=AU', 'metadata[branch]=north', 'preferred_locales[0]=en')),
	'with every argument as its parameter');
is(value($s, "SELECT email, name, member_id, deleted, livemode FROM stripe.customers WHERE id = '$id'"),
	'ada@example.com|Ada|m-1|f|f', 'and mirrored');
forget_requests($fake);

is( value($s, qq{SELECT r ->> 'name', r ->> 'description', r -> 'metadata' ->> 'branch', r -> 'metadata' ->> 'member_id'
	FROM stripe_update_customer('$id', name => 'Ada L.', description => '', metadata => '{"branch": ""}') r}),
	'Ada L.|||m-1', 'stripe_update_customer changes, unsets and keeps');
is_deeply([ requests() ], ["POST /v1/customers/$id name=Ada%20L.&metadata[branch]=&description="], 'by one request')
  or diag(explain([ requests() ]));
is(value($s, "SELECT name FROM stripe.customers WHERE id = '$id'"), 'Ada L.', 'and the mirror follows');

is(value($s, qq{SELECT stripe_delete_customer('$id') ->> 'deleted'}), 'true', 'stripe_delete_customer');
is_deeply([ requests() ], ["DELETE /v1/customers/$id"], 'is a DELETE');
is(value($s, "SELECT deleted, name FROM stripe.customers WHERE id = '$id'"), 't|Ada L.', 'the mirror keeps what it was');
raises($s, qq{SELECT stripe_update_customer('$id', name => 'Ada')}, 'ST003', 'a deleted customer is not updated');
is(value($s, qq{SELECT stripe_delete_customer('$id') ->> 'deleted'}), 'true', 'deleted again, it is as deleted as before');

# A DELETE whose answer is lost is sent again, finds nothing, and reads what it did.
$id = value($s, q{SELECT stripe_create_customer() ->> 'id'});
$fake->fault({ type => 'lost_answer' }, method => 'DELETE', path => '/v1/customers/');
is(value($s, qq{SELECT stripe_delete_customer('$id') ->> 'deleted'}), 'true', 'a deletion whose answer was lost');
is($s->sql("SELECT deleted FROM stripe.customers WHERE id = '$id'")->{stdout}, 't', 'is known to have happened');
forget_requests($fake);

#
# stripe_ensure_customer: twice makes one request at most.
#
$id = value($s, q{SELECT stripe_ensure_customer('m-2', email => 'bo@example.com', name => 'Bo') ->> 'id'});
my @first = requests();
like($first[0], qr{^GET /v1/customers/search\b}, 'the first time: a search');
is(scalar(grep { m{^POST /v1/customers } } @first), 1, 'then one customer');
foreach my $again (1 .. 2)
{
	is(value($s, q{SELECT stripe_ensure_customer('m-2', email => 'bo@example.com', name => 'Bo') ->> 'id'}), $id, "again ($again): the same");
}
is(value($s, q{SELECT stripe_ensure_customer('m-2') ->> 'id'}), $id, 'also when less is said of them');
is_deeply([ requests() ], [], 'without a request');

is(value($s, q{SELECT r ->> 'id', r ->> 'name', r ->> 'email' FROM stripe_ensure_customer('m-2', name => 'Bob') r}),
	"$id|Bob|bo\@example.com", 'what differs is updated');
is(scalar(grep { /^POST/ } requests()), 1, 'by one request');
value($s, q{SELECT stripe_ensure_customer('m-2', name => 'Bob')});
is_deeply([ requests() ], [], 'and only once');

# Values that Stripe gives back in another form.
foreach my $odd (
	[ 'an empty string, given back as null', q{description => ''} ],
	[ 'a number in metadata, given back as text', q{metadata => '{"shares": 3, "voting": true}'} ],
	[ 'an array', q{params => '{"preferred_locales": ["en", "fr"]}'} ],
	[ 'an object within an object', q{address => '{"line1": "1 High St", "country": "AU"}'} ])
{
	my ($what, $arguments) = @$odd;
	value($s, "SELECT stripe_ensure_customer('m-2', $arguments)");
	forget_requests($fake);
	value($s, "SELECT stripe_ensure_customer('m-2', $arguments)");
	is_deeply([ requests() ], [], "$what: nothing to do the second time");
}

# Names are compared exactly, and quoted for the search.
my $quoted = q{o"h\\'};
my $odd = value($s, q{SELECT stripe_ensure_customer($m$} . $quoted . q{$m$) ->> 'id'});
isnt($odd, $id, 'a member id with quotes');
is(value($s, q{SELECT stripe_ensure_customer($m$} . $quoted . q{$m$) ->> 'id'}), $odd, 'is found again');
isnt(value($s, q{SELECT stripe_ensure_customer('M-2') ->> 'id'}), $id, 'm-2 is not M-2, though the search thinks so');

# A rollback forgets the mirror row; Stripe's search knows, and while it does
# not know yet, the idempotency key does.
$s->sql(q{BEGIN});
$id = value($s, q{SELECT stripe_ensure_customer('m-3', name => 'Cy') ->> 'id'});
$s->sql(q{ROLLBACK});
is(value($s, q{SELECT count(*) FROM stripe.customers WHERE member_id = 'm-3'}), '0', 'after a rollback there is no row');
search_lags();
is(value($s, q{SELECT stripe_ensure_customer('m-3', name => 'Cy') ->> 'id'}), $id, 'but the same customer, though the search lags');
$s->sql(q{BEGIN});
my $rolled = value($s, q{SELECT stripe_ensure_customer('m-4') ->> 'id'});
$s->sql(q{ROLLBACK});
forget_requests($fake);
is(value($s, q{SELECT stripe_ensure_customer('m-4') ->> 'id'}), $rolled, 'and the same when the search has caught up');
is(value($s, qq{SELECT member_id FROM stripe.customers WHERE id = '$rolled'}), 'm-4', 'found at Stripe, it is mirrored');
is(scalar(grep { /^POST/ } requests()), 0, 'without making one');

# After a deletion the member gets a new one, not the stored answer of the old.
value($s, qq{SELECT stripe_delete_customer('$id')});
search_lags();
my $new = value($s, q{SELECT stripe_ensure_customer('m-3', name => 'Cy') ->> 'id'});
isnt($new, $id, 'after a deletion, a new customer');
is(value($s, q{SELECT stripe_ensure_customer('m-3', name => 'Cy') ->> 'id'}), $new, 'which stays');

# Another database, same account: no second customer.
my $other = new_node(fake => $fake, name => 'other')->session;
is(value($other, q{SELECT stripe_ensure_customer('m-3') ->> 'id'}), $new, 'another database finds the customer');

# Two sessions at once: one waits, and then has the same customer.
my $t = $node->session;
value($s, q{BEGIN});
$id = value($s, q{SELECT stripe_ensure_customer('m-5') ->> 'id'});
$t->send(q{SELECT stripe_ensure_customer('m-5') ->> 'id'});
$node->poll_query_until('postgres',
	'SELECT wait_event_type = $$Lock$$ FROM pg_stat_activity WHERE pid = ' . $t->pid)
  or die 'the second session does not wait';
is(value($s, q{SELECT stripe_ensure_customer('m-6') ->> 'member_id' IS NULL}), 't', 'another member meanwhile');
value($s, q{COMMIT});
is($t->result->{stdout}, $id, 'two sessions at once: one customer');
is(scalar(grep { ($_->{metadata}{member_id} // '') eq 'm-5' } @{ $fake->books->{customer} }), 1, 'and one only at Stripe');

# The lock's key space is the user's as well: theirs does not clash.
value($t, q{SELECT pg_advisory_lock(1, 1), pg_advisory_lock(42)});
ok($s->sql(q{SET statement_timeout = '10s'; SELECT stripe_ensure_customer('m-7')})->{ok}, 'a user\'s advisory locks are no obstacle');
value($s, 'RESET statement_timeout');

#
# Saved methods.
#
my $customer = value($s, q{SELECT stripe_create_customer() ->> 'id'});
forget_requests($fake);
my $intent = value($s, qq{SELECT stripe_create_setup_intent('$customer', usage => 'off_session', description => 'Save',
	metadata => '{"k": "v"}') ->> 'id'});
is_deeply([ requests() ], ["POST /v1/setup_intents usage=off_session&customer=$customer&metadata[k]=v&description=Save"], 'stripe_create_setup_intent');
is(value($s, "SELECT status, customer = '$customer', usage FROM stripe.setup_intents WHERE id = '$intent'"),
	'requires_payment_method|t|off_session', 'is mirrored');

my $method = value($s, qq{SELECT stripe_create_setup_intent('$customer', payment_method => 'pm_card_mastercard', confirm => true,
	return_url => 'https://club.example/done') ->> 'payment_method'});
is(value($s, qq{SELECT stripe_request('GET', '/v1/payment_methods/$method') ->> 'customer'}), $customer, 'a confirmed setup saves the card');
is(value($s, "SELECT type, brand, last4, customer = '$customer' FROM stripe.payment_methods WHERE id = '$method'"),
	'card|mastercard|4444|t', 'and its mirror says so');
raises($s, qq{SELECT stripe_create_setup_intent('$customer', payment_method => 'pm_card_chargeDeclined', confirm => true,
	return_url => 'https://club.example/done')}, 'ST001', 'a card that is refused');
is(value($s, q{SELECT stripe_last_error() ->> 'setup_intent'}) =~ /^seti_/, 1, 'names the setup intent');

forget_requests($fake);
my $second = value($s, qq{SELECT stripe_attach_payment_method('pm_card_visa', '$customer') ->> 'id'});
is_deeply([ requests() ], ["POST /v1/payment_methods/pm_card_visa/attach customer=$customer"], 'stripe_attach_payment_method');
is(value($s, "SELECT customer FROM stripe.payment_methods WHERE id = '$second'"), $customer, 'is mirrored');
raises($s, qq{SELECT stripe_attach_payment_method('$second', '$customer')}, 'ST003', 'an attached method is not attached again');
raises($s, qq{SELECT stripe_attach_payment_method('pm_card_chargeDeclined', '$customer')}, 'ST001', 'a card that declines is not attached');

forget_requests($fake);
is(value($s, qq{SELECT stripe_set_default_payment_method('$customer', '$second') -> 'invoice_settings' ->> 'default_payment_method'}),
	$second, 'stripe_set_default_payment_method');
is_deeply([ requests() ], ["POST /v1/customers/$customer invoice_settings[default_payment_method]=$second"], 'is an update of the customer');
is(value($s, "SELECT default_payment_method FROM stripe.customers WHERE id = '$customer'"), $second, 'and mirrored');
is(value($s, qq{SELECT stripe_set_default_payment_method('$customer', '') -> 'invoice_settings' ->> 'default_payment_method'}), '', 'and unset');

forget_requests($fake);
is(value($s, qq{SELECT string_agg(m ->> 'id', ' ') FROM stripe_list_payment_methods('$customer') m}), "$second $method", 'stripe_list_payment_methods');
is(value($s, qq{SELECT count(*) FROM stripe_list_payment_methods('$customer', type => 'sepa_debit')}), '0', 'of one type');
is(value($s, qq{SELECT count(*) FROM stripe_list_payment_methods('$customer', max_rows => 1)}), '1', 'at most so many');
is_deeply(
	[ requests() ],
	[
		"GET /v1/customers/$customer/payment_methods?limit=100",
		"GET /v1/customers/$customer/payment_methods?type=sepa_debit&limit=100",
		"GET /v1/customers/$customer/payment_methods?limit=1" ],
	'one request each');
raises($s, q{SELECT stripe_list_payment_methods('pi_1')}, '22023', 'of something that is no customer', message => qr/"customer"/);
raises($s, q{SELECT stripe_list_payment_methods(NULL)}, '22004', 'of nothing', message => qr/"customer"/);
is_deeply([ requests() ], [], 'both without a request');

is(value($s, qq{SELECT stripe_detach_payment_method('$method') ->> 'customer'}), '', 'stripe_detach_payment_method');
is_deeply([ requests() ], ["POST /v1/payment_methods/$method/detach"], 'on its own path');
is(value($s, "SELECT customer IS NULL FROM stripe.payment_methods WHERE id = '$method'"), 't', 'and mirrored');
raises($s, qq{SELECT stripe_detach_payment_method('$method')}, 'ST003', 'what is not attached is not detached');

# A saved card is charged with nobody there; a bank account is saved by mandate.
is( value($s, qq{SELECT stripe_create_intent(1000, customer => '$customer', payment_method => '$second', off_session => true,
	confirm => true) ->> 'status'}), 'succeeded', 'a saved card pays off session');
my $bank = value($s, qq{SELECT stripe_create_setup_intent('$customer', confirm => true, return_url => 'https://club.example/done', params => '{
	"payment_method_data": {"type": "au_becs_debit", "au_becs_debit": {"bsb_number": "000000", "account_number": "000123456"},
	"billing_details": {"name": "Ada", "email": "ada\@example.com"}},
	"mandate_data": {"customer_acceptance": {"type": "offline"}}, "expand": ["mandate"]}') ->> 'payment_method'});
is(value($s, qq{SELECT stripe_create_intent(1000, customer => '$customer', payment_method => '$bank', off_session => true,
	confirm => true) ->> 'status'}), 'processing', 'a saved bank account pays off session');
is(value($s, qq{SELECT status, payment_method = '$bank' FROM stripe.mandates}), 'active|t', 'by a mandate, which is mirrored');

requests_ok($fake);
done_testing();
