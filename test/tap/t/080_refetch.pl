# Asking Stripe again: what events left in doubt, lists that were cut short,
# objects that are gone, and failures on the way.
#
# Stripe is a few lines here that answer GETs from a table the test writes, as
# the shapes in question, lists of more than ten within objects among them, are
# easier told than lived through.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;

use MemberPulse::Checks;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;

my $json = JSON::PP->new->utf8->canonical;
my $dir  = PostgreSQL::Test::Utils::tempdir();
my ($answers, $asked) = ("$dir/answers.json", "$dir/asked");

# What Stripe answers from now on: path => object, or path => status.
sub answer
{
	my (%table) = @_;
	open my $out, '>', "$answers.new" or die "$answers: $!\n";
	print $out $json->encode(\%table);
	close $out;
	rename "$answers.new", $answers or die "$answers: $!\n";
	unlink $asked;
	return;
}

# What it was asked since, path and query.
sub asked
{
	open my $in, '<', $asked or return ();
	chomp(my @lines = <$in>);
	return @lines;
}

# A page of a list: entries after the one named, ten or as many as asked for.
sub page
{
	my ($list, $query) = @_;
	my %param = map { split /=/, $_, 2 } split /&/, $query;
	my @rest  = @{ $list->{data} };
	if (my $after = $param{starting_after})
	{
		shift @rest while @rest && $rest[0]{id} ne $after;
		shift @rest;
	}
	my $limit = $param{limit} // 10;
	$limit = $list->{at_most} if $list->{at_most} && $limit > $list->{at_most};
	my @page = splice @rest, 0, $limit;
	return { object => 'list', url => $list->{url}, data => \@page, has_more => @rest ? JSON::PP::true : JSON::PP::false };
}

sub serve
{
	my ($client) = @_;
	my ($line, %header);
	while (defined(my $got = <$client>))
	{
		$line //= $got;
		last if $got =~ /^\r?\n$/;
	}
	my ($path, $query) = ($line // '') =~ m{^GET ([^ ?]+)(?:\?(\S*))? } or return;
	open my $log, '>>', $asked or return;
	print $log $path, defined $query ? "?$query" : '', "\n";
	close $log;
	open my $in, '<', $answers or return;
	my $table = $json->decode(do { local $/; <$in> });
	my $found = $table->{$path} // 404;
	my $status = ref $found ? 200 : $found;
	$found = page($found, $query // '') if ref $found && ($found->{object} // '') eq 'list';
	my $body = $json->encode(ref $found ? $found : { error => { type => 'invalid_request_error', message => 'No.' } });
	my $date = POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime);
	print $client "HTTP/1.1 $status X\r\nContent-Type: application/json\r\nDate: $date\r\nConnection: close\r\nContent-Length: ", length $body, "\r\n\r\n$body";
	return;
}

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 20, ReuseAddr => 1) or die "listen: $!\n";
my $port   = $listener->sockport;
my $parent = $$;
my $server = fork() // die "fork: $!\n";
if ($server == 0)
{
	while (my $client = $listener->accept) { serve($client); close $client; last if getppid() != $parent }
	POSIX::_exit(0);
}
END { local $?; kill 'KILL', $server if $server && $$ == $parent }

my $node = new_node(conf => "memberpulse_stripe.api_base = 'http://127.0.0.1:$port'\nmemberpulse_stripe.max_retries = 0");
my $s    = $node->session;

my $serial = 0;
my $now    = time;

# An event about an object, some seconds ago.  Returns its state.
sub hear
{
	my ($type, $ago, $object, $previous) = @_;
	my $event = { id => 'evt_' . ++$serial, object => 'event', type => $type, created => $now - $ago, livemode => JSON::PP::false,
		data => { object => $object, ($previous ? (previous_attributes => $previous) : ()) } };
	my $text = $json->encode($event);
	return value($s, "SELECT concat_ws(' ', state, error) FROM stripe_ingest_events(ARRAY[\$e\$$text\$e\$::jsonb])");
}

sub queue   { return value($s, q{SELECT string_agg(concat_ws(' ', object_type, id, reason, attempts), E'\n' ORDER BY object_type, id) FROM stripe.refetches}) }
sub refetch { return value($s, q{SELECT string_agg(concat_ws(' ', object_type, object_id, reason, error), E'\n' ORDER BY object_type, object_id) FROM stripe_refetch()}) }

sub customer { my ($id, %more) = @_; return { id => $id, object => 'customer', created => $now - 1000, livemode => JSON::PP::false, %more } }

