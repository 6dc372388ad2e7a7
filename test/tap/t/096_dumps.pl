# 096_dumps.pl
#	  A dump brings back every account, credential, grant, payment, mirrored
#	  object and setting, in whatever format it is made and restored.

use strict;
use warnings;

use MemberPulse::Checks;
use MemberPulse::Keys;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $key  = master_key_file($node, 'first');
configure($node, master_key_file => $key);
my $s = $node->session;

#
# Something of everything
#
value($s, q{CREATE ROLE adm LOGIN; CREATE ROLE bill LOGIN; CREATE ROLE "Red ""Role""" LOGIN;
	SELECT stripe_configure('org1', currency => 'usd', tax_behavior => 'inclusive', statement_descriptor => 'ORG', payment_methods => '{card,debit}', grace_days => 3, renewal_slack => '12 hours', connected_account => 'acct_1Dump');
	SELECT stripe_configure('org2', mode => 'live');
	SELECT stripe_set_credentials('org1', 'test', 'pk_test_dumpKey00000001', 'sk_test_dumpKey00000002', 'whsec_dumpKey0000003');
	SELECT stripe_set_credentials('org1', 'test', webhook_secret => 'whsec_dumpKey0000004');
	SELECT stripe_set_credentials('org2', 'live', secret_key => 'sk_live_dumpKey00000005');
	SELECT stripe_grant('adm', 'admin', 'org1'); SELECT stripe_grant('bill', 'biller', 'org1'); SELECT stripe_grant('Red "Role"', 'reader', '*')});
foreach my $account ('org1', 'org2', 'default')
{
	my $how = $account eq 'org2' ? '' : q{payment_method => 'pm_card_visa', confirm => true, return_url => 'https://club.example/', };
	value($s, "SELECT stripe_create_intent(2500 + $_, ${how}order_type => 'event', order_id => 'T-$_', account => '$account') ->> 'id'")
	  foreach 1 .. 3;
	value($s, "SELECT stripe_ensure_customer('m-1', 'a\@club.example', name => E'Zoë \\\\ \\t\"tab\"', account => '$account')");
}
value($s, q{SELECT stripe_refund((SELECT payment_intent FROM stripe.payments WHERE account = 'org1' AND order_id = 'T-1'), 1000, account => 'org1');
	SELECT stripe_set_default_payment_method((SELECT id FROM stripe.customers WHERE account = 'org1'), (stripe_attach_payment_method('pm_card_visa', (SELECT id FROM stripe.customers WHERE account = 'org1'), account => 'org1')) ->> 'id', account => 'org1');
	SELECT stripe_delete_customer((SELECT id FROM stripe.customers WHERE account = 'org2'), account => 'org2');
	ALTER DATABASE postgres SET memberpulse_stripe.account = 'org1'});

