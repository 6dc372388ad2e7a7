# Keys: from the environment or the credentials file, checked before use, and
# never shown.

use strict;
use warnings;

use POSIX ();

use MemberPulse::Checks;
use MemberPulse::Test;
use PostgreSQL::Test::Utils;
use Test::More;

my $fake = start_fake_stripe();
my $node = new_node(fake => $fake);
my $dir  = $node->data_dir;
my $file = $node->basedir . '/stripe keys';
my $CALL = q{SELECT stripe_request('GET', '/v1/customers') ->> 'object'};
my $KEY  = 'sk_test_configuredKey00000001';

# Nothing that could be part of a key.
my $secret_words = qr/configuredKey|Secret|[sr]k_(?:test|live)_|pk_(?:test|live)_|whsec_\w/;

sub environment
{
	my (%variables) = @_;
	$node->server_env(STRIPE_SECRET_KEY => undef, STRIPE_PUBLISHABLE_KEY => undef, STRIPE_WEBHOOK_SECRET => undef, %variables);
	$node->restart;
	return $node->session;
}

sub write_file
{
	my ($text, $mode) = @_;
	unlink $file;
	rmdir $file;
	open my $handle, '>', $file or die "$file: $!";
	binmode $handle;
	print $handle $text;
	close $handle;
	chmod $mode // 0600, $file or die "$file: $!";
	return;
}

# The key of the last request.
sub key_used
{
	my @requests = $fake->requests;
	forget_requests($fake);
	return @requests ? $requests[-1]{headers}{authorization} : '(no request)';
}

#
# The environment
#
my $s = environment(STRIPE_SECRET_KEY => $KEY);
is(value($s, $CALL), 'list', 'a secret key alone is enough');
is(key_used(), "Bearer $KEY", 'and is used');

