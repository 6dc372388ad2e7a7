# Signatures of webhooks: what Stripe's own package makes is accepted, with
# any of the account's secrets, near enough to the clock; each refusal says
# why; and nothing is looked at, stored or told before that.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run ();
use JSON::PP;
use MIME::Base64;

use MemberPulse::Checks;
use MemberPulse::Test;
use MemberPulse::Webhook;
use Test::More;

my $packages = abs_path(dirname(__FILE__) . '/../../fake_stripe') . '/';
my $master   = PostgreSQL::Test::Utils::tempdir() . '/master.key';
PostgreSQL::Test::Utils::append_to_file($master, 'm' x 32);
chmod 0600, $master or die "$master: $!";

my $node = new_node(conf => "memberpulse_stripe.master_key_file = '$master'");
my $s    = $node->session;

my $REFUSED = qr/^the webhook's signature is not valid$/;

# valid(payload, header, what else...): as psql shows a boolean.
sub valid
{
	my ($bytes, $header, $more) = @_;
	return value($s, sprintf 'SELECT stripe_webhook_is_valid(%s, %s%s)', bytes($bytes), literal($header), $more // '');
}

#
# The official package signs; random payloads of every kind of content.
#
my @texts = ('{}', '', ' ', '{"id":"evt_1"}', "{\n  \"a\": \"\x{e9}\x{65e5}\x{1f389}\"\n}\r\n", '"' . 'x' x 70_000 . '"');
srand 84;
foreach (1 .. 60)
{
	my $length = int rand 300;
	push @texts, join '', map { chr((32 + int rand 95, 0xa0 + int rand 700, 0x4e00 + int rand 9000, 0x1f300 + int rand 500)[ int rand 4 ]) } 1 .. $length;
}
my @secrets = map { 'whsec_' . join '', map { chr(33 + int rand 94) } 1 .. 1 + int rand 60 } @texts;
my $now     = time;
my $script  = <<'JS';
import { createRequire } from 'node:module';
const Stripe = createRequire(process.argv[2])('stripe');
const { webhooks } = new (Stripe.default ?? Stripe)('sk_test_x');
let input = '';
for await (const chunk of process.stdin) input += chunk;
const { payloads, secrets, timestamp } = JSON.parse(input);
console.log(JSON.stringify(payloads.map((payload, i) =>
  webhooks.generateTestHeaderString({ payload, secret: secrets[i], timestamp }))));
JS
my $input = JSON::PP->new->ascii->encode({ payloads => \@texts, secrets => \@secrets, timestamp => $now });
my $file  = PostgreSQL::Test::Utils::tempdir() . '/sign.mjs';
PostgreSQL::Test::Utils::append_to_file($file, $script);
my ($output, $errors) = ('', '');
IPC::Run::run([ 'node', $file, $packages ], '<', \$input, '>', \$output, '2>', \$errors) or die $errors;
my $headers = decode_json($output);
my $wrong   = 0;
my $changed = 0;

foreach my $i (0 .. $#texts)
{
	my $bytes = $texts[$i];
	utf8::encode($bytes);
	my $more = sprintf ', secret => %s, at => to_timestamp(%d)', literal($secrets[$i]), $now;
	my $other = $bytes . ' ';
	substr($other, int rand length $bytes, 1) ^= "\x01" if length $bytes;
	my $answer = value($s, sprintf 'SELECT stripe_webhook_is_valid(%s, %s%s), stripe_webhook_is_valid(%s, %s%s), stripe_webhook_is_valid(%s, %s%s)',
		bytes($bytes), literal($headers->[$i]), $more, literal($bytes), literal($headers->[$i]), $more, bytes($other), literal($headers->[$i]), $more);
	$wrong++   if $answer !~ /^t\|t\|/;
	$changed++ if $answer !~ /\|f$/;
}
is($wrong, 0, scalar(@texts) . ' payloads signed by the official package are accepted, as bytes and as text');
is($changed, 0, 'and with a byte changed or added refused');
ok((grep { sign('{}', secret => $secrets[0], at => $now) eq $_ } @$headers), 'the tests sign as the official package does');

SKIP:
{
	my $maker = value($s, q{SELECT count(*) FROM pg_proc WHERE proname ~ '^stripe_.*sign'});
	skip 'no SQL function makes signatures; those of the C function are compared with the package\'s vectors by test/unit/test_signature.c', 1
	  unless $maker;
	fail('a function that makes signatures is to be held against the official package');
}

#
# The account's own secret, from the server's environment.
#
my $event = event('customer.created', { id => 'cus_1', object => 'customer' });
my $body  = payload($event);
is(valid($body, sign($body)), 't', 'the secret of the environment');
is(value($s, sprintf q{SELECT stripe_verify_webhook(%s, %s) ->> 'id'}, bytes($body), literal(sign($body))), $event->{id},
	'a payload that is verified is returned');
is(value($s, sprintf q{SELECT stripe_verify_webhook(%s, %s) ->> 'id'}, literal($body), literal(sign($body))), $event->{id}, 'as text, too');
is(value($s, 'SELECT count(*) FROM stripe.events'), 0, 'and not stored');
is(valid($body, sign($body, secret => 'whsec_other')), 'f', 'another secret');
is(valid($body, sign($body), q{, account => 'default'}), 't', 'the account by name');
raises($s, sprintf(q{SELECT stripe_webhook_is_valid(%s, %s, account => 'club')}, bytes($body), literal(sign($body))), 'ST010',
	'an account without secret');

#
# Each refusal has its own reason, the same for verifying and taking in.
#
my $good   = sign($body);
my ($t)    = $good =~ /t=(\d+)/;
my ($hex)  = $good =~ /v1=(\w+)/;
my %reason = (
	''                             => qr/^The signature header is missing or empty\.$/,
	"v1=$hex"                      => qr/^The signature header has no timestamp\.$/,
	"t=abc,v1=$hex"                => qr/^The timestamp in the signature header is not a number of seconds\.$/,
	"t=,v1=$hex"                   => qr/^The timestamp in the signature header is not a number of seconds\.$/,
	"t=$t"                         => qr/^The signature header has no signature of scheme v1\.$/,
	"t=$t,v0=$hex"                 => qr/^The signature header has no signature of scheme v1\.$/,
	"t=$t, v1=$hex"                => qr/^The signature header has no signature of scheme v1\.$/,
	"t=$t,v1=" . uc $hex           => qr/^No signature in the header matches the payload and a signing secret\.$/,
	"t=$t,v1="                     => qr/^No signature in the header matches the payload and a signing secret\.$/,
	"t=$t,v1=${hex}0"              => qr/^No signature in the header matches the payload and a signing secret\.$/,
	'x' x 100_000                  => qr/^The signature header is too long\.$/,
	sign($body, at => $now - 3600) => qr/^The signature is older than the tolerance allows\.$/,
	sign($body, at => $now + 3600) => qr/^The signature is further in the future than the tolerance allows\.$/);
foreach my $header (sort keys %reason)
{
	my $name = length $header > 60 ? substr($header, 0, 40) . '...' : "\"$header\"";
	foreach my $function ('stripe_verify_webhook', 'stripe_ingest_webhook')
	{
		raises($s, sprintf("SELECT $function(%s, %s)", bytes($body), literal($header)), 'ST009', "$function $name",
			message => $REFUSED, detail => $reason{$header});
	}
	is(valid($body, $header), 'f', "not valid: $name");
}
foreach my $secret ('', ' ', "\t\n")
{
	raises($s, sprintf('SELECT stripe_verify_webhook(%s, %s, secret => %s)', bytes($body), literal($good), literal($secret)), 'ST009',
		'a blank secret', detail => qr/^There is no webhook signing secret, or it is blank\.$/);
}
raises($s, sprintf('SELECT stripe_verify_webhook(%s, %s, secret => %s)', bytes($body), literal($good), literal("$MemberPulse::Webhook::SECRET\n")), 'ST009',
	'a secret with a line break', detail => qr/space or a line break/);
raises($s, sprintf('SELECT stripe_verify_webhook(%s, NULL)', bytes($body)), 'ST009', 'no header at all', detail => $reason{''});
is(value($s, sprintf 'SELECT stripe_webhook_is_valid(%s, NULL)', bytes($body)), 'f', 'which is not valid');
raises($s, q{SELECT stripe_verify_webhook(NULL::bytea, 't=1')}, '22004', 'no payload at all', message => qr/"payload" of stripe_verify_webhook\(\)/);
raises($s, sprintf(q{SELECT stripe_verify_webhook(%s, %s, at => 'infinity')}, bytes($body), literal($good)), '22023', 'an infinite moment');
is(value($s, 'SELECT count(*) FROM stripe.events'), 0, 'nothing refused is stored');

# Only who can sign is told about content or clock.
raises($s, sprintf('SELECT stripe_verify_webhook(%s, %s)', bytes('no json'), literal(sign('no json', secret => 'x', at => 5))), 'ST009',
	'a bad signature is all that is told', detail => qr/^No signature/);
raises($s, sprintf('SELECT stripe_verify_webhook(%s, %s)', bytes('no json'), literal(sign('no json'))), '22P02',
	'what is signed well must be readable', detail => qr/^The signature is valid/);

#
# Tolerance.
#
sub at { my ($offset) = @_; return sprintf ', secret => %s, at => to_timestamp(%d)', literal($MemberPulse::Webhook::SECRET), $t + $offset }

is(join('', map { valid($body, $good, at($_)) } -301, -300, 0, 300, 301), 'ftttf', 'five minutes either way, to the second');
value($s, 'SET memberpulse_stripe.webhook_tolerance = 10');
is(join('', map { valid($body, $good, at($_)) } -11, -10, 10, 11), 'fttf', 'as the setting says');
value($s, 'SET memberpulse_stripe.webhook_tolerance = 0');
is(join('', map { valid($body, $good, at($_)) } -1e8, 1e8), 'tt', 'none: the clock does not matter');
is(valid($body, sign($body, at => 5)), 't', 'nor the server\'s');
value($s, 'RESET memberpulse_stripe.webhook_tolerance');

#
# A secret is rolled: two are good, and with either header of two.
#
my ($old, $new) = ('whsec_OldSecretOfTheEndpoint01', 'whsec_NewSecretOfTheEndpoint02');
my $both = sign($body, secret => 'whsec_unknown', at => $now) . sign($body, secret => $new, at => $now) =~ s/^t=\d+//r . ',v0=' . '0' x 64;

value($s, qq{SELECT stripe_set_credentials(webhook_secret => '$old')});
is(valid($body, sign($body)), 'f', 'a secret that is set replaces that of the environment');
is(valid($body, sign($body, secret => $old)), 't', 'by itself');
is(valid($body, $both), 'f', 'the next one is not known yet');
value($s, qq{SELECT stripe_set_credentials(webhook_secret => '$new', webhook_overlap => '1 hour')});
is(valid($body, sign($body, secret => $old)), 't', 'while it is rolled the old one is good');
is(valid($body, sign($body, secret => $new)), 't', 'and the new one');
is(valid($body, $both), 't', 'and one of several signatures is enough');
is(valid($body, sign($body, secret => 'whsec_unknown')), 'f', 'a third is not');
is(state_of($s, $event, secret => $old), 'applied', 'an event signed with the old one is taken in');

# A session that knew the old one forgets it when its time is over.
$node->safe_psql('postgres', q{UPDATE stripe.credentials SET expires_at = now() + '2 seconds' WHERE purpose = 'webhook_secret' AND serial <> 0});
wait_until(sub { valid($body, sign($body, secret => $old)) eq 'f' }, 20, 'the end of the old secret');
pass('the old one ends by itself');
is(valid($body, sign($body, secret => $new)), 't', 'the new one stays');
raises($s, 'SELECT ' . deliver($event, secret => $old), 'ST009', 'taking in says the same', detail => qr/^No signature/);

my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
unlike($log, qr/TRAP:|PANIC|terminated by signal/, 'the server was well all along');

done_testing();