#
# A doubt is settled by Stripe's word.
#
hear('customer.updated', 100, customer('cus_1', name => 'there'), { name => 'back' });
hear('customer.updated', 100, customer('cus_1', name => 'back'),  { name => 'there' });
is(queue(), 'customer cus_1 same second 0', 'two events of one second that contradict each other are a doubt');
answer('/v1/customers/cus_1' => customer('cus_1', name => 'there'));
is(refetch(), 'customer cus_1 same second', 'it is asked for');
is_deeply([ asked() ], ['/v1/customers/cus_1'], 'with one request');
is(value($s, q{SELECT name || ' ' || (last_event IS NULL) FROM stripe.customers WHERE id = 'cus_1'}), 'there true', 'and Stripe\'s word stands');
is(queue(), '', 'nothing is left to ask');
is(hear('customer.updated', 100, customer('cus_1', name => 'third'), { name => 'back' }), 'stale', 'a late event of that second comes too late');
is(refetch(), '', 'nothing to do');

#
# What is gone is marked so; what cannot be asked now is asked later.
#
foreach my $id (qw(cus_2 cus_3))
{
	hear('customer.updated', 100, customer($id, name => 'a'), { name => 'b' });
	hear('customer.updated', 100, customer($id, name => 'b'), { name => 'a' });
}
answer('/v1/customers/cus_2' => 404, '/v1/customers/cus_3' => 500);
like(refetch(), qr/\Acustomer cus_2 same second\ncustomer cus_3 same second \S.*\z/, 'one is gone, the other fails');
is(value($s, q{SELECT deleted || ' ' || name FROM stripe.customers WHERE id = 'cus_2'}), 'true b', 'gone, with what it was');
is(queue(), 'customer cus_3 same second 1', 'the failed one stays');
is(value($s, q{SELECT next_attempt > now() AND last_error IS NOT NULL FROM stripe.refetches}), 't', 'for later, with the error');
is(refetch(), '', 'and not before');
value($s, q{UPDATE stripe.refetches SET next_attempt = now()});
value($s, q{UPDATE stripe.refetches SET next_attempt = now()});
like(refetch(), qr/^customer cus_3 same second \S/, 'it fails again');
is(value($s, q{SELECT round(extract(epoch FROM next_attempt - now()) / 60) FROM stripe.refetches}), '2', 'the next time is further away');
value($s, q{UPDATE stripe.refetches SET next_attempt = now()});
answer('/v1/customers/cus_3' => customer('cus_3', name => 'c'));
is(refetch(), 'customer cus_3 same second', 'then it works');
is(value($s, q{SELECT name FROM stripe.customers WHERE id = 'cus_3'}), 'c', 'the row is right');
is(queue(), '', 'the entry is gone');

# A transaction that fails brings its entries back.
hear('customer.updated', 90, customer('cus_3', name => 'd'), { name => 'e' });
is(hear('customer.updated', 1000, customer('cus_3', name => 'd')), 'stale', 'what is older than an answer is stale');
hear('customer.updated', -10, customer('cus_3', name => 'd'), { name => 'e' });
hear('customer.updated', -10, customer('cus_3', name => 'e'), { name => 'd' });
is(queue(), 'customer cus_3 same second 0', 'in doubt again');
$s->sql('BEGIN');
is(refetch(), 'customer cus_3 same second', 'asked, in a transaction');
is(queue(), '', 'and out of the queue');
$s->sql('ROLLBACK');
is(queue(), 'customer cus_3 same second 0', 'which is rolled back');
value($s, q{DELETE FROM stripe.refetches});

#
# Lists that were cut short.
#
sub item { my ($n) = @_; return { id => sprintf('si_%03d', $n), object => 'subscription_item', subscription => 'sub_1', created => $now - 1000, quantity => $n,
		price => { id => "price_$n", object => 'price', product => 'prod_1', unit_amount => 100 * $n, livemode => JSON::PP::false } } }
sub subscription
{
	my ($more, @items) = @_;
	return { id => 'sub_1', object => 'subscription', created => $now - 1000, livemode => JSON::PP::false, status => 'active', customer => 'cus_1',
		metadata => { membership_id => 'm-1' }, items => { object => 'list', has_more => $more ? JSON::PP::true : JSON::PP::false, url => '/v1/subscription_items?subscription=sub_1', data => \@items } };
}
my @items = map { item($_) } 1 .. 25;
is(hear('customer.subscription.created', 80, subscription(1, @items[0 .. 9])), 'applied', 'a subscription of 25 items shows ten');
is(value($s, q{SELECT count(*) FROM stripe.subscription_items}), '10', 'and so many rows');
is(queue(), 'subscription sub_1 nested list 0', 'the rest is to be read');
answer('/v1/subscriptions/sub_1' => subscription(1, @items[0 .. 9]),
	'/v1/subscription_items' => { object => 'list', url => '/v1/subscription_items', data => \@items, at_most => 20 });
