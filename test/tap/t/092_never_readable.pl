# 092_never_readable.pl
#	  No secret's bytes are anywhere after its use: not in a table or view, a
#	  statistic, the log with everything turned on, a dump, the WAL, any other
#	  file of the server, or the memory of the process that used it.
#
# Each search also looks for a word that must be found there, which shows that
# it can find.

use strict;
use warnings;

use File::Find ();
use MemberPulse::Checks;
use MemberPulse::Keys;
use MemberPulse::Protocol;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

# Each has a middle part of its own, which nothing may show either.
my %SECRET = (
	'the environment\'s secret key'     => 'sk_test_Env7QmB2xVuR9tLeYw4KpHs',
	'the environment\'s webhook secret' => 'whsec_Env3DhJ8nGzC5oTaXf6MiWq',
	'the key in a statement'            => 'sk_test_Spelt5Nf8bYcE3vGk9RqUxZ',
	'the key in a DO block'             => 'sk_test_Block2Wd6jTmA8hPs4LoBiN',
	'the key in EXPLAIN'                => 'sk_live_Plan9KsV3rHyD7eFq5GtCwM',
	'the key in a statement that fails' => 'sk_test_Typo4XzJ9pLaQ6uRm8EnVbH',
	'the key as a parameter'            => 'sk_test_Param8TgY2kWcS5fBx7DjOlZ',
	'the webhook secret as a parameter' => 'whsec_Param1VhR6mKeU9qNz3YaGdX',
	'the replaced webhook secret'       => 'whsec_Older5LbF7sJwC2tIo8PkQvT',
	'the key refused as a parameter'    => 'sk_live_Wrong6ReM4gZyH9cAd2UxKn');
my $CANARY = 'NightingaleThatMustBeFound';
my %part = map { $_ => $SECRET{$_} =~ s/^(?:[a-z]+_)+(.*)....$/$1/r } keys %SECRET;

# Names of the secrets of which a text has the middle part, as it is or in hex.
sub secrets_in
{
	my ($text, $more) = @_;
	my %find = (%part, %{ $more // {} });
	return grep { index($text, $find{$_}) >= 0 || index($text, unpack 'H*', $find{$_}) >= 0 } sort keys %find;
}

# One test: a text has the canary and no secret.
sub has_none
{
	my ($text, $name) = @_;
	my @found = secrets_in($text);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(index($text, $CANARY) >= 0, "$name shows what is no secret") or diag('of ' . length($text) . ' bytes');
	is("@found", '', "$name shows no secret");
	return;
}

my $known = "sk_test_$part{'the key as a parameter'}";
is_deeply([ secrets_in($_) ], ['the key as a parameter'], 'the search finds a secret')
  foreach "x$known", 'x' . unpack 'H*', $known;

my $fake = start_fake_stripe();
my $node = new_node(
	fake    => $fake,
	preload => 1,
	env     => { STRIPE_SECRET_KEY => $SECRET{'the environment\'s secret key'}, STRIPE_WEBHOOK_SECRET => $SECRET{'the environment\'s webhook secret'},
		STRIPE_PUBLISHABLE_KEY => undef },
	conf => join("\n",
		q{shared_preload_libraries = 'pg_stat_statements, auto_explain, memberpulse_stripe'}, 'pg_stat_statements.track = all',
		'log_statement = all', 'log_min_duration_statement = 0', 'log_error_verbosity = verbose', 'log_duration = on',
		'log_parameter_max_length = -1', 'log_parameter_max_length_on_error = -1',
		'auto_explain.log_min_duration = 0', 'auto_explain.log_analyze = on', 'auto_explain.log_verbose = on', 'auto_explain.log_nested_statements = on',
		'track_activity_query_size = 4096'));
my $master = master_key_file($node, 'first');
configure($node, master_key_file => $master);
my $s = $node->session;
value($s, 'CREATE EXTENSION pg_stat_statements');

# A server that starts at debug3 or less logs its own environment.
$node->append_conf('postgresql.conf', 'log_min_messages = debug5');
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('log_min_messages') = 'debug5'}) or die 'no reload';

#
# Use every secret
#
my $said = '';

sub attempt
{
	my ($session, $sql) = @_;
	my $r = $session->sql($sql);
	$said .= "$r->{stdout}\n$r->{stderr}\n";
	return $r;
}

