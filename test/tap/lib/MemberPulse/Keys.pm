# Keys.pm
#	  Master key files for tests that seal credentials.
#
# Example:
#
#	my $file = master_key_file($node, 'first');
#	configure($node, master_key_file => $file);

package MemberPulse::Keys;

use strict;
use warnings;

use Carp;
use Exporter 'import';

use MemberPulse::Test;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(master_key_file write_file configure);

# A file of 32 random bytes that only the server's user may read.
sub master_key_file
{
	my ($node, $name) = @_;
	open my $random, '<:raw', '/dev/urandom' or croak "/dev/urandom: $!";
	my $bytes;
	read($random, $bytes, 32) == 32 or croak 'no random bytes';
	return write_file($node->basedir . "/master_key_$name", $bytes);
}

# Writes a file anew, with mode 0600 unless given.  Returns its name.
sub write_file
{
	my ($file, $content, $mode) = @_;
	unlink $file;
	open my $handle, '>:raw', $file or croak "$file: $!";
	print $handle $content;
	close $handle or croak "$file: $!";
	chmod $mode // 0600, $file or croak "$file: $!";
	return $file;
}

# Settings of the extension, in the configuration file and in force in every
# session that waits; undef takes one away.  Names go without their prefix.
sub configure
{
	my ($node, %settings) = @_;
	foreach my $name (sort keys %settings)
	{
		$node->adjust_conf('postgresql.conf', "memberpulse_stripe.$name", undef);
		$node->append_conf('postgresql.conf', "memberpulse_stripe.$name = '$settings{$name}'") if defined $settings{$name};
	}
	# Once a new session knows, the signal is on its way to all others, who look
	# at it before their next statement.
	$node->reload;
	foreach my $name (sort keys %settings)
	{
		my $want = $settings{$name} // '';
		my $ask  = "LOAD 'memberpulse_stripe'; SELECT COALESCE(current_setting('memberpulse_stripe.$name'), '') = '$want'";
		wait_until(sub { $node->safe_psql('postgres', $ask) eq 't' }, 30, $name);
	}
	return;
}

1;
