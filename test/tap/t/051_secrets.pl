# No role reads a secret, by whatever the server shows or logs.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

# Parts of these words, long enough to be no accident, must not turn up.
my %SECRET = (
	STRIPE_SECRET_KEY     => 'sk_test_mustNotBeSeenSecret01',
	STRIPE_WEBHOOK_SECRET => 'whsec_mustNotBeSeenWebhook01');
my $leak = qr/mustNotBeSeen/;
my $file_leak = qr/neverShownFromFile/;

my $fake = start_fake_stripe();
my $node = new_node(
	fake    => $fake,
	preload => 1,
	env     => { %SECRET, STRIPE_PUBLISHABLE_KEY => 'pk_test_publicAnyway0001' },
	conf    => join "\n",
	'log_statement = all', 'log_error_verbosity = verbose', 'log_min_duration_statement = 0',
	'log_parameter_max_length = -1', 'log_parameter_max_length_on_error = -1', 'log_connections = on', 'log_disconnections = on',
	'debug_print_plan = on', 'track_activities = on', 'compute_query_id = on');

# Not from the start: a server that starts at debug3 logs its environment.
$node->append_conf('postgresql.conf', 'log_min_messages = debug5');
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('log_min_messages') = 'debug5'}) or die 'no reload';
my $s = $node->session;
value($s, q{CREATE ROLE monitor LOGIN IN ROLE pg_monitor; CREATE ROLE ordinary LOGIN});
value($s, q{SELECT stripe_grant('ordinary', 'admin'), stripe_grant('monitor', 'admin')});

#
# Calls of all sorts, by an ordinary role, so that there is something to leak.
#
my $o = $node->session(user => 'ordinary');
value($o, q{SET client_min_messages = debug5});
my $said = '';

sub attempt
{
	my ($sql, $session) = @_;
	my $r = ($session // $o)->sql($sql);
	$said .= "$r->{stdout}\n$r->{stderr}\n";
	return $r;
}

ok(attempt(q{SELECT stripe_create_customer(name => 'Ada')})->{ok}, 'a call succeeds');
is(($fake->requests)[-1]{headers}{authorization}, "Bearer $SECRET{STRIPE_SECRET_KEY}", 'with the key');
attempt(q{SET memberpulse_stripe.max_retries = 0});
is(attempt(q{SELECT stripe_create_intent(2500, payment_method => 'pm_card_chargeDeclined', confirm => true, return_url => 'https://club.example/')})->{sqlstate},
	'ST001', 'one is declined');
is(attempt(q{SELECT stripe_get_payment('pi_none')})->{sqlstate}, 'ST003', 'one finds nothing');
foreach my $fault (qw(reset reset_mid_body garbage huge redirect server_error))
{
	$fake->fault({ type => $fault }, count => 5);
	ok(!attempt(q{SELECT stripe_create_customer()})->{ok}, "one fails: $fault");
	$fake->clear_faults;
}
$fake->fault({ type => 'hang_headers' });
is(attempt(q{SET statement_timeout = '200ms'; SELECT stripe_create_customer()})->{sqlstate}, '57014', 'one is cancelled');
attempt(q{RESET statement_timeout});
$fake->fault({ type => 'status', status => 401, body => { error => { type => 'invalid_request_error',
				message => "Invalid API Key provided: $SECRET{STRIPE_SECRET_KEY}" } } });
is(attempt(q{SELECT stripe_create_customer()})->{sqlstate}, 'ST004', 'one is answered with the key in the message');
attempt(q{SELECT stripe_last_error()});
$fake->fault({ type => 'status', status => 400, headers => { 'Request-Id' => $SECRET{STRIPE_SECRET_KEY} }, body => { error => { type => $SECRET{STRIPE_SECRET_KEY},
				code => $SECRET{STRIPE_SECRET_KEY}, param => $SECRET{STRIPE_WEBHOOK_SECRET}, doc_url => $SECRET{STRIPE_SECRET_KEY} } } });
is(attempt(q{SELECT stripe_create_customer()})->{sqlstate}, 'ST003', 'one with the key everywhere');
attempt(q{SELECT stripe_last_error()});
foreach my $base ($fake->wrong_host, $fake->expired, $fake->unknown_ca, 'https://localhost:1')
{
	value($s, "SET memberpulse_stripe.api_base = '$base'");
	is(attempt(q{SELECT stripe_create_customer()}, $s)->{sqlstate}, '08001', "one cannot connect to $base");
}
value($s, 'RESET memberpulse_stripe.api_base');
ok($said !~ $leak, 'no answer, error, context or debug message shows a secret');

#
# What roles can look at.
#
$fake->fault({ type => 'hang_headers' });
$o->send(q{SELECT stripe_create_customer()});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'ordinary' AND wait_event_type = 'Extension'})
  or die 'no call is waiting';
