# Whatever is signed well and nonsense all the same: an error, or a failed row
# in the ledger, never a crash, and the next good event is taken in.

use strict;
use warnings;

use JSON::PP;

use MemberPulse::Checks;
use MemberPulse::Test;
use MemberPulse::Webhook;
use Test::More;

my $node = new_node();
my $s    = $node->session;
my $pid  = $s->pid;
my $now  = time;
my $good = 0;
my $T    = JSON::PP::true;
my $F    = JSON::PP::false;

# Nothing is wedged: the next event is applied, by the same backend.
sub still_well
{
	my ($name) = @_;
	my $id = 'cus_good' . ++$good;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value($s, 'SELECT state, pg_backend_pid() FROM ' . deliver(event('customer.created', { id => $id, object => 'customer', created => $now, metadata => {} }))),
		"applied|$pid", "$name: the next event is applied");
	return;
}

# The payload is refused with an error and leaves nothing; alone and in a batch.
sub refused
{
	my ($name, $payload, $sqlstate, %part) = @_;
	my $bytes = payload($payload);
	my $before = value($s, 'SELECT count(*) FROM stripe.events');
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	raises($s, 'SELECT ' . deliver($bytes), $sqlstate, $name, %part);
	is(value($s, 'SELECT count(*) FROM stripe.events'), $before, "$name: nothing is kept");
	my @rows = ingest_all($s, q{coalesce(state, '-'), error IS NOT NULL}, $bytes, event('customer.created', { id => 'cus_beside', object => 'customer' }));
	is(join(' ', @rows), '-|t applied|f', "$name: in a batch it does not harm the other");
	return still_well($name);
}

# It is kept as failed, with a reason, and cannot be cured by trying again.
sub fails
{
	my ($name, $event, $reason) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(state_of($s, $event), 'failed', "$name: taken in as failed");
	like(ledger($s, $event, 'error'), $reason, "$name: with the reason");
	is(value($s, "SELECT state FROM stripe_replay_event(" . literal($event->{id}) . ')'), 'failed', "$name: also when replayed");
	return still_well($name);
}

