# 070_docs.pl
#	  The reference in README.md is complete and says nothing that is not there.
#
# What exists is read from the catalogs and, for SQLSTATEs, from src/error.h.
# So a new function, argument or setting fails here until it is documented.

use strict;
use warnings;

use File::Basename qw(basename dirname);
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $root   = File::Spec->rel2abs(dirname(__FILE__) . '/../../..');
my $readme = slurp_file("$root/README.md");
my $node   = new_node();

sub lines { my ($sql) = @_; return split /\n/, $node->safe_psql('postgres', $sql) }

my $members = q{
	SELECT p.oid, n.nspname, p.proname, p.proargnames, p.proargmodes
	  FROM pg_proc p
	  JOIN pg_namespace n ON n.oid = p.pronamespace
	  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	  JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'memberpulse_stripe'};

# Functions for applications, with all their arguments, by name and in order.
my @functions = lines(qq{
	SELECT m.proname || '(' || COALESCE((
			SELECT string_agg(a.name, ', ' ORDER BY a.n)
			  FROM unnest(m.proargnames, m.proargmodes::text[]) WITH ORDINALITY a(name, mode, n)
			 WHERE COALESCE(a.mode, 'i') = 'i'), '') || ')'
	  FROM ($members) m WHERE m.nspname <> 'stripe' ORDER BY 1});
cmp_ok(scalar @functions, '>', 20, 'there are functions');
foreach my $function (@functions)
{
	like($readme, qr/^\| `\Q$function\E`/m, "README.md has a row for $function");
}

# Helpers are named.
foreach my $function (lines(qq{SELECT DISTINCT m.proname FROM ($members) m WHERE m.nspname = 'stripe' ORDER BY 1}))
{
	like($readme, qr/`stripe\.$function[`(]/, "README.md names stripe.$function");
}

# What README.md documents exists: no row without its function.
my %exists = map { /^(\w+)/ ? ($1 => 1) : () } @functions;
my @documented = $readme =~ /^\| `(stripe_\w+)\(/mg;
is_deeply([ grep { !$exists{$_} } @documented ], [], 'every function that README.md has a row for exists');

# No document calls a function that is not there.
my %any = map { $_ => 1 } keys %exists, lines(qq{SELECT 'stripe.' || m.proname FROM ($members) m});
foreach my $file ("$root/README.md", "$root/CHANGELOG.md", sort glob "$root/doc/*.md")
{
	my @calls = slurp_file($file) =~ /\b(stripe_\w+|stripe\.\w+)\(/g;
	is_deeply([ grep { !$any{$_} } @calls ], [], basename($file) . ' calls only functions that exist');
}

# Views are what people are meant to read.
my @views = lines(q{SELECT relname FROM pg_class WHERE relnamespace = 'stripe'::regnamespace AND relkind = 'v' ORDER BY 1});
cmp_ok(scalar @views, '>', 6, 'there are views');
foreach my $view (@views)
{
	like($readme, qr/^\| `stripe\.\Q$view\E` \|/m, "README.md has a row for stripe.$view");
}

# Settings: LOAD defines them.
my @settings = lines(q{LOAD 'memberpulse_stripe'; SELECT name FROM pg_settings WHERE name LIKE 'memberpulse\_stripe.%' ORDER BY 1});
cmp_ok(scalar @settings, '>', 8, 'there are settings');
foreach my $setting (@settings)
{
	like($readme, qr/^\| `\Q$setting\E` \|/m, "README.md has a row for $setting");
}
is_deeply([ sort { $a cmp $b } $readme =~ /^\| `(memberpulse_stripe\.\w+)` \|/mg ], [ sort { $a cmp $b } @settings ],
	'every setting that README.md has a row for exists');

# SQLSTATEs: our own, and those of the server's that calls end with.
my %seen;
my @states = grep { !$seen{$_}++ }
  map { join '', /'(\w)'/g } slurp_file("$root/src/error.h") =~ /MAKE_SQLSTATE\(([^)]*)\)/g;
cmp_ok(scalar @states, '>=', 12, 'there are SQLSTATEs');
my $trouble = slurp_file("$root/doc/troubleshooting.md");
foreach my $state (@states, '08001', '08006', '08007', '57014')
{
	like($readme, qr/^\| $state \|/m, "README.md has a row for SQLSTATE $state");
	like($trouble, qr/^## .*\b$state\b/m, "troubleshooting.md has a section for SQLSTATE $state");
}

# Every source file has its line in src/README.md.
my $src = slurp_file("$root/src/README.md");
my %line = map { $_ => 1 } $src =~ /^\| `(\w+)` \|/mg;
my %file = map { basename($_) =~ s/\.[ch]$//r => 1 } glob "$root/src/*.[ch]";
is_deeply([ grep { !$line{$_} } sort { $a cmp $b } keys %file ], [], 'src/README.md has a line for each file');

# Links between the documents lead somewhere.
foreach my $file ("$root/README.md", "$root/CHANGELOG.md", "$root/src/README.md", "$root/bench/README.md", sort glob "$root/doc/*.md")
{
	my $text = slurp_file($file);
	my @broken;
	while ($text =~ /\]\(([^)\s]+)\)/g)
	{
		my ($target, $anchor) = split /#/, $1, 2;
		next if $target =~ /^https?:/;
		my $path = $target eq '' ? $file : dirname($file) . "/$target";
		push @broken, $1 and next unless -e $path;
		next unless defined $anchor;
		my %anchors = map { (lc($_) =~ s/[^\w\s-]//gr =~ s/\s/-/gr) => 1 } slurp_file($path) =~ /^#+ (.*)$/mg;
		push @broken, "$target#$anchor" unless $anchors{$anchor};
	}
	is_deeply(\@broken, [], basename(dirname($file)) . '/' . basename($file) . ': links lead somewhere');
}

done_testing();