foreach my $role ('postgres', 'monitor', 'ordinary')
{
	my $session = $role eq 'postgres' ? $s : $node->session(user => $role);
	value($session, q{SELECT stripe_request('GET', '/v1/customers') ->> 'object'});
	foreach my $look (
		'SHOW ALL', 'SELECT * FROM pg_settings', 'SELECT * FROM pg_stat_activity', 'SELECT * FROM pg_db_role_setting',
		q{SELECT current_setting(name, true) FROM pg_settings}, 'SELECT * FROM pg_backend_memory_contexts', 'SELECT * FROM pg_prepared_statements',
		'SELECT * FROM pg_cursors', 'SELECT * FROM pg_file_settings', 'SELECT * FROM pg_config', 'SELECT * FROM pg_shmem_allocations',
		'SELECT * FROM pg_locks', 'SELECT stripe_last_error()', 'SELECT * FROM stripe.accounts', 'SELECT * FROM stripe.access_audit', 'SELECT * FROM stripe.credential_status')
	{
		# Who may not look at all sees nothing either.
		my $r = $session->sql($look);
		unlike("$r->{stdout} $r->{stderr}", $leak, "$role: $look");
	}
	is(value($session, q{SELECT count(*) > 5 FROM pg_settings WHERE name LIKE 'memberpulse_stripe.%'}), 't', "$role: settings are shown, secrets are none");
	foreach my $name (qw(secret_key stripe_secret_key api_key webhook_secret publishable_key master_key))
	{
		is($session->sql("SHOW memberpulse_stripe.$name")->{sqlstate}, '42704', "$role: there is no setting $name");
	}
}
my $activity = value($s, q{SELECT query FROM pg_stat_activity WHERE usename = 'ordinary' AND wait_event_type = 'Extension'});
like($activity, qr/stripe_create_customer/, 'pg_stat_activity shows the statement, not the request');

# The process's title, which every user of the machine can read.
SKIP:
{
	skip 'no /proc here', 2 unless -r "/proc/$$/cmdline";
	my @titles = map { slurp_file("/proc/$_/cmdline") } split /\n/, value($s, 'SELECT pid FROM pg_stat_activity WHERE pid IS NOT NULL');
	ok(@titles > 2, 'there are processes');
	unlike("@titles", $leak, 'no process shows a secret in its title');
}
value($s, q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'ordinary' AND wait_event_type = 'Extension'});
is($o->result->{sqlstate}, '57014', 'the waiting call is cancelled');

#
# What is stored, dumped, and left in files.
#
is( value($s, q{
	SELECT count(*) FROM information_schema.tables,
	       query_to_xml(format('SELECT count(*) AS n FROM %I.%I t WHERE t::text LIKE ''%%mustNotBe_een%%''', table_schema, table_name), false, true, '') x
	 WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE' AND (xpath('//n/text()', x))[1]::text <> '0'}),
	'0', 'no table has a secret');
my ($dump) = run_command([ $node->installed_command('pg_dump'), '-d', $node->connstr('postgres') ]);
like($dump, qr/CREATE EXTENSION IF NOT EXISTS memberpulse_stripe/, 'a dump');
unlike($dump, $leak, 'has no secret');
my $written = join "\n", map { slurp_file($_) } glob($node->data_dir . '/*.conf'), glob($node->data_dir . '/postmaster.*');
unlike($written, $leak, 'nor have the server\'s files');

#
# The credentials file: neither its content nor, in errors, what was wrong in it.
#
my $file = $node->basedir . '/keys';
append_to_file($file, "STRIPE_SECRET_KEY=sk_test_neverShownFromFile1\n");
chmod 0600, $file;
$node->append_conf('postgresql.conf', "memberpulse_stripe.credentials_file = '$file'");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('memberpulse_stripe.credentials_file') = '$file'") or die 'no reload';
$o = $node->session(user => 'ordinary');
value($o, 'SET client_min_messages = debug5');
my $r = $o->sql(q{SELECT stripe_request('GET', '/v1/customers')});
ok($r->{ok}, 'a call with the key of the file');
unlike("$r->{stdout}$r->{stderr}", $file_leak, 'shows nothing of it');
append_to_file($file, "neverShownFromFile2=neverShownFromFile3\n");
$r = $node->session(user => 'ordinary')->sql(q{SELECT stripe_request('GET', '/v1/customers')});
is($r->{sqlstate}, 'ST010', 'a broken file');
unlike($r->{stderr}, $file_leak, 'and nothing of its lines');

#
# The log, which had everything turned on.
#
my $log = slurp_file($node->logfile);
ok($log =~ /statement: SELECT stripe_create_customer\(name => 'Ada'\)/, 'the log has the statements');
ok($log =~ /DEBUG/, 'and debug messages');
ok($log !~ $leak, 'but no secret of the environment');
ok($log !~ $file_leak, 'nor of the file');

requests_ok($fake);
done_testing();