# It is taken in, and the state is one of those that are no error.
sub taken
{
	my ($name, $event, $state) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(state_of($s, $event), $state // 'applied', $name);
	return still_well($name);
}

# An event as text, where JSON's module could not write what is in it.
sub raw
{
	my ($id, $object, $more) = @_;
	return qq({"id":"$id","object":"event","type":"customer.updated","api_version":"2026-09-30.endive","created":$now,"livemode":false,)
	  . ($more // '') . qq("data":{"object":$object}});
}

#
# What is no JSON.
#
refused('nothing',        '',            '22P02');
refused('blanks',         " \n",         '22P02');
refused('garbage',        'garbage',     '22P02');
refused('half an object', '{"id":"evt_half"', '22P02');
refused('two objects',    '{} {}',       '22P02');
refused('NaN',            raw('evt_nan', '{"id":"cus_n","object":"customer","balance":NaN}'), '22P02');
refused('a byte-order mark', "\xef\xbb\xbf{}", '22P02');
refused('a NUL byte',     "{\"id\":\"evt_0\"}\0", '22021');
refused('invalid UTF-8',  raw('evt_utf8', qq({"id":"cus_\xff\xfe","object":"customer"})), '22021', detail => qr/^The signature is valid/);
refused('a surrogate in UTF-8', raw('evt_surr', qq({"id":"cus_1","object":"customer","name":"\xed\xa0\x80"})), '22021');
refused('an overlong form', raw('evt_long', qq({"id":"cus_1","object":"customer","name":"\xc0\x80"})), '22021');

#
# JSON that is no event.
#
foreach my $value ('1', 'null', 'true', '"evt_1"', '[]', '{}', '{"object":"customer","id":"cus_1"}', '[{"object":"event"}]')
{
	refused("$value is no event", $value, '22023', message => qr/^the payload is not an event that can be taken in$/);
}
my $whole = event('customer.created', { id => 'cus_1', object => 'customer' });
foreach my $member ('id', 'object', 'type', 'created', 'livemode')
{
	my %less = %$whole;
	delete $less{$member};
	refused("without \"$member\"", \%less, '22023');
	foreach my $wrong (7, undef, {}, [], '', 'x' x 10_000, $T, '1e400')
	{
		next if $member eq 'livemode' && ref $wrong eq ref $T;
		next if $member =~ /^(?:id|type)$/ && ($wrong // '') eq '1e400';
		next if $member eq 'created' && ($wrong // '') eq '7';
		my $shown = defined $wrong ? ref $wrong ? JSON::PP->new->encode([$wrong]) : substr "\"$wrong\"", 0, 12 : 'null';
		raises($s, 'SELECT ' . deliver({ %$whole, $member => $wrong }), '22023', "\"$member\" is $shown");
	}
}
still_well('wrong members');
foreach my $created ('-1', '1.5', '1e400', '99999999999999999999', '253402300800', '9223372036854775808', '"1700000000"')
{
	my $json = raw('evt_c', '{"id":"cus_1","object":"customer"}') =~ s/"created":\d+/"created":$created/r;
	my $r = $s->sql('SELECT ' . deliver($json));
	like($r->{sqlstate} // 'none', qr/^(?:22023|22003|22P02)$/, "created at $created is refused");
}
still_well('impossible moments');
is(value($s, q{SELECT count(*) FROM stripe.events WHERE id = 'evt_c'}), 0, 'and none of them is kept');

#
# Events whose object is wrong are kept, as failed.
#
fails('no data',          event('customer.created', undef, data => undef), qr/^the event has no object /);
fails('data is a string', event('customer.created', undef, data => 'x'),   qr/^the event has no object /);
fails('data is an array', event('customer.created', undef, data => []),    qr/^the event has no object /);
fails('no object',        event('customer.created', undef, data => {}),    qr/^the event has no object /);
foreach my $object (undef, 1, 'cus_1', [], [ { id => 'cus_1', object => 'customer' } ], $T)
{
	fails('an object that is ' . JSON::PP->new->allow_nonref->encode($object), event('customer.created', $object), qr/^the event has no object /);
}
foreach my $kind (undef, 1, {}, [], 'x' x 10_000)
{
	my $event = event('customer.created', { id => 'cus_1', object => $kind });
	fails('of a kind that is ' . substr(JSON::PP->new->allow_nonref->encode($kind), 0, 20), $event, qr/^the event's object does not say what it is /);
}
foreach my $id (1, {}, [], $T, undef, 'x' x 10_000, '', 1e300)
{
	fails('an id that is ' . substr(JSON::PP->new->allow_nonref->encode($id), 0, 20), event('customer.created', { id => $id, object => 'customer' }),
		qr/^the id of the event's object is /);
}

#
# Nonsense in members that have columns: the row, without it.
#
foreach my $wrong ('1e400', '-1e400', '9223372036854775808', '99999999999999999999999', '1.5', '"x"', '{}', '[]', 'null', 'true', '"' . 'y' x 10_000 . '"', '1e-400', '1' . '0' x 2000)
{
	my $shown = substr $wrong, 0, 24;
	my $id = 'evt_wrong' . ++$good;
	my $r = $s->sql('SELECT state FROM ' . deliver(raw($id, qq({"id":"cus_$id","object":"customer","email":$wrong,"created":$wrong,"balance":$wrong,"delinquent":$wrong,"metadata":$wrong,"invoice_settings":$wrong,"deleted":$wrong}))));
	if ($r->{ok}) { like($r->{stdout}, qr/^(?:applied|failed)$/, "a customer with $shown everywhere") }
	else { like($r->{sqlstate}, qr/^22/, "a customer with $shown everywhere is refused") }
	foreach my $type ('subscription', 'invoice', 'payment_intent', 'charge', 'refund', 'dispute', 'entitlements.active_entitlement_summary')
	{
		my @members = map { qq("$_":$wrong) } qw(status customer items lines amount created start_date current_period_end trial_end cancel_at ended_at metadata latest_invoice
			payment_intent charge subscription parent entitlements latest_charge amount_received amount_refunded last_payment_error charges currency plan pause_collection);
		my $event = raw("evt_$type$good", join(',', qq({"id":"x_$good","object":"$type"), @members) . '}');
		$r = $s->sql('SELECT state FROM ' . deliver($event));
		if ($r->{ok}) { like($r->{stdout}, qr/^(?:applied|failed|ignored|stale)$/, "$type with $shown everywhere") }
		else { like($r->{sqlstate}, qr/^22/, "$type with $shown everywhere is refused") }
	}
	still_well("with $shown everywhere");
}
is(value($s, q{SELECT count(*) FROM stripe.events WHERE state = 'failed' AND (error IS NULL OR error = '' OR length(error) > 2000)}), 0, 'every failure has its reason, of bounded length');

# Items and lists of wrong shapes.
foreach my $items ('{}', '{"data":{}}', '{"data":[1,null,"x",[],{}]}', '{"data":[{"id":1,"object":"subscription_item"}]}', '{"has_more":true}', '{"data":[],"has_more":true,"url":5}',
	'{"data":[{"id":"' . 'z' x 10_000 . '","object":"subscription_item"}]}')
{
	my $id = 'evt_items' . ++$good;
	my $state = state_of($s, raw($id, qq({"id":"sub_$id","object":"subscription","status":"active","customer":"cus_1","created":$now,"metadata":{"membership_id":"m-$id"},"items":$items})) =~ s/customer\.updated/customer.subscription.updated/r);
	like($state, qr/^(?:applied|failed)$/, 'items are ' . substr $items, 0, 50);
	still_well('items that are ' . substr $items, 0, 50);
}

# A membership that cannot be one.
foreach my $membership ('', 'm' x 10_000, 7, undef, {}, [])
{
	my $event = event('customer.subscription.created', { id => 'sub_m' . ++$good, object => 'subscription', status => 'active', customer => 'cus_1', created => $now,
		metadata => { membership_id => $membership }, start_date => $now, current_period_start => $now, current_period_end => $now + 86_400 });
	like(state_of($s, $event), qr/^(?:applied|failed)$/, 'a membership id that is ' . substr JSON::PP->new->allow_nonref->encode($membership), 0, 20);
	still_well('a strange membership id');
}
is(value($s, q{SELECT count(*) FROM stripe.memberships WHERE length(membership_id) NOT BETWEEN 1 AND 512}), 0, 'no membership without a name came of it');

# Absurd moments of a subscription.
foreach my $moment (-1, 0, 253402300800, 9.2e18, -9.2e18, 1e18)
{
	my $event = event('customer.subscription.created', { id => 'sub_t' . ++$good, object => 'subscription', status => 'active', customer => 'cus_1', created => $now,
		metadata => { membership_id => "m-t$good" }, start_date => $moment, current_period_start => $moment, current_period_end => $moment, trial_end => $moment, cancel_at => $moment });
	like(state_of($s, $event), qr/^(?:applied|failed)$/, "a subscription at $moment");
	still_well("a subscription at $moment");
}

#
# \u0000, which PostgreSQL's texts cannot hold.
#
refused('\u0000 in a name', raw('evt_nul', '{"id":"cus_nul","object":"customer","name":"a\u0000b"}'), '22P02');
refused('\u0000 in the id of the event', raw('evt_\u0000', '{"id":"cus_nul","object":"customer"}'), '22P02');
refused('half a surrogate pair', raw('evt_lone', '{"id":"cus_lone","object":"customer","name":"\ud800"}'), '22P02');
refused('a number that no type can hold', raw('evt_vast', '{"id":"cus_vast","object":"customer","balance":1e200000}'), '22P02');
taken('1e400', raw('evt_1e400', '{"id":"cus_1e400","object":"customer","balance":1e400}'));
is(value($s, q{SELECT balance, data ->> 'balance' = (10::numeric ^ 400)::numeric(500)::text FROM stripe.customers WHERE id = 'cus_1e400'}), '|t', 'is kept, and not in a column of integers');

#
# Depth and size.
#
refused('100,000 arrays in each other', raw('evt_deep', '{"id":"cus_deep","object":"customer","metadata":' . '[' x 100_000 . ']' x 100_000 . '}'), '22P02');
refused('100,000 objects in each other', raw('evt_deep', '{"id":"cus_deep","object":"customer","metadata":' . '{"a":' x 100_000 . '1' . '}' x 100_000 . '}'), '22P02');
refused('100,000 arrays that never end', '[' x 100_000, '22P02');
taken('200 objects in each other', event('customer.updated', { id => 'cus_200', object => 'customer', metadata => JSON::PP->new->decode('{"a":' x 200 . '1' . '}' x 200) }));

my $million = join ',', map { sprintf '"key%06d":"%s"', $_, 'v' x 80 } 1 .. 11_000;
taken('a million bytes of metadata', raw('evt_million', qq({"id":"cus_million","object":"customer","metadata":{$million}})));
is(value($s, q{SELECT count(*) FROM stripe.customers, jsonb_object_keys(data -> 'metadata') WHERE id = 'cus_million'}), 11_000, 'which are all kept');
taken('a million bytes in one value', event('customer.updated', { id => 'cus_value', object => 'customer', metadata => { member_id => 'v' x 1_000_000, membership_id => 'w' x 1_000_000 } }));
taken('metadata without entries', event('customer.updated', { id => 'cus_none', object => 'customer', metadata => {} }));

# More than 16 MB: made on the server, signed here.
my $size = 16 * 1024 * 1024;
my $head = '{"pad":"';
my $header = sign($head . 'x' x $size . '"}');
raises($s, sprintf(q~SELECT stripe_ingest_webhook('%s' || repeat('x', %d) || '"}', %s)~, $head, $size, literal($header)), '54000', 'more than 16 MB',
	message => qr/^the webhook's payload is too large$/, detail => qr/\d+ bytes/);
is(value($s, sprintf q~SELECT state IS NULL, error LIKE '%%too large%%' FROM stripe_ingest_webhooks(ARRAY['%s' || repeat('x', %d) || '"}'], ARRAY[%s])~, $head, $size, literal($header)),
	't|t', 'in a batch, too');
raises($s, sprintf(q~SELECT stripe_ingest_webhook('%s' || repeat('x', %d) || '"}', 't=1,v1=00')~, $head, $size), 'ST009', 'unsigned, it is not even measured');
raises($s, sprintf(q~SELECT stripe_ingest_webhook(repeat('x', 200000000), 't=%d,v1=%s')~, $now, '0' x 64), 'ST009', '200 MB unsigned');
still_well('too much');

#
# All that is kept can be read, and nothing was left behind.
#
is(value($s, q{SELECT count(*) FROM stripe.events WHERE error ~ 'violates|Failing row'}), 0, 'no failure is one of our own constraints, which would tell nobody what is wrong')
  or diag(value($s, q{SELECT id, error, payload #> '{data,object}' FROM stripe.events WHERE error ~ 'violates|Failing row' LIMIT 3}));
is(value($s, q{SELECT count(*) FROM stripe.events WHERE state = 'received'}), 0, 'no event is left half done');
ok(value($s, q{SELECT count(payload::text) FROM stripe.events}) > 100, 'the ledger can be read');
is(value($s, 'SELECT pg_backend_pid()'), $pid, 'all of it in one session');
my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/TRAP:|PANIC|terminated by signal|server process|was terminated|stack depth .* exceeds|could not (?:read|write) block|invalid memory alloc/, 'the server did not crash');
unlike($log, qr/XX000/, 'nor meet an error that is not foreseen');

done_testing();
