# Webhook.pm
#	  Stripe's side of a webhook, for tests: makes events, signs them as
#	  Stripe does, and hands them to stripe_ingest_webhook().
#
# Example:
#
#	my $event = event('charge.succeeded', { id => 'ch_1', object => 'charge' });
#	is(state_of($session, $event), 'applied', 'it is taken in');
#
# The signature is computed here, by Perl's own hash functions, so that it
# proves something about the extension's.

package MemberPulse::Webhook;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Exporter 'import';
use JSON::PP;

use MemberPulse::Checks;

our @EXPORT = qw(event payload sign bytes literal deliver ingest state_of ingest_all ledger);

# The webhook secret of every MemberPulse::Node.
our $SECRET = 'whsec_fakeWebhookSecretForTests0001';

my $json   = JSON::PP->new->utf8->canonical->allow_nonref;
my $serial = 0;

# event(type, object, member => value...): as Stripe renders it.  Members
# that are given replace what it would have; undef stands for null.
sub event
{
	my ($type, $object, %members) = @_;
	my %data = (object => $object);
	$data{previous_attributes} = delete $members{previous} if exists $members{previous};
	return {
		id               => sprintf('evt_%06d', ++$serial),
		object           => 'event',
		type             => $type,
		api_version      => '2026-09-30.endive',
		created          => time,
		livemode         => JSON::PP::false,
		pending_webhooks => 1,
		request          => { id => undef, idempotency_key => undef },
		data             => \%data,
		%members };
}

# The bytes of an event, or of anything else that is not bytes already.
sub payload { return ref $_[0] ? $json->encode($_[0]) : $_[0] }

# The header of a delivery: sign(bytes, secret => ..., at => seconds).
sub sign
{
	my ($bytes, %option) = @_;
	my $at = $option{at} // time;
	return "t=$at,v1=" . hmac_sha256_hex("$at.$bytes", $option{secret} // $SECRET);
}

# SQL literals: bytes as bytea, and text (for what has no NUL byte).
sub bytes   { return q{'\x} . unpack('H*', $_[0]) . q{'::bytea} }
sub literal { my ($text) = @_; $text =~ s/'/''/g; $text =~ s/\\/\\\\/g; return " E'$text'" }

# The call that takes in an event or payload, signed unless "signature" is
# given; "account" and "secret" as of its function.
sub deliver
{
	my ($event, %option) = @_;
	my $bytes = payload($event);
	my $signature = $option{signature} // sign($bytes, %option);
	my $account = defined $option{account} ? literal($option{account}) : 'NULL';
	return sprintf 'stripe_ingest_webhook(%s, %s, %s)', bytes($bytes), literal($signature), $account;
}

# Take it in; returns id, type, state, object and membership as psql shows them.
sub ingest
{
	my ($session, $event, %option) = @_;
	return value($session, 'SELECT * FROM ' . deliver($event, %option));
}

# The same, and only the state.
sub state_of
{
	my ($session, $event, %option) = @_;
	return value($session, 'SELECT state FROM ' . deliver($event, %option));
}

# ingest_all(session, columns, [event or payload, signature]...): as one batch.
# Returns the rows.
sub ingest_all
{
	my ($session, $columns, @deliveries) = @_;
	my (@payloads, @signatures);
	foreach my $delivery (@deliveries)
	{
		my ($event, $signature) = ref $delivery eq 'ARRAY' ? @$delivery : ($delivery);
		my $bytes = payload($event);
		push @payloads, bytes($bytes);
		push @signatures, literal($signature // sign($bytes));
	}
	return split /\n/, value($session, sprintf 'SELECT %s FROM stripe_ingest_webhooks(ARRAY[%s], ARRAY[%s])',
		$columns, join(',', @payloads), join(',', @signatures));
}

# ledger(session, event or id, columns): what stripe.events has of it.
sub ledger
{
	my ($session, $event, $columns) = @_;
	my $id = literal(ref $event ? $event->{id} : $event);
	return value($session, "SELECT $columns FROM stripe.events WHERE id = $id");
}

1;
