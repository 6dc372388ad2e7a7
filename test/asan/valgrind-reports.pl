#!/usr/bin/env perl
#
# valgrind-reports.pl
#	  Reads valgrind's logs and reports, as TAP, whether one of the errors in
#	  them is ours.
#
# Usage: valgrind-reports.pl LOG...
#
# An error is ours if its stack has a frame of the extension or of libcurl.
# The rest belongs to the server, which this project does not test.  A frame
# names the library, or the source file where debugging symbols are at hand.
#
use strict;
use warnings;

use File::Basename qw(basename);
use FindBin;

my $sources = join '|', map { quotemeta basename($_) } glob "$FindBin::Bin/../../src/*.c";
die "no sources beside $FindBin::Bin\n" unless $sources;
my $ours = qr/\((?:in \S*(?:memberpulse_stripe|libcurl)|(?:$sources):\d+\))/;
my $kind = qr/Invalid (?:read|write|free)|uninitialised|Mismatched free|definitely lost|Source and destination overlap|unaddressable byte/;

my ($logs, @errors) = (0);
foreach my $name (@ARGV)
{
	open my $in, '<', $name or die "$name: $!\n";
	$logs++;

	# Blank lines, after the process id, end a report.
	local $/;
	my $text = <$in> // '';
	$text =~ s/^==\d+== ?//mg;
	foreach my $report (split /\n[ \t]*\n/, $text)
	{
		push @errors, "$name:\n$report" if $report =~ $kind && $report =~ $ours;
	}
}

print "1..2\n";
print $logs > 1 ? 'ok' : 'not ok', " 1 - valgrind watched the server's processes ($logs logs)\n";
print @errors ? 'not ok' : 'ok', " 2 - no invalid access and no leak in the extension or libcurl\n";
print map { s/^/# /mgr . "\n" } @errors;
exit(@errors || $logs < 2 ? 1 : 0);