$s = environment();
raises($s, $CALL, 'ST010', 'no key', message => qr/^no secret key of the test mode is configured for account "default"$/,
	hint => qr/^Set STRIPE_SECRET_KEY in the server's environment, name a file with "memberpulse_stripe\.credentials_file"/);
is(key_used(), '(no request)', 'nothing is sent');

my @bad = (
	[ 'STRIPE_SECRET_KEY', '', qr/is empty/ ],
	[ 'STRIPE_SECRET_KEY', 'pk_test_configuredKey0001', qr/is a publishable key/ ],
	[ 'STRIPE_SECRET_KEY', 'whsec_configuredKey0001', qr/is a webhook secret/ ],
	[ 'STRIPE_SECRET_KEY', 'configuredKey0001', qr/does not begin with "sk_test_", "sk_live_", "rk_test_" or "rk_live_"/ ],
	[ 'STRIPE_SECRET_KEY', 'sk_configuredKey0001', qr/does not begin with "sk_test_", "sk_live_", "rk_test_" or "rk_live_"/ ],
	[ 'STRIPE_SECRET_KEY', 'SK_TEST_configuredKey0001', qr/does not begin with "sk_test_", "sk_live_", "rk_test_" or "rk_live_"/ ],
	[ 'STRIPE_SECRET_KEY', ' sk_test_configuredKey0001', qr/contains a space or a line break/ ],
	[ 'STRIPE_SECRET_KEY', 'sk_test_configured Key0001', qr/contains a space or a line break/ ],
	[ 'STRIPE_SECRET_KEY', "sk_test_configuredKey0001\n", qr/contains a space or a line break/ ],
	[ 'STRIPE_SECRET_KEY', "sk_test_configuredKey0001\r\nStripe-Account: acct_1", qr/contains a space or a line break/ ],
	[ 'STRIPE_SECRET_KEY', "sk_test_configuredKey0001\t", qr/contains a space or a line break/ ],
	[ 'STRIPE_SECRET_KEY', "sk_test_configuredK\x{e9}y0001", qr/contains a character that no key has/ ],
	[ 'STRIPE_SECRET_KEY', "sk_test_configuredKey\x01", qr/contains a character that no key has/ ],
	[ 'STRIPE_SECRET_KEY', '"sk_test_configuredKey0001"', qr/does not begin with "sk_test_", "sk_live_", "rk_test_" or "rk_live_"/ ],
	[ 'STRIPE_SECRET_KEY', 'sk_test_', qr/is too short to be a key/ ],
	[ 'STRIPE_SECRET_KEY', 'sk_test_' . 'configuredKey' x 30, qr/is too long to be a key/ ],
	[ 'STRIPE_PUBLISHABLE_KEY', $KEY, qr/is a secret key/ ],
	[ 'STRIPE_PUBLISHABLE_KEY', 'configuredKey0001', qr/does not begin with "pk_test_" or "pk_live_"/ ],
	[ 'STRIPE_WEBHOOK_SECRET', $KEY, qr/is a secret key/ ],
	[ 'STRIPE_WEBHOOK_SECRET', 'configuredKey0001', qr/does not begin with "whsec_"/ ],
	[ 'STRIPE_WEBHOOK_SECRET', 'rk_live_configuredKey0001', qr/is a restricted key/ ]);

# A server for each would take long, so they are tried in the file, which goes
# through the same checks; a few in the environment, where a value may hold
# what no line of a file can.
foreach my $try (grep { $_->[1] eq '' || $_->[1] =~ /^pk_|\n/ } @bad)
{
	my ($name, $value, $why) = @$try;
	$s = environment(STRIPE_SECRET_KEY => $KEY, $name => $value);
	my $r = raises($s, $CALL, 'ST010', "environment: $name is '" . ($value =~ s/\s/ /gr) . "'",
		message => qr/^$name is not usable$/, detail => qr/^The value $why\.$/, hint => qr/without spaces or quotes/);
	unlike($r->{stderr} =~ s/"[a-z_]+_"//gr, $secret_words, 'the error does not show it');
	is(key_used(), '(no request)', 'and nothing is sent');
}
$s = environment(STRIPE_SECRET_KEY => 'sk_live_configuredKey0001', STRIPE_PUBLISHABLE_KEY => 'pk_test_configuredKey0001');
raises($s, $CALL, 'ST010', 'keys of two modes', message => qr/^the publishable key and the secret key are of different modes$/);
is(key_used(), '(no request)', 'nothing is sent');

# A live key is of the live mode.
$s = environment(STRIPE_SECRET_KEY => 'sk_live_configuredKey0001');
my $live = value($s, q{SELECT stripe_create_customer() ->> 'id'});
is(value($s, "SELECT livemode FROM stripe.customers WHERE id = '$live'"), 't', 'a live key makes live rows');
$s = environment(STRIPE_SECRET_KEY => 'rk_test_configuredKey0001');
$fake->register_key(key => 'rk_test_configuredKey0001');
is(value($s, $CALL), 'list', 'a restricted key is a secret key');
raises($s, "SELECT stripe_request('GET', '/v1/customers/$live')", 'ST012', 'with a test key, a live customer is not there');

#
# The credentials file, which goes before the environment.
#
$s = environment(STRIPE_SECRET_KEY => 'sk_test_fromTheEnvironment01');
write_file("# keys\n\nSTRIPE_SECRET_KEY=$KEY\nSTRIPE_PUBLISHABLE_KEY=pk_test_configuredKey0001\nSTRIPE_WEBHOOK_SECRET=whsec_configuredKey0001\n");
is(value($s, $CALL), 'list', 'without a file');
is(key_used(), 'Bearer sk_test_fromTheEnvironment01', 'the environment\'s key');

# Reload, and wait until this session has seen it.
sub reload
{
	my ($session) = @_;
	my $before = value($session, 'SELECT pg_conf_load_time()');
	$node->reload;
	wait_until(sub { value($session, 'SELECT pg_conf_load_time()') ne $before }, 10, 'the reload');
	return;
}
$node->append_conf('postgresql.conf', "memberpulse_stripe.credentials_file = '$file'");
reload($s);
is(value($s, $CALL), 'list', 'after a reload, the same session');
is(key_used(), "Bearer $KEY", 'has the file\'s key');

write_file("STRIPE_SECRET_KEY=sk_test_rolledKey0000001\n");
value($s, $CALL);
is(key_used(), "Bearer $KEY", 'a file that changed');
reload($s);
value($s, $CALL);
is(key_used(), 'Bearer sk_test_rolledKey0000001', 'is read again on reload');
write_file('STRIPE_SECRET_KEY=sk_test_noNewline00000001');
reload($s);
value($s, $CALL);
is(key_used(), 'Bearer sk_test_noNewline00000001', 'a last line need not end');
write_file("STRIPE_PUBLISHABLE_KEY=pk_test_configuredKey0001\n");
reload($s);
raises($s, $CALL, 'ST010', 'a file without the secret key', message => qr/^no secret key of the test mode is configured/);
is(key_used(), '(no request)', 'does not fall back on the environment');

# Files that are refused. Each try is after a reload, in the same session.
sub refused
{
	my ($what, $detail, $message) = @_;
	reload($s);
	my $r = raises($s, $CALL, 'ST010', "file: $what", message => $message // qr/^the credentials file is not usable$/, detail => $detail, hint => qr/\S/);
	unlike($r->{stderr} =~ s/"[a-z_]+_"//gr, $secret_words, "file: $what: no key is shown");
	is(key_used(), '(no request)', "file: $what: nothing is sent");
	return;
}
my $good = "STRIPE_SECRET_KEY=$KEY\n";
foreach my $mode (0644, 0640, 0604, 0660, 0620, 0602)
{
	write_file($good, $mode);
	refused(sprintf('mode %04o', $mode), qr/^Others than the server's user may read or change it\.$/);
}
write_file($good, 0400);
reload($s);
is(value($s, $CALL), 'list', 'mode 0400 is fine');
key_used();
SKIP:
{
	# A file of another owner that the server may still open; root's, if there
	# is one that anyone can read.
	my ($other) = grep { -f $_ && -r $_ && (stat)[4] != $> } '/etc/passwd', '/etc/hostname';
	skip 'no file of another user here', 5 unless defined $other;
	unlink $file;
	symlink $other, $file or die "$file: $!";
	refused('another owner', qr/^Others than the server's user may read or change it\.$/);
}
unlink $file;
refused('missing', qr/^The file could not be opened: No such file or directory\.$/);
mkdir $file, 0700;
refused('a directory', qr/^It is not a regular file\.$/);
rmdir $file;
POSIX::mkfifo($file, 0600) or die "$file: $!";
refused('a fifo', qr/^It is not a regular file\.$/);
unlink $file;
write_file('x' x 20000);
refused('too large', qr/^It is larger than \d+ bytes\.$/);
write_file("STRIPE_SECRET_KEY=$KEY\0\n");
refused('a zero byte', qr/^It holds a zero byte\.$/);
write_file("# keys\nSTRIPE_SECRET=$KEY\n");
refused('an unknown name', qr/^Line 2 is not NAME=value with a known name\.$/);
write_file("$KEY\n");
refused('no name', qr/^Line 1 is not NAME=value with a known name\.$/);
write_file("STRIPE_SECRET_KEY = $KEY\n");
refused('spaces around the sign', qr/^Line 1 is not NAME=value with a known name\.$/);
write_file("STRIPE_SECRET_KEY=$KEY\r\n");
refused('lines of Windows', qr/^The value contains a space or a line break\.$/, qr/^STRIPE_SECRET_KEY is not usable$/);
foreach my $try (grep { $_->[1] !~ /[\n\r]/ } @bad)
{
	my ($name, $value, $why) = @$try;
	write_file("$name=$value\n");
	refused("$name='$value'", qr/^The value $why\.$/, qr/^$name is not usable$/);
}
write_file("STRIPE_SECRET_KEY=sk_live_configuredKey0001\nSTRIPE_PUBLISHABLE_KEY=pk_test_configuredKey0001\n");
refused('two modes', qr/^\(none\)$/, qr/^the publishable key and the secret key are of different modes$/);

# And right again.
write_file($good);
reload($s);
is(value($s, $CALL), 'list', 'a good file at last');
is(key_used(), "Bearer $KEY", 'is used');

# Who may see and set the file's name.
value($s, 'CREATE ROLE ordinary LOGIN');
raises($s, q{SET memberpulse_stripe.credentials_file = '/etc/passwd'}, '55P02',
	'credentials_file is for the configuration file alone', message => qr/cannot be changed now/);
my $o = $node->session(user => 'ordinary');
value($s, q{GRANT EXECUTE ON FUNCTION stripe_last_error() TO ordinary});
value($o, 'SELECT stripe_last_error()');
raises($o, 'SHOW memberpulse_stripe.credentials_file', '42501', 'and its name for superusers');

requests_ok($fake);
done_testing();
