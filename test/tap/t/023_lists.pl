# Lists and searches: a page is requested when its first row is pulled.

use strict;
use warnings;

use JSON::PP;
use MemberPulse::Checks;
use MemberPulse::Test;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $s    = $node->session;

# Paths of the requests since the last look.
sub pages
{
	my @pages = map { $_->{path} } $fake->requests;
	forget_requests($fake);
	return @pages;
}

$fake->admin_post('/recording', { enabled => JSON::PP::false });
value($s, q{SELECT count(stripe_request('POST', '/v1/customers', jsonb_build_object('name', 'member ' || n)))
	FROM generate_series(1, 250) n});
$fake->admin_post('/recording', { enabled => JSON::PP::true });
value($s, 'DELETE FROM stripe.customers');

#
# As many requests as the rows that are wanted take.
#
foreach my $form (
	[ 'in a select list', q{SELECT stripe_list('/v1/customers') ->> 'name' LIMIT 5} ],
	[ 'in FROM', q{SELECT c ->> 'name' FROM stripe_list('/v1/customers') c LIMIT 5} ],
	[ 'in FROM, laterally', q{SELECT c ->> 'name' FROM (VALUES ('/v1/customers')) p (path), stripe_list(p.path) c LIMIT 5} ])
{
	my ($where, $sql) = @$form;
	is(value($s, $sql), join("\n", map { "member $_" } reverse 246 .. 250), "LIMIT 5 $where: the newest five");
	is_deeply([ pages() ], ['/v1/customers?limit=100'], "LIMIT 5 $where: one request");
}

is(value($s, q{SELECT count(*), min(c ->> 'name'), count(DISTINCT c ->> 'id') FROM stripe_list('/v1/customers') c}),
	'250|member 1|250', 'all of them');
my @pages = pages();
is(scalar(@pages), 3, 'three pages');
like($pages[1], qr{^/v1/customers\?(?=.*\blimit=100\b)(?=.*\bstarting_after=cus_\w+)}, 'each after the last object of the one before');
is(value($s, q{SELECT count(*) FROM stripe.customers}), '250', 'and all are mirrored');

is(value($s, q{SELECT count(*) FROM (SELECT stripe_list('/v1/customers') LIMIT 100) l}), '100', 'exactly one page');
is(scalar(pages()), 1, 'one request, not two');
is(value($s, q{SELECT count(*) FROM (SELECT stripe_list('/v1/customers') LIMIT 101) l}), '101', 'one row more');
is(scalar(pages()), 2, 'two requests');

# A cursor pulls row by row.
value($s, q{BEGIN; DECLARE c CURSOR FOR SELECT c ->> 'name' FROM stripe_list('/v1/customers') c; FETCH 3 FROM c});
is(scalar(pages()), 1, 'a cursor: one request for the first rows');
value($s, q{MOVE 97 FROM c});
is(scalar(pages()), 0, 'none for the rest of the page');
is(value($s, q{FETCH 1 FROM c}), 'member 150', 'the row after it');
is(scalar(pages()), 1, 'takes another');
value($s, q{COMMIT});

# max_rows.
is(value($s, q{SELECT count(*) FROM stripe_list('/v1/customers', max_rows => 3)}), '3', 'max_rows');
is_deeply([ pages() ], ['/v1/customers?limit=3'], 'asks for no more than that');
is(value($s, q{SELECT count(*) FROM stripe_list('/v1/customers', max_rows => 150)}), '150', 'over a page');
like(join(' ', pages()), qr{limit=100 \S*limit=50\b}, 'the second page only what is missing');
is(value($s, q{SELECT count(*) FROM stripe_list('/v1/customers', max_rows => 0)}), '0', 'none');
is(scalar(pages()), 0, 'without a request');
raises($s, q{SELECT stripe_list('/v1/customers', max_rows => -1)}, '22023', 'less than none', message => qr/"max_rows"/);

# Filters stay the same from page to page; the caller's page size is kept.
is(value($s, q{SELECT count(*) FROM stripe_list('/v1/customers', '{"limit": 90, "created": {"gte": 1}}')}), '250', 'with parameters');
@pages = pages();
is(scalar(grep { /\blimit=90\b/ && /\bcreated\[gte\]=1\b/ } @pages), 3, 'which all three pages have');