is(refetch(), 'subscription sub_1 nested list', 'read on');
is(scalar(() = grep { m{^/v1/subscription_items\?} && /subscription=sub_1/ } asked()), 2, 'page by page');
like((asked())[-1], qr/starting_after=si_020/, 'each after the last entry of the one before');
is(value($s, q{SELECT count(*) || ' ' || sum(quantity) FROM stripe.subscription_items}), '25 325', 'all items have rows');
is(value($s, q{SELECT jsonb_array_length(data -> 'items' -> 'data') || ' ' || (data -> 'items' ->> 'has_more') FROM stripe.subscriptions}), '25 false', 'and the object is whole');
is(value($s, q{SELECT count(*) FROM stripe.prices}), '25', 'with the prices of all');
is(queue(), '', 'nothing is left');

# The same ten again do not throw the rest away.
is(hear('customer.subscription.updated', 70, { %{ subscription(1, @items[0 .. 9]) }, description => 'x' }, { description => undef }), 'applied', 'an event shows ten again');
is(value($s, q{SELECT jsonb_array_length(data -> 'items' -> 'data') || ' ' || (data ->> 'description') FROM stripe.subscriptions}), '25 x', 'the object stays whole');
is(queue(), 'subscription sub_1 nested list 0', 'but what lies behind the cut may have changed');
answer('/v1/subscriptions/sub_1' => { %{ subscription(1, @items[0 .. 9]) }, description => 'x' },
	'/v1/subscription_items' => { object => 'list', url => '/v1/subscription_items', data => [ @items[0 .. 23] ] });
is(refetch(), 'subscription sub_1 nested list', 'read again');
is(value($s, q{SELECT count(*) FROM stripe.subscription_items}), '24', 'an item that is gone has no row any more');
my $row = value($s, q{SELECT xmin || ' ' || synced_at FROM stripe.subscriptions});
value($s, q{INSERT INTO stripe.refetches (account, livemode, object_type, id, reason) VALUES ('default', false, 'subscription', 'sub_1', 'nested list')});
refetch();
is(value($s, q{SELECT xmin || ' ' || synced_at FROM stripe.subscriptions}), $row, 'what is the same again writes nothing');

# A page that fails leaves what there was.
hear('customer.subscription.updated', 60, { %{ subscription(1, @items[0 .. 9]) }, description => 'y' }, { description => 'x' });
answer('/v1/subscriptions/sub_1' => { %{ subscription(1, @items[0 .. 9]) }, description => 'y' }, '/v1/subscription_items' => 500);
like(refetch(), qr/^subscription sub_1 nested list \S/, 'the list cannot be read');
is(value($s, q{SELECT jsonb_array_length(data -> 'items' -> 'data') || ' ' || (data ->> 'description') FROM stripe.subscriptions}), '24 y', 'no entry is lost');
is(queue(), 'subscription sub_1 nested list 1', 'and it is tried again later');
value($s, q{DELETE FROM stripe.refetches});

#
# Entitlements: the whole set of a customer.
#
my @rights = map { { id => "ent_$_", object => 'entitlements.active_entitlement', livemode => JSON::PP::false, feature => "feat_$_", lookup_key => "key_$_" } } 1 .. 13;
is(hear('entitlements.active_entitlement_summary.updated', 50, { object => 'entitlements.active_entitlement_summary', customer => 'cus_1', livemode => JSON::PP::false,
			entitlements => { object => 'list', has_more => JSON::PP::true, data => [ @rights[0 .. 9] ] } }), 'applied', 'a summary shows ten');
answer('/v1/entitlements/active_entitlements' => { object => 'list', url => '/v1/entitlements/active_entitlements', data => [ @rights[1 .. 12] ] });
is(refetch(), 'entitlements.active_entitlement_summary cus_1 nested list', 'the whole set is read');
like((asked())[0], qr/customer=cus_1/, 'of the customer');
is(value($s, q{SELECT count(*) || ' ' || min(lookup_key) FROM stripe.active_entitlements WHERE customer = 'cus_1'}), '12 key_10', 'what is no longer in it is gone');

#
# Who may, and how many.
#
foreach my $id (qw(cus_7 cus_8))
{
	value($s, "INSERT INTO stripe.refetches (account, livemode, object_type, id, reason) VALUES ('default', false, 'customer', '$id', 'missing')");
}
answer();
is(value($s, q{SELECT count(*) FROM stripe_refetch(max => 1)}), '1', 'no more than asked for');
is(value($s, q{SELECT count(*) FROM stripe.customers WHERE id IN ('cus_7', 'cus_8')}), '0', 'what is not at Stripe gets no row');
raises($s, q{SELECT stripe_refetch(max => -1)}, '22023', 'a negative number');
raises($s, q{BEGIN READ ONLY; SELECT stripe_refetch()}, '25006', 'a read-only transaction');
$s->sql('ROLLBACK');
value($s, q{CREATE ROLE nobody_in_particular});
raises($s, q{SET ROLE nobody_in_particular; SELECT stripe_refetch()}, '42501', 'somebody who was granted nothing');

done_testing();
