# Checks.pm
#	  Assertions shared by the tests of the SQL surface: a statement's value,
#	  its error, and whether what was sent to the fake Stripe was in order.
#
# Example:
#
#	my $id = value($session, q{SELECT stripe_create_customer() ->> 'id'});
#	raises($session, q{SELECT stripe_get_payment('cus_1')}, '22023',
#		'a customer is no payment', detail => qr/pi_/);
#	requests_ok($fake);

package MemberPulse::Checks;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use File::Basename qw(basename dirname);
use File::Spec;
use IPC::Run ();
use JSON::PP;
use Test::More;

use PostgreSQL::Test::Utils;

our @EXPORT = qw(value raises forget_requests sent requests_ok);

# test/fake_stripe/honesty, seen from test/tap/lib/MemberPulse.
my $checker = File::Spec->rel2abs(
	dirname(__FILE__) . '/../../../fake_stripe/honesty/check-requests.mjs');
my %kept;

# What a statement that must not fail returns, as psql prints it.
sub value
{
	my ($session, $sql) = @_;
	my $result = $session->sql($sql);
	croak "$sql\n$result->{stderr}" unless $result->{ok};
	return $result->{stdout};
}

# raises(session, sql, sqlstate, name, part => pattern...): the statement fails
# that way; parts are message, detail, hint and context.  A test for each.
# Returns the error.
sub raises
{
	my ($session, $sql, $sqlstate, $name, %part) = @_;
	my $result = $session->sql($sql);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($result->{sqlstate}, $sqlstate, $name) or diag($result->{stderr});
	foreach my $part (sort keys %part)
	{
		like($result->{$part} // '(none)', $part{$part}, "$name: $part");
	}
	return $result;
}

# sent($fake, field => pattern...): requests since the last forget_requests,
# each as "METHOD /path body".
sub sent
{
	my ($fake, %want) = @_;
	return map { join ' ', grep { length } $_->{method}, $_->{path}, $_->{body} } $fake->requests(%want);
}

# Start a new recording; requests_ok sees the old one all the same.
sub forget_requests
{
	my ($fake) = @_;
	push @{ $kept{$fake} }, $fake->requests;
	$fake->clear_requests;
	return;
}

#
# One test: the official package could have sent all these requests, except
# those that were refused with 400.  The recording stays beside the test's
# logs, or goes to the directory that MP_RECORD_DIR names.
#
sub requests_ok
{
	my ($fake) = @_;
	my $dir = $ENV{MP_RECORD_DIR} // $PostgreSQL::Test::Utils::log_path;
	my $file = "$dir/requests-" . basename($0, '.pl') . '.json';
	my ($out, $err) = ('', '');

	forget_requests($fake);
	open my $handle, '>', $file or croak "$file: $!";
	print $handle JSON::PP->new->utf8->canonical->encode($kept{$fake});
	close $handle or croak "$file: $!";

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(IPC::Run::run([ 'node', $checker, $file ], '<', \undef, '>', \$out, '2>', \$err),
		'the official package could have sent these requests')
	  or diag("$out$err");
	note($out);
	return;
}

1;