# Everything the extension keeps, table by table, and what the catalogs say of
# who may do what; in a form that is the same wherever it is.
sub state_of
{
	my ($n, $dbname) = @_;
	my $tables = $n->safe_psql($dbname, q{SELECT string_agg(quote_ident(relname), ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'stripe'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'homes'});
	my %state;
	foreach my $table (split ' ', $tables)
	{
		$state{$table} = $n->safe_psql($dbname, "SELECT to_jsonb(t) FROM stripe.$table t ORDER BY to_jsonb(t)::text");
	}
	$state{homes} = $n->safe_psql($dbname, q{SELECT 1 FROM stripe.homes WHERE (system_identifier, database) IN (SELECT c.system_identifier::text, d.oid FROM pg_control_system() c, pg_database d WHERE d.datname = current_database())}) // '';
	$state{sequences} = $n->safe_psql($dbname, q{SELECT last_value, is_called FROM stripe.receipt_number; SELECT last_value, is_called FROM stripe.access_audit_id_seq});
	return { %state, catalogs_of($n, $dbname) };
}

sub catalogs_of
{
	my ($n, $dbname) = @_;
	return (
		privileges => $n->safe_psql($dbname, q{
			SELECT o.name, x.grantee::regrole::text, x.privilege_type FROM (
				SELECT p.oid::regprocedure::text AS name, p.proacl AS acl FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
				UNION ALL SELECT c.oid::regclass::text, c.relacl FROM pg_class c WHERE c.relnamespace = 'stripe'::regnamespace
				UNION ALL SELECT a.attrelid::regclass || '.' || a.attname, a.attacl FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'stripe'::regnamespace
				UNION ALL SELECT n.nspname, n.nspacl FROM pg_namespace n WHERE n.nspname = 'stripe') o, aclexplode(o.acl) x
			 ORDER BY 1, 2, 3}),
		policies => $n->safe_psql($dbname, q{SELECT polrelid::regclass::text, polname, polcmd, polroles, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY 1}),
		security => $n->safe_psql($dbname, q{SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relnamespace = 'stripe'::regnamespace AND relkind = 'r' ORDER BY 1}),
		triggers => $n->safe_psql($dbname, q{SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger ORDER BY 1, 2}),
		objects  => $n->safe_psql($dbname, q{SELECT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass WHERE d.deptype = 'e' AND extname = 'memberpulse_stripe' ORDER BY 1}));
}

my $want = state_of($node, 'postgres');
foreach my $table (qw(accounts credentials grants access_audit payments payment_intents charges refunds customers payment_methods policies privileges))
{
	like($want->{$table} // '', qr/./, "there is something in $table");
}
is(scalar(() = $want->{policies} =~ /own_account/g), scalar(() = $want->{policies} =~ /^/mg), 'every table has its policy once');

#
# Restored into another cluster, every way there is
#
my $other = new_node(fake => $fake, extension => 0, preload => 1);
my $dir = $node->basedir;
my ($roles) = run_command([ $node->installed_command('pg_dumpall'), '--roles-only', '-d', $node->connstr('postgres') ]);
write_file("$dir/roles.sql", $roles);
# Without ON_ERROR_STOP: the role that made the cluster is there already.
run_command([ $other->installed_command('psql'), '-Xq', '-f', "$dir/roles.sql", '-d', $other->connstr('postgres') ]);
is($other->safe_psql('postgres', q{SELECT count(*) FROM pg_roles WHERE rolname IN ('adm', 'bill', 'Red "Role"')}), '3', 'roles are restored first');

sub dump_to { my ($file, @options) = @_; return $node->command_ok([ 'pg_dump', '-f', "$dir/$file", @options, '-d', $node->connstr('postgres') ], "pg_dump @options") }
sub from_script { my ($db, $file) = @_; return [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/$file", '-d', $other->connstr($db) ] }
sub from_archive { my ($db, $file, @options) = @_; return [ 'pg_restore', '--exit-on-error', @options, '-d', $other->connstr($db), "$dir/$file" ] }

# One test for each part of the state, but for those left out.
sub is_restored
{
	my ($db, $how, @without) = @_;
	my $got = state_of($other, $db);
	my %leave = map { $_ => 1 } 'homes', @without;
	foreach my $part (grep { !$leave{$_} } sort keys %$want)
	{
		is($got->{$part}, $want->{$part}, "$how: $part");
	}
	return;
}

dump_to('plain.sql');
dump_to('archive', '-Fc');
dump_to('directory', '-Fd', '-j2');
dump_to('tar', '-Ft');
dump_to('inserts.sql', '--inserts', '--rows-per-insert=2');
dump_to('schema.sql', '--schema-only');
dump_to('data.sql', '--data-only');
dump_to('data', '--data-only', '-Fd', '-j2');
dump_to('create.sql', '--create');

my %restore = (
	plain     => [ 'psql' => from_script('plain', 'plain.sql') ],
	archive   => [ 'pg_restore' => from_archive('archive', 'archive') ],
	single    => [ 'in a single transaction' => from_archive('single', 'archive', '--single-transaction') ],
	parallel  => [ 'in parallel' => from_archive('parallel', 'directory', '-j2') ],
	tar       => [ 'from a tar file' => from_archive('tar', 'tar') ],
	inserts   => [ 'with inserts' => from_script('inserts', 'inserts.sql') ],
	data_only => [ '--data-only' => from_script('data_only', 'data.sql') ],
	data_dir  => [ '--data-only, in parallel' => from_archive('data_dir', 'data', '-j2') ],
	sections  => [ 'in sections' => from_archive('sections', 'archive', '--section=pre-data') ]);
foreach my $db (sort keys %restore)
{
	my ($how, $command) = @{ $restore{$db} };
	$other->safe_psql('postgres', "CREATE DATABASE $db");
	if ($db =~ /^data/)
	{
		$other->safe_psql($db, 'CREATE EXTENSION memberpulse_stripe');
	}
	$other->command_ok($command, "restored: $how");
	if ($db eq 'sections')
	{
		$other->command_ok(from_archive($db, 'archive', "--section=$_"), "restored: $_") foreach 'data', 'post-data';
	}
	# Rights are part of the schema; the data alone does not bring them.
	is_restored($db, $how, $db =~ /^data/ ? 'privileges' : ());
}

# The schema alone, and the data after it.
$other->safe_psql('postgres', 'CREATE DATABASE schema_first');
$other->command_ok(from_script('schema_first', 'schema.sql'), 'restored: --schema-only');
my %got = catalogs_of($other, 'schema_first');
is($got{$_}, $want->{$_}, "--schema-only: $_") foreach sort keys %got;
is($other->safe_psql('schema_first', 'SELECT count(*) FROM stripe.payments'), '0', '--schema-only brings no payments');
is($other->run_sql(q{SELECT stripe_configure('x') ->> 'mode'}, dbname => 'schema_first')->{stdout}, 'test', 'and can be used');
$other->safe_psql('schema_first', q{DELETE FROM stripe.accounts; TRUNCATE stripe.access_audit});
$other->command_ok(from_script('schema_first', 'data.sql'), 'restored: --data-only after it');
is_restored('schema_first', '--schema-only and --data-only');

# A database whose data came alone gets its rights by granting again.
is($other->safe_psql('data_only', q{SELECT count(stripe_grant(role::regrole::text::name, level, account)) FROM stripe.grants WHERE role::text !~ '"'}), '2', 'rights are granted again');
is($other->run_sql(q{SELECT count(*) FROM stripe.payments}, dbname => 'data_only', user => 'bill')->{stdout}, '3', 'and are in force');

#
# What is restored works
#
my %open = (dbname => 'plain');
is($other->run_sql(q{SELECT stripe_create_customer(account => 'org1') ->> 'object'}, %open)->{sqlstate}, 'ST010', 'without the key file credentials do not open');
my $wrong = master_key_file($other, 'wrong');
configure($other, master_key_file => $wrong);
my $r = $other->run_sql(q{SELECT stripe_create_customer(account => 'org1') ->> 'object'}, %open);
is($r->{sqlstate}, 'ST010', 'nor with another');
like($r->{message}, qr/does not hold the key that sealed/, 'which is said');
configure($other, master_key_file => $key);
is($other->run_sql(q{SELECT stripe_create_customer(account => 'org1') ->> 'object'}, %open)->{stdout}, 'customer', 'with the key file they do');
is(($fake->requests)[-1]{headers}{authorization}, 'Bearer sk_test_dumpKey00000002', 'and are the same');
is(($fake->requests)[-1]{headers}{'stripe-account'}, 'acct_1Dump', 'with the account\'s settings');
is($other->run_sql(q{SELECT stripe_create_intent(500, account => 'org2')}, %open)->{sqlstate}, 'ST010', 'a live account waits for adoption');
is($other->run_sql(q{SELECT string_agg(DISTINCT account, ',') FROM stripe.payments}, %open, user => 'bill')->{stdout}, 'org1', 'a biller sees the own account only');
is($other->run_sql(q{SELECT string_agg(DISTINCT account, ',' ORDER BY account) FROM stripe.payments}, %open, user => 'Red "Role"')->{stdout}, 'default,org1,org2', 'one for all sees all');
is($other->run_sql(q{SELECT stripe_refund('pi_1', account => 'org1')}, %open, user => 'bill')->{sqlstate}, '42501', 'and does not refund');
my $receipt = $other->run_sql(q{SELECT stripe_create_intent(700, account => 'org1') IS NOT NULL; SELECT max(right(receipt_number, 4)) FROM stripe.payments}, %open)->{stdout};
like($receipt, qr/^t\n0*10$/, 'receipt numbers go on where they were');
is($other->run_sql('SELECT stripe_reseal()', %open)->{stdout}, '0', 'nothing needs resealing');

# A dump of the restored database is like that of the first.
my %dumps;
foreach my $n ([ $node, 'postgres' ], [ $other, 'archive' ])
{
	my ($text) = run_command([ $n->[0]->installed_command('pg_dump'), '-d', $n->[0]->connstr($n->[1]) ]);
	$text =~ s/^COPY stripe\.homes.*?^\\\.$//ms;
	$dumps{ $n->[1] } = join "\n", sort grep { !/^(?:--|SELECT pg_catalog\.set_config|\\(?:un)?restrict)/ } split /\n/, $text;
}
is($dumps{archive}, $dumps{postgres}, 'a dump of what was restored is the same');
$s->quit;
done_testing();
