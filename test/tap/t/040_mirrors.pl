# Mirrors: what is stored of each object, when it is written, and by whose clock.

use strict;
use warnings;

use JSON::PP;
use MemberPulse::Checks;
use MemberPulse::Test;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $s    = $node->session;

my $customer = value($s, q{SELECT stripe_create_customer(email => 'ada@example.com', metadata => '{"k": "v"}') ->> 'id'});
my $pay = qq{SELECT stripe_create_intent(2500, customer => '$customer', payment_method => 'pm_card_visa', confirm => true,
	return_url => 'https://club.example/', order_type => 'event', order_id => 'T-1') ->> 'id'};
my $id = value($s, $pay);
value($s, qq{SELECT stripe_create_setup_intent('$customer')});
value($s, qq{SELECT stripe_attach_payment_method('pm_card_visa', '$customer')});
value($s, qq{SELECT stripe_refund('$id', 500)});

#
# All kinds of object that these calls touch.
#
foreach my $table (qw(customers payment_intents setup_intents payment_methods refunds charges))
{
	is(value($s, "SELECT count(*) > 0 FROM stripe.$table"), 't', "stripe.$table has rows");
	is( value($s, "SELECT count(*) FROM stripe.$table WHERE account <> 'default' OR livemode OR deleted OR last_event IS NOT NULL
		OR data ->> 'id' <> id OR created IS NULL OR metadata IS DISTINCT FROM data -> 'metadata'"),
		'0', "stripe.$table: keys and columns are those of the object");
}

#
# Unchanged content writes nothing: no row version, no row lock, no WAL of rows.
#
$node->append_conf('postgresql.conf', "autovacuum = off\nfull_page_writes = off\nwal_level = replica\ncheckpoint_timeout = 1h\nbgwriter_lru_maxpages = 0");
$node->restart;
$s = $node->session;
$node->safe_psql('postgres', 'CREATE EXTENSION pg_walinspect') if have_walinspect();
my $reads = qq{
	SELECT stripe_get_payment('$id', params => '{"expand": ["latest_charge", "customer", "payment_method"]}');
	SELECT count(*) FROM stripe_list('/v1/customers');
	SELECT count(*) FROM stripe_list('/v1/refunds');
	SELECT count(*) FROM stripe_list_payment_methods('$customer');
	SELECT stripe_request('GET', '/v1/setup_intents');
	SELECT stripe_ensure_customer('m-9', name => 'Nine');};
value($s, $reads);    # the first time may bring news
value($s, $reads);

# Row versions and bytes: written by a transaction around the reads.
my $written = q{SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_xact_user_tables WHERE schemaname = 'stripe'};
# That keys were used is noted once in a while; here before the look.
$s = $node->session;
value($s, $reads);
value($s, 'SELECT pg_stat_force_next_flush()');
value($s, 'BEGIN');
value($s, $reads);
is(value($s, $written), '0', 'unchanged content writes no row');
is(value($s, 'SELECT pg_current_xact_id_if_assigned() IS NULL'), 't', 'and needs no transaction id');
value($s, 'COMMIT');

# The same in the WAL, where other processes may write, but not of rows; and
# the same look finds what is written when there is news.
my $row_records = q{SELECT count(*) FROM pg_get_wal_records_info('%s', '%s')
	WHERE resource_manager IN ('Heap', 'Heap2', 'Btree', 'Transaction', 'Sequence')};
SKIP:
{
	skip 'this server has no pg_walinspect', 2 unless have_walinspect();
	value($s, 'CHECKPOINT');
	my $from = value($s, 'SELECT pg_current_wal_insert_lsn()');
	value($s, $reads);
	my $to = value($s, 'SELECT pg_current_wal_insert_lsn()');
	is($from eq $to ? 0 : value($s, sprintf $row_records, $from, $to), '0', 'nor a byte of a row to the WAL');

	$fake->admin_post("/objects/$customer", { name => 'News' });
	value($s, $reads);
	cmp_ok(value($s, sprintf $row_records, $to, value($s, 'SELECT pg_current_wal_flush_lsn()')), '>', 0, 'news does');
}
$fake->admin_post("/objects/$customer", { name => 'News' });
value($s, $reads);
is(value($s, "SELECT name FROM stripe.customers WHERE id = '$customer'"), 'News', 'and is stored');

sub have_walinspect
{
	return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_walinspect'});
}

#
# Client secrets are nowhere.
#
my $secret = value($s, q{SELECT stripe_create_intent(2500) ->> 'client_secret'});
like($secret, qr/^pi_\w+_secret_\w+$/, 'the caller gets the client secret');
my $setup = value($s, qq{SELECT stripe_create_setup_intent('$customer') ->> 'client_secret'});
like($setup, qr/^seti_\w+_secret_\w+$/, 'also of a setup intent');
value($s, q{SELECT * FROM stripe_try_request('POST', '/v1/payment_intents', '{"amount": 2500, "currency": "aud", "payment_method":
	"pm_card_chargeDeclined", "confirm": true, "return_url": "https://club.example/"}')});
value($s, q{SELECT count(*) FROM stripe_list('/v1/payment_intents')});
is( value($s, q{
	SELECT string_agg(format('%s.%s', table_schema, table_name), ', ')
	  FROM information_schema.tables,
	       query_to_xml(format('SELECT count(*) AS n FROM %I.%I t WHERE t::text ~ ''_secret_''', table_schema, table_name), false, true, '') x
	 WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
	   AND (xpath('//n/text()', x))[1]::text <> '0'}),
	'', 'no table holds a client secret');
is( value($s, q{SELECT count(*) > 2 FROM stripe.payment_intents}), 't', 'though the intents are there');

#
# Expanded objects are stored where they belong, as their ids where they were.
#
value($s, qq{SELECT stripe_get_payment('$id', params => '{"expand": ["customer", "payment_method", "latest_charge.balance_transaction"]}')});
is( value($s, qq{SELECT jsonb_typeof(data -> 'customer'), jsonb_typeof(data -> 'payment_method'), jsonb_typeof(data -> 'latest_charge')
	FROM stripe.payment_intents WHERE id = '$id'}),
	'string|string|string', 'expanded objects are stored as ids');
is(value($s, qq{SELECT status FROM stripe.charges WHERE payment_intent = '$id'}), 'succeeded', 'and in their own tables');

#
# as_of is Stripe's clock. Ours says nothing.
#
foreach my $offset (-86400, 86400)
{
	$fake->admin_post('/clock', { offset_ms => 1000 * $offset });
	my $new = value($s, q{SELECT stripe_create_customer() ->> 'id'});
	cmp_ok(abs(value($s, "SELECT extract(epoch FROM as_of - now())::int FROM stripe.customers WHERE id = '$new'") - $offset),
		'<=', 5, "as_of follows Stripe's clock, which is off by $offset s");
	cmp_ok(abs(value($s, "SELECT extract(epoch FROM synced_at - now())::int FROM stripe.customers WHERE id = '$new'")),
		'<=', 5, 'synced_at is ours');
	is(value($s, "SELECT as_of = date_trunc('second', as_of) FROM stripe.customers WHERE id = '$new'"), 't', 'in whole seconds');
}

# What is older by that clock is left out; what is newer comes in.
$fake->admin_post('/clock', { offset_ms => 0 });
value($s, qq{SELECT stripe_update_customer('$customer', name => 'Present')});
$fake->admin_post("/objects/$customer", { name => 'Past' });
$fake->admin_post('/clock', { offset_ms => -3600_000 });
is(value($s, qq{SELECT stripe_request('GET', '/v1/customers/$customer') ->> 'name'}), 'Past', 'an answer from the past');
is(value($s, "SELECT name FROM stripe.customers WHERE id = '$customer'"), 'Present', 'does not go back');
$fake->admin_post('/clock', { offset_ms => 3600_000 });
value($s, qq{SELECT stripe_request('GET', '/v1/customers/$customer')});
is(value($s, "SELECT name FROM stripe.customers WHERE id = '$customer'"), 'Past', 'the same from the future is news');
$fake->admin_post('/clock', { offset_ms => 0 });

# Without a Date an answer orders before all others.
my $bare = value($s, q{SELECT stripe_create_customer(name => 'Dated') ->> 'id'});
$fake->fault({ type => 'status', status => 200, headers => { Date => 'nonsense' },
		body => { object => 'customer', id => $bare, livemode => JSON::PP::false, name => 'Undated' } }, path => '/v1/customers');
is(value($s, qq{SELECT stripe_request('GET', '/v1/customers/$bare') ->> 'name'}), 'Undated', 'an answer without a date');
is(value($s, "SELECT name FROM stripe.customers WHERE id = '$bare'"), 'Dated', 'changes nothing');

# In the same second a final status stays.
my $final = value($s, $pay);
$fake->fault({ type => 'status', status => 200,
		body => { object => 'payment_intent', id => $final, livemode => JSON::PP::false, status => 'processing', amount => 2500, currency => 'aud' },
		headers => { Date => value($s, qq{SELECT to_char(as_of AT TIME ZONE 'UTC', 'Dy, DD Mon YYYY HH24:MI:SS "GMT"') FROM stripe.payment_intents WHERE id = '$final'}) } },
	path => '/v1/payment_intents');
value($s, qq{SELECT stripe_get_payment('$final')});
is(value($s, "SELECT status FROM stripe.payment_intents WHERE id = '$final'"), 'succeeded', 'within a second, what is final stays');
is(value($s, "SELECT status FROM stripe.payments WHERE payment_intent = '$final'"), 'completed', 'and the payment with it');

# A deleted customer stays deleted, whatever comes later.
value($s, qq{SELECT stripe_delete_customer('$customer')});
is(value($s, "SELECT deleted, email FROM stripe.customers WHERE id = '$customer'"), 't|ada@example.com', 'deleted, and still known');
$fake->admin_post('/clock', { offset_ms => 60_000 });
$fake->fault({ type => 'status', status => 200,
		body => { object => 'customer', id => $customer, livemode => JSON::PP::false, name => 'Back' } }, path => '/v1/customers');
value($s, qq{SELECT stripe_request('GET', '/v1/customers/$customer')});
is(value($s, "SELECT deleted, name IS DISTINCT FROM 'Back' FROM stripe.customers WHERE id = '$customer'"), 't|t', 'a deleted customer stays deleted');
value($s, qq{SELECT stripe_request('GET', '/v1/customers/$customer')});
is(value($s, "SELECT deleted, email FROM stripe.customers WHERE id = '$customer'"), 't|ada@example.com', 'also when read again');
$fake->admin_post('/clock', { offset_ms => 0 });

#
# Objects of no use: unknown types and odd shapes do no harm.
#
my $tables = value($s, q{SELECT sum((SELECT count(*) FROM stripe.customers)) + (SELECT count(*) FROM stripe.payment_intents)});
foreach my $body (
	{ object => 'novelty', id => 'nov_1' },
	{ object => 'customer' },
	{ object => 'customer', id => JSON::PP::null },
	{ object => 'customer', id => 'c' x 300 },
	{ object => 7, id => 'cus_7' },
	{ object => 'list', data => 'none' },
	{ object => 'list', data => [ 1, 'x', undef, [], {}, { object => 'list', data => [ { object => 'novelty' } ] } ] },
	{ id => 'cus_8' })
{
	$fake->fault({ type => 'status', status => 200, body => $body }, path => '/v1/customers');
	my $name = JSON::PP->new->canonical->encode($body);
	ok($s->sql(q{SELECT stripe_request('GET', '/v1/customers')})->{ok}, 'an answer as ' . substr($name, 0, 60));
}
is(value($s, q{SELECT sum((SELECT count(*) FROM stripe.customers)) + (SELECT count(*) FROM stripe.payment_intents)}), $tables, 'none is stored');

# Two sessions, the same new object: one row, no error, neither waits for long.
my $t = $node->session;
my $shared = $fake->books->{charge}[0]{id};
value($s, "DELETE FROM stripe.charges WHERE id = '$shared'");
value($s, "BEGIN; SELECT stripe_request('GET', '/v1/charges/$shared')");
$t->send("SELECT stripe_request('GET', '/v1/charges/$shared') ->> 'id'");
$node->poll_query_until('postgres', 'SELECT wait_event_type = $$Lock$$ FROM pg_stat_activity WHERE pid = ' . $t->pid)
  or die 'the second session does not meet the first';
value($s, 'COMMIT');
is($t->result->{stdout}, $shared, 'two sessions store the same object');
is(value($s, "SELECT count(*) FROM stripe.charges WHERE id = '$shared'"), '1', 'once');

# A rollback takes the mirror row with it: it is not the record of what happened.
value($s, 'BEGIN');
my $gone = value($s, q{SELECT stripe_create_intent(2500, payment_method => 'pm_card_visa', confirm => true,
	return_url => 'https://club.example/') ->> 'id'});
value($s, 'ROLLBACK');
is(value($s, "SELECT count(*) FROM stripe.payment_intents WHERE id = '$gone'"), '0', 'rolled back');
value($s, "SELECT stripe_get_payment('$gone')");
is(value($s, "SELECT status FROM stripe.payments WHERE payment_intent = '$gone'"), 'completed', 'and read again');

# A savepoint too.
value($s, "BEGIN; SAVEPOINT a; SELECT stripe_update_customer('$bare', name => 'Saved'); ROLLBACK TO a; COMMIT");
is(value($s, "SELECT name FROM stripe.customers WHERE id = '$bare'"), 'Dated', 'rolled back to a savepoint');

requests_ok($fake);
done_testing();
