# 060_readme_tour.pl
#	  What the documentation tells a reader to type works as it is written.
#
# Every block of README.md and doc/*.md that is marked "sql" is run, in its
# order, in one psql session for each file.  No statement may fail, except in a
# block whose first line is "-- fails with SQLSTATE": that one must.

use strict;
use warnings;

use File::Basename qw(basename dirname);
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = File::Spec->rel2abs(dirname(__FILE__) . '/../../..');
my $fake = start_fake_stripe();
my $node = new_node(fake => $fake, extension => 0, conf => master_key());

# Sealed credentials are part of what is told, so there is a master key.
sub master_key
{
	my $file = PostgreSQL::Test::Utils::tempdir() . '/master.key';
	open my $out, '>:raw', $file or die "$file: $!";
	print $out join '', map { chr(($_ * 7) % 256) } 1 .. 32;
	close $out or die "$file: $!";
	chmod 0600, $file or die "$file: $!";
	return "memberpulse_stripe.master_key_file = '$file'";
}

# Blocks marked "sql", each with the line it begins at.
sub blocks
{
	my ($file) = @_;
	my (@blocks, $inside);
	my $n = 0;
	foreach my $line (split /\n/, slurp_file($file))
	{
		$n++;
		if ($line =~ /^```sql$/) { push @blocks, { line => $n, text => '' }; $inside = 1 }
		elsif ($line =~ /^```/) { $inside = 0 }
		elsif ($inside) { $blocks[-1]{text} .= "$line\n" }
	}
	return @blocks;
}

my %session;

foreach my $file ("$root/README.md", sort glob "$root/doc/*.md")
{
	my @blocks = blocks($file) or next;
	my $name = basename($file);
	my $database = 'tour_' . ($name =~ s/\W/_/gr);

	$fake->reset;
	$node->safe_psql('postgres', qq{CREATE DATABASE "$database"});
	$node->safe_psql($database, 'CREATE EXTENSION memberpulse_stripe') if $name ne 'README.md';
	my $session = $session{$name} = $node->session(dbname => $database);
	foreach my $block (@blocks)
	{
		my ($wanted) = $block->{text} =~ /\A-- fails with (\w{5})\n/;
		my $result = $session->sql($block->{text});
		is($result->{sqlstate}, $wanted, "$name:$block->{line}: " . (defined $wanted ? "fails with $wanted" : 'works'))
		  or diag("$block->{text}\n$result->{stderr}");
	}
}

ok(exists $session{'README.md'}, 'README.md has a tour');
ok(exists $session{'cookbook.md'}, 'the cookbook has recipes');

# The tour did what it says it does.
sub orders
{
	my ($name) = @_;
	my $result = $session{$name}->sql(
		q{SELECT order_type, order_id, status, amount, amount_refunded FROM stripe.payments ORDER BY order_type, order_id});
	return $result->{stdout};
}
is(orders('README.md'), join("\n", 'course|C-3|failed|900|0', 'event|T-17|partially_refunded|2500|1000',
		'membership|m-42/2027|completed|12000|0'), 'the payments that README.md takes');
is($session{'README.md'}->sql('SELECT count(*) FROM stripe.customers')->{stdout}, 1, 'and its one customer');

sub answer { my ($name, $sql) = @_; return $session{$name}->sql($sql)->{stdout} }

is(answer('README.md', q{SELECT membership_id, status, stripe_membership_active(membership_id) FROM stripe.memberships}),
	'm-42|active|t', 'and the member it lets in');
cmp_ok(answer('README.md', 'SELECT count(*) FROM stripe.events'), '>', 5, 'it takes in events');
foreach my $name (sort { $a cmp $b } keys %session)
{
	is(answer($name, q{SELECT id || ': ' || error FROM stripe.events WHERE state = 'failed'}), '', "$name: no event fails");
}
is(answer('cookbook.md', q{
	SELECT cause, status, access_until - now() > interval '12 days' FROM stripe.membership_history
	 WHERE account = 'rehearsal' ORDER BY serial}),
	join("\n", 'evt_1|active|t', 'evt_3|grace|f', 'stripe_override_membership|grace|t', 'stripe_override_membership|grace|f'),
	'what becomes of the membership in the cookbook');
is(answer('cookbook.md', q{
	SELECT m.grace_until = e.created + interval '7 days' FROM stripe.memberships m, stripe.events e
	 WHERE m.membership_id = 'm-42' AND e.id = 'evt_2'}), 't', 'and its grace is counted from the failed payment');

done_testing();