sub key_used { return (($fake->requests)[-1]{headers}{authorization} // '(no request)') =~ s/^Bearer //r }

# What everybody with pg_monitor sees of a process.
sub activity
{
	my ($pid) = @_;
	return value($s, "SELECT query FROM pg_stat_activity WHERE pid = $pid");
}

value($s, qq{SELECT stripe_configure('$_')}) foreach qw(spelt block plan param);
value($s, qq{CREATE TABLE canary AS SELECT '$CANARY' AS word; SELECT stripe_create_customer(name => '$CANARY') IS NOT NULL; SELECT stripe_configure('param', currency => 'nzd') /* $CANARY */});
is(key_used(), $SECRET{'the environment\'s secret key'}, 'the environment\'s key is used');

my $idle = $node->session;
my $r = attempt($idle, qq{SELECT stripe_set_credentials('spelt', secret_key => '$SECRET{'the key in a statement'}')});
like($r->{stderr}, qr/WARNING.*spells out a key/, 'a key in a statement is warned of');
like(activity($idle->pid), qr/stripe_set_credentials\('spelt', secret_key => 'sk_test_\*+'\)/, 'and masked in pg_stat_activity');
my $c = $node->session;
ok(attempt($c, q{SELECT stripe_create_customer(account => 'spelt')})->{ok}, 'a call with it');
is(key_used(), $SECRET{'the key in a statement'}, 'uses it');

ok(attempt($c, qq{DO \$\$BEGIN PERFORM stripe_set_credentials('block', secret_key => '$SECRET{'the key in a DO block'}'); END\$\$})->{ok}, 'a key in a DO block');
is_deeply([ secrets_in(activity($c->pid)) ], [], 'is masked in pg_stat_activity');
ok(attempt($c, qq{EXPLAIN (ANALYZE, VERBOSE) SELECT stripe_set_credentials('plan', 'live', secret_key => '$SECRET{'the key in EXPLAIN'}')})->{ok}, 'a key in EXPLAIN');
is_deeply([ secrets_in(activity($c->pid)) ], [], 'is masked in pg_stat_activity');
$said = '';    # which repeated the plan to the one who asked for it

my $typo = $node->session;
my $mistake = qq{SELECT stripe_set_credentials('spelt', secret_kye => '$SECRET{'the key in a statement that fails'}')};
is($typo->sql($mistake)->{sqlstate}, '42883', 'a mistake in the name of an argument');
is_deeply([ secrets_in(activity($typo->pid)) ], [], 'leaves no key in pg_stat_activity');
is($typo->sql("/* $CANARY */ $mistake FROM nowhere")->{sqlstate}, '42P01', 'nor does another');
is_deeply([ secrets_in(activity($typo->pid)) ], [], 'in pg_stat_activity');
is($typo->sql("$mistake;;SELEC")->{sqlstate}, '42883', 'or two');
is_deeply([ secrets_in(activity($typo->pid)) ], [], 'in pg_stat_activity');

my $p = MemberPulse::Protocol->new($node);
my $SET = q{SELECT stripe_set_credentials($1, 'test', secret_key => $2, webhook_secret => $3)};
my $answer = $p->query($SET, 'param', $SECRET{'the key as a parameter'}, $SECRET{'the replaced webhook secret'});
like($answer->{rows}[0][0], qr/"secret_key": "OlZ"|"secret_key": "jOlZ"/, 'a key is set by parameters');
ok(!$p->query($SET, 'param', undef, $SECRET{'the webhook secret as a parameter'})->{error}, 'and a webhook secret replaced');
$answer = $p->query($SET, 'param', $SECRET{'the key refused as a parameter'}, undef);
is($answer->{error}{C}, 'ST012', 'one of the other mode is refused');
$said .= join ' ', map { $answer->{error}{$_} } grep { $_ ne 'W' } keys %{ $answer->{error} };
is($p->query('SELECT $1::text, 1 / (length($1) - length($1))', $SECRET{'the key as a parameter'})->{error}{C}, '22012', 'an error of the server itself, with a key as parameter');
is($p->query('SELECT $1::int', $SECRET{'the key as a parameter'})->{error}{C}, '22P02', 'and one that repeats it');
ok(!$p->query(q{SELECT length(stripe_create_customer(name => $2, account => $1)::text)}, 'param', $CANARY)->{error}, 'a call with it');
is(key_used(), $SECRET{'the key as a parameter'}, 'uses it');

# Errors on the way.
value($c, q{SET memberpulse_stripe.max_retries = 0; SET client_min_messages = debug5; SET log_min_messages = debug5});
foreach my $account (qw(default spelt param))
{
	my $call = qq{SELECT stripe_create_intent(2500, account => '$account', payment_method => '%s', confirm => true, return_url => 'https://club.example/')};
	is(attempt($c, sprintf $call, 'pm_card_chargeDeclined')->{sqlstate}, 'ST001', "a payment of $account is declined");
	foreach my $fault (qw(reset garbage server_error truncated))
	{
		$fake->fault({ type => $fault }, count => 9);
		ok(!attempt($c, sprintf $call, 'pm_card_visa')->{ok}, "one of $account fails: $fault");
		$fake->clear_faults;
	}
	my $key = { default => 'the environment\'s secret key', spelt => 'the key in a statement', param => 'the key as a parameter' }->{$account};
	$fake->fault({ type => 'status', status => 401, body => { error => { type => 'invalid_request_error', message => "Invalid API Key provided: $SECRET{$key}" } } });
	is(attempt($c, sprintf $call, 'pm_card_visa')->{sqlstate}, 'ST004', "Stripe repeats the key of $account");
	attempt($c, 'SELECT stripe_last_error()');
	attempt($c, "SELECT * FROM stripe_test_connection('$account')");
}
my ($key) = value($s, 'SHOW memberpulse_stripe.master_key_file');
rename $key, "$key.away";
my $locked = $node->session;
is(attempt($locked, q{SELECT stripe_create_customer(account => 'param')})->{sqlstate}, 'ST010', 'the master key is away');
rename "$key.away", $key;
$said .= $CANARY;
has_none($said, 'no answer or error');

#
# Memory of processes that called, when they wait for the next statement
#
sub memory
{
	my ($pid) = @_;
	open my $maps, '<', "/proc/$pid/maps" or return;
	open my $mem, '<:raw', "/proc/$pid/mem" or return;
	my $all = '';
	while (<$maps>)
	{
		my ($from, $to, $mode) = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/ or next;
		next unless $mode =~ /^rw/ && !m{/dev/shm/|/dev/zero|SYSV};
		my ($start, $length) = (hex $from, hex($to) - hex($from));
		sysseek $mem, $start, 0 or next;
		my $got = 0;
		while ($got < $length) { $got += sysread($mem, $all, $length - $got, length $all) || last }
	}
	return $all;
}

SKIP:
{
	my $reader = $node->session;
	skip 'memory of other processes is not to be read here', 1 unless memory($reader->pid);

	my $bytes = slurp_file($master);
	my %with_master = ('the master key' => $bytes, %SECRET);
	foreach my $account (qw(default param spelt))
	{
		my $caller = $node->session;
		value($caller, qq{PREPARE kept AS SELECT '$CANARY'});
		value($caller, qq{SELECT stripe_create_customer(account => '$account') ->> 'object'}) foreach 1 .. 3;
		$fake->fault({ type => 'reset' }, count => 3);
		$caller->sql(qq{SET memberpulse_stripe.max_retries = 0; SELECT stripe_create_customer(account => '$account')});
		$fake->clear_faults;
		$caller->sql(qq{SELECT stripe_get_payment('pi_none', account => '$account')});
		my $image = memory($caller->pid);
		ok(index($image, $CANARY) >= 0, "the memory of a process that called for $account can be searched");
		my @found = secrets_in($image, \%with_master);
		is("@found", '', "and holds no secret: $account");

		# While a call waits for its answer, too, nothing but the request's own
		# buffers may: afterwards they are gone.
		$fake->fault({ type => 'hang_headers' });
		$caller->send(qq{SELECT stripe_create_customer(account => '$account')});
		wait_until(sub { value($s, 'SELECT wait_event_type FROM pg_stat_activity WHERE pid = ' . $caller->pid) eq 'Extension' }, 30, 'the call');
		value($s, 'SELECT pg_cancel_backend(' . $caller->pid . ')');
		is($caller->result->{sqlstate}, '57014', "a call for $account is cancelled");
		@found = secrets_in(memory($caller->pid), \%with_master);
		is("@found", '', "and leaves no secret: $account");
	}
	my $sealer = $node->session;
	my ($again) = master_key_file($node, 'second');
	configure($node, master_key_file => $again, old_master_key_file => $master);
	cmp_ok(value($sealer, 'SELECT stripe_reseal()'), '>', 3, 'credentials are resealed');
	my @found = secrets_in(memory($sealer->pid), { %with_master, 'the new master key' => slurp_file($again) });
	is("@found", '', 'the memory of the process that did it holds no secret');

	is_deeply([ secrets_in(slurp_file('/proc/' . $sealer->pid . '/environ')) ], [], 'nor does its environment');
}

#
# Every table and view, as a superuser sees them.  The rows are searched here,
# because a search there would be a statement with the secrets in it.
#
$node->append_conf('postgresql.conf', "log_min_messages = warning\nlog_statement = none\nlog_min_duration_statement = -1\nlog_duration = off\nauto_explain.log_min_duration = -1");
$node->reload;
my $relations = value($s, q{SELECT string_agg(format('%I.%I', n.nspname, c.relname), ' ' ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 't')});
my @relations = split ' ', $relations;
cmp_ok(scalar @relations, '>', 200, 'there are tables and views');
my %rows;
my ($status, $stdout, $stderr) = $node->psql('postgres', join("\n", map { "\\echo == $_\nSELECT ROW(t.*) FROM $_ t;" } @relations), on_error_stop => 0);
$rows{ $1 } = $2 while $stdout =~ /^== (\S+)\n(.*?)(?=^== |\z)/msg;
is(scalar(keys %rows), scalar @relations, 'all are searched');
is(join("\n", grep { /ERROR/ && !/pg_temp_|not in recovery|logical decoding/ } split /\n/, $stderr), '', 'without an error');
foreach my $relation (@relations)
{
	my @found = secrets_in($rows{$relation});
	next unless @found;
	fail("$relation shows @found");
	diag(grep { secrets_in($_) } split /^/, $rows{$relation});
}
ok(!(grep { secrets_in($_) } values %rows), 'no table or view shows a secret');
like($rows{$_}, qr/$CANARY/, "$_ shows what is no secret") foreach qw(public.canary stripe.customers);
like($rows{'public.pg_stat_statements'}, qr/stripe_set_credentials/, 'pg_stat_statements shows the statements');
like($rows{'pg_catalog.pg_stat_activity'}, qr/stripe_set_credentials/, 'so does pg_stat_activity');
like($rows{'pg_catalog.pg_settings'}, qr/memberpulse_stripe\.master_key_file/, 'pg_settings shows the settings');
like($rows{'stripe.access_audit'}, qr/credentials/, 'the audit trail shows that credentials were set');
like($rows{'stripe.credentials'}, qr/jOlZ/, 'the table shows the last four characters');

#
# Dumps
#
my ($dump, $error) = run_command([ $node->installed_command('pg_dump'), '-d', $node->connstr('postgres') ]);
like($dump, qr/COPY stripe\.credentials/, 'the credentials are dumped');
has_none($dump, 'a dump');
($dump) = run_command([ $node->installed_command('pg_dumpall'), '-d', $node->connstr('postgres') ]);
has_none($dump, 'a dump of all databases');

#
# The log, and every file of the server, the WAL first of all
#
my $log = slurp_file($node->logfile);
foreach my $line (q{statement: SELECT stripe_set_credentials\(}, q{execute <unnamed>: SELECT stripe_set_credentials\(}, q{parameters: \$1 = 'param', \$2 = 'sk_test_\*}, q{DEBUG: }, q{Query Text: }, q{duration: })
{
	like($log, qr/$line/, "the log has /$line/");
}
has_none($log, 'the log');
if (secrets_in($log))
{
	my @lines = grep { secrets_in($_) } split /^/, $log;
	diag(map { substr($_, 0, 300) . "\n" } @lines[ 0 .. ($#lines < 9 ? $#lines : 9) ]);
}
$node->stop;
my ($wal, $files, %bad) = ('', 0);
File::Find::find({ no_chdir => 1, wanted => sub {
	return unless -f;
	my $content = slurp_file($_);
	$wal .= $content if m{/pg_wal/};
	$files++;
	$bad{$_} = join ' ', secrets_in($content) if secrets_in($content);
} }, $node->data_dir);
has_none($wal, 'the WAL');
cmp_ok($files, '>', 500, 'there are other files');
is(join(', ', map { "$_: $bad{$_}" } sort keys %bad), '', 'and none holds a secret');
done_testing();