# An empty list; order is the caller's to want.
is(value($s, q{SELECT count(*) FROM stripe_list('/v1/payment_intents')}), '0', 'an empty list');
is(scalar(pages()), 1, 'one request');
is(value($s, q{SELECT c ->> 'name' FROM stripe_list('/v1/customers', max_rows => 10) c ORDER BY c ->> 'name' DESC LIMIT 1}),
	'member 250', 'ORDER BY sorts');
is(value($s, q{SELECT string_agg(c ->> 'name', ',' ORDER BY n) FROM stripe_list('/v1/customers', max_rows => 3) WITH ORDINALITY l (c, n)}),
	'member 250,member 249,member 248', 'rows come newest first');
pages();

# Two lists at once do not meddle with each other.
is( value($s, q{SELECT count(*) FROM (SELECT a ->> 'id' AS id FROM stripe_list('/v1/customers', max_rows => 120) a) x
	JOIN (SELECT b ->> 'id' AS id FROM stripe_list('/v1/customers', max_rows => 120) b) y USING (id)}),
	'120', 'two lists joined');
pages();

#
# What is no list, and errors on the way.
#
my $id = value($s, q{SELECT id FROM stripe.customers LIMIT 1});
raises($s, qq{SELECT stripe_list('/v1/customers/$id')}, 'ST003', 'one object is no list, says Stripe', detail => qr/parameter limit/);
$fake->fault({ type => 'status', status => 200, body => { object => 'account', id => 'acct_1' } }, path => '/v1/payment_intents');
raises($s, q{SELECT stripe_list('/v1/payment_intents')}, '22023', 'and where it does not, we do',
	message => qr{^"/v1/payment_intents" is not a list$}, hint => qr/stripe_request\(\)/);
raises($s, q{SELECT stripe_list('/v1/nothing')}, 'ST003', 'a path that is not there');
raises($s, q{SELECT stripe_list('/v1/customers?limit=1')}, '22023', 'a query in the path', message => qr/"path"/);
raises($s, q{SELECT stripe_list(NULL)}, '22023', 'no path', message => qr/"path"/);
raises($s, q{SELECT stripe_list('/v1/customers', '[]')}, '22023', 'parameters that are no object', message => qr/"params"/);
pages();
$fake->fault({ type => 'server_error', should_retry => JSON::PP::false }, path => '/v1/customers', n => 2);
raises($s, q{SELECT count(*) FROM stripe_list('/v1/customers')}, 'ST008', 'the second page fails');
is(scalar(pages()), 2, 'after two requests');
is(value($s, q{SELECT count(*) FROM stripe_list('/v1/customers')}), '250', 'the next call works');
pages();

#
# Search
#
is(value($s, q{SELECT c ->> 'name' FROM stripe_search('customers', 'name:"member 17"') c}), 'member 17', 'stripe_search');
is_deeply([ map { s/(?<=limit=)\d+//r } pages() ], ['/v1/customers/search?limit=&query=name%3A%22member%2017%22'], 'by one request');
is(value($s, q{SELECT count(*), count(DISTINCT c ->> 'id') FROM stripe_search('customers', 'name~"member"') c}), '250|250', 'all pages');
@pages = pages();
is(scalar(@pages), 3, 'three');
unlike($pages[0], qr/\bpage=/, 'the first without a cursor');
like($pages[1], qr/\bpage=\w+/, 'the next by Stripe\'s');
is(value($s, q{SELECT count(*) FROM (SELECT stripe_search('customers', 'name~"member"') LIMIT 5) x}), '5', 'LIMIT');
is(scalar(pages()), 1, 'one request');
is(value($s, q{SELECT count(*) FROM stripe_search('customers', 'name~"member"', max_rows => 101)}), '101', 'max_rows');
is(scalar(pages()), 2, 'two requests');
raises($s, q{SELECT stripe_search('customers', 'wrong:')}, 'ST003', 'a query Stripe does not understand');
raises($s, q{SELECT stripe_search('../accounts', 'x:1')}, '22023', 'objects that lead elsewhere', message => qr/"path"/);

requests_ok($fake);
done_testing();
