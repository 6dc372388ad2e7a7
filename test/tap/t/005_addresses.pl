# 005_addresses.pl
#	  The secret key goes to a server that proved who it is, and nowhere else:
#	  certificates, redirects, and what may be set as the API's address.

use strict;
use warnings;

use IO::Socket::INET;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

my $fake    = start_fake_stripe();
my $node    = new_node(fake => $fake);
my $session = $node->session;
my $get     = q{SELECT stripe_request('GET', '/v1/customers')->>'object'};
my $post    = q{SELECT stripe_request('POST', '/v1/customers', idempotency_key => 'address-1')};
my $HINT    = q{Check the server's clock and "memberpulse_stripe.ca_file"; a proxy that opens TLS connections is not supported.};

is($session->sql($get)->{stdout}, 'list', 'a good certificate is accepted');

#
# Certificates to refuse.
#
sub check_refused
{
	my ($what, $reason) = @_;
	foreach my $sql ($get, $post)
	{
		my $method = $sql eq $get ? 'GET' : 'POST';
		$fake->clear_requests;
		my $before = $fake->connections;
		my $result = $session->sql($sql);
		my $after  = $fake->connections;

		is($result->{sqlstate}, '08001', "$what, $method: SQLSTATE 08001");
		is($result->{message}, 'could not verify the certificate of the Stripe API', "$what, $method: message");
		like($result->{detail}, $reason, "$what, $method: detail says why");
		is($result->{hint}, $HINT, "$what, $method: hint");
		unlike($result->{stderr}, qr/outcome is unknown/, "$what, $method: nothing is unknown");
		is(scalar $fake->requests, 0, "$what, $method: no request was sent");
		is($after->{opened} - $before->{opened}, 1, "$what, $method: not tried again");
	}
	return;
}

my %bad = (
	'wrong host' => [ $fake->wrong_host, qr/no alternative certificate subject name matches target host name 'localhost'/ ],
	'expired'    => [ $fake->expired,    qr/certificate has expired/ ],
	'unknown CA' => [ $fake->unknown_ca, qr/unable to get local issuer certificate|self-signed certificate/ ]);
foreach my $what (sort keys %bad)
{
	my ($base, $reason) = @{ $bad{$what} };
	$session->sql("SET memberpulse_stripe.api_base = '$base'");
	check_refused($what, $reason);
	$session->sql('RESET memberpulse_stripe.api_base');
	is($session->sql($get)->{stdout}, 'list', "$what: the next call, to the right server, works");
}

# The same server by its address, which its certificate names too.
(my $port) = $fake->https =~ /:(\d+)$/;
is( $session->sql("SET memberpulse_stripe.api_base = 'https://127.0.0.1:$port'; $get")->{stdout},
	'list', 'an address that the certificate names is accepted');
$session->sql('RESET memberpulse_stripe.api_base');

# Without ca_file the system's authorities decide, and do not know the fake's.
# The connection made with ca_file must not be used again for this.
$session->sql(q{SET memberpulse_stripe.ca_file = ''});
check_refused('system authorities', qr/unable to get local issuer certificate|self-signed certificate/);
$session->sql('RESET memberpulse_stripe.ca_file');
is($session->sql($get)->{stdout}, 'list', 'with ca_file again, the call works');

# A file that is not there is told apart from a certificate that is bad.
$session->sql(q{SET memberpulse_stripe.ca_file = '/nonexistent/ca.pem'});
my $absent = $session->sql($post);
is($absent->{sqlstate}, '58000', 'ca_file is missing: SQLSTATE 58000');
like($absent->{hint}, qr/memberpulse_stripe\.ca_file/, 'ca_file is missing: hint');
like($absent->{detail}, qr/^After 1 attempt: /, 'ca_file is missing: not tried again');
unlike($absent->{stderr}, qr/outcome is unknown/, 'ca_file is missing: nothing is unknown');
$session->sql('RESET memberpulse_stripe.ca_file');

# TLS is spoken to an address that begins with https, whatever answers there.
$session->sql("SET memberpulse_stripe.max_retries = 0; SET memberpulse_stripe.api_base = 'https" . substr($fake->http, 4) . q{'});
$fake->clear_requests;
my $plain = $session->sql($post);
is($plain->{sqlstate}, '08001', 'no TLS at the other end: SQLSTATE 08001');
is(scalar $fake->requests, 0, 'no TLS at the other end: no request was sent');
$session->sql('RESET ALL');

#
# Redirects are refused, and the key does not follow them.
#
foreach my $status (301, 302, 303, 307, 308)
{
	foreach my $sql ($get, $post)
	{
		my $method = $sql eq $get ? 'GET' : 'POST';
		my $what   = "status $status, $method";
		$fake->clear_requests;
		$fake->fault({ type => 'redirect', status => $status, location => $fake->http . '/v1/customers?followed=yes' });
		my $result = $session->sql($sql);
		is($result->{sqlstate}, 'ST011', "$what: SQLSTATE ST011");
		is($result->{message}, 'Stripe answered with a redirect, which is not followed', "$what: message");
		is($result->{hint}, 'Check "memberpulse_stripe.api_base".', "$what: hint");
		my @sent = $fake->requests;
		is(scalar @sent, 1, "$what: one request");
		like($result->{detail}, qr/HTTP status $status: request \Q$sent[0]{request_id}\E\.$/, "$what: detail has the request id");
	}
}

#
# No proxy, whatever the server's environment says, and no other file of curl's.
#
my $trap = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5, Proto => 'tcp') or die "listen: $!";
my $proxy = 'http://127.0.0.1:' . $trap->sockport;
$node->server_env(map { $_ => $proxy } qw(http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY));
$node->restart;
my $proxied = $node->session;
is($proxied->sql($get)->{stdout}, 'list', 'with a proxy in the environment, TLS goes straight');
is($proxied->sql("SET memberpulse_stripe.api_base = '" . $fake->http . "'; $get")->{stdout},
	'list', 'with a proxy in the environment, plain HTTP goes straight');
$trap->blocking(0);
ok(!$trap->accept, 'nothing came to the proxy');
$proxied->quit;

#
# What the address may be.
#
$session = $node->session;
$session->sql(q{LOAD 'memberpulse_stripe'});
my @refused = (
	'http://api.stripe.com', 'http://example.org',
	'http://127.0.0.2',       'http://127.0.0.1.example.org',
	'http://localhost.example.org', 'http://127.0.0.1@example.org',
	'https://user@example.org', 'https://user:pw@api.stripe.com',
	'ftp://127.0.0.1',        'file:///etc/passwd',
	'https://',               'https://api.stripe.com/',
	'https://api.stripe.com/v1', 'https://api.stripe.com?x=1',
	'https://api.stripe.com#x',  'https://api.stripe.com:',
	'https://api.stripe.com:123456', 'https://api.stripe.com:8o',
	"https://api.stripe.com\nx", "https://api.stripe.com\r\nX: y",
	'https://api stripe com',   'https://[::1',
	'https://api.stripe.com\\@example.org', 'HTTP://example.org',
	'api.stripe.com',         '');
foreach my $base (@refused)
{
	(my $shown = $base) =~ s/([\r\n])/sprintf '\\x%02x', ord $1/ge;
	my $result = $session->sql("SET memberpulse_stripe.api_base = '$base'");
	is($result->{sqlstate}, '22023', "api_base '$shown' is refused");
	like($result->{detail} // '', qr/^(?:The address must|Plain http is accepted only for)/, "api_base '$shown': detail");
}
foreach my $base ('https://api.stripe.com', 'https://api.stripe.com:443', 'https://[::1]:8443', 'http://127.0.0.1', 'http://localhost:8080', 'http://[::1]:8080')
{
	my $result = $session->sql("SET memberpulse_stripe.api_base = '$base'; SHOW memberpulse_stripe.api_base");
	is($result->{stdout}, $base, "api_base '$base' is accepted");
}

# Before the library is loaded the server keeps any text for a setting it does
# not know.  At the load the value is refused.
my $early  = $node->session;
my $loaded = $early->sql("SET memberpulse_stripe.api_base = 'http://example.org'; LOAD 'memberpulse_stripe'; SHOW memberpulse_stripe.api_base");
is($loaded->{stdout}, $fake->https, 'api_base set to plain http before the library is loaded: refused at the load');
is($loaded->{notices}[0]{sqlstate}, '22023', 'api_base set to plain http before the library is loaded: a warning');

# An ordinary role can set none of this, before the load or after it.
$node->safe_psql('postgres', 'CREATE ROLE clerk LOGIN; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk');
my $clerk = $node->session(user => 'clerk');
my $ca    = $fake->ca;
$clerk->sql("SET memberpulse_stripe.api_base = 'https://example.org'; SET memberpulse_stripe.ca_file = '$ca.other'");
my $shown = $clerk->sql(q{LOAD 'memberpulse_stripe'});
$clerk->sql($get);
is($clerk->sql('SHOW memberpulse_stripe.api_base')->{stdout}, $fake->https, 'an ordinary role cannot redirect calls before the load');
is($clerk->sql('SHOW memberpulse_stripe.ca_file')->{stdout},  $ca,          'an ordinary role cannot trust another authority before the load');
foreach my $setting ('api_base', 'ca_file', 'max_response_size', 'api_version')
{
	is($clerk->sql("SET memberpulse_stripe.$setting TO DEFAULT")->{sqlstate}, '42501', "an ordinary role cannot set $setting");
}

done_testing();
