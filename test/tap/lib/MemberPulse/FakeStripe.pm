# FakeStripe.pm
#	  A fake Stripe process that belongs to one test, and its admin calls.
#
# The process ends when this object goes, and also when the test is killed:
# its standard input is a pipe from here, and it leaves when that closes.

package MemberPulse::FakeStripe;

use strict;
use warnings;

use Carp;
use File::Basename qw(dirname);
use File::Spec;
use HTTP::Tiny;
use IO::Select;
use IPC::Open3 qw(open3);
use JSON::PP;
use POSIX ();
use Time::HiRes ();

use PostgreSQL::Test::Utils;

# This file is test/tap/lib/MemberPulse/FakeStripe.pm.
my $root    = File::Spec->rel2abs(dirname(__FILE__) . '/../../../..');
my $started = 0;
my $STARTUP = 60;

sub start
{
	my ($class, @args) = @_;
	my $name = 'fake_stripe_' . ++$started;
	my $log  = "$PostgreSQL::Test::Utils::log_path/$name." . basename_of_test() . '.log';

	open my $err, '>>', $log or die "$log: $!\n";
	my ($in, $out);
	my $pid = open3($in, $out, '>&' . fileno($err), "$root/script/fake-stripe", '--exit-on-stdin-close', '--quiet', @args);
	my $self = bless { pid => $pid, in => $in, out => $out, log => $log, owner => $$,
		json => JSON::PP->new->utf8, agent => HTTP::Tiny->new(timeout => 30) }, $class;

	my $line = $self->read_line
	  // croak "the fake Stripe did not start:\n" . PostgreSQL::Test::Utils::slurp_file($log);
	$self->{said} = $self->{json}->decode($line);
	return $self;
}

sub basename_of_test
{
	my ($name) = $0 =~ m{([^/]+?)(?:\.[^./]*)?$};
	return $name;
}

# The one line it prints when it is ready, or undef.
sub read_line
{
	my ($self)   = @_;
	my $select   = IO::Select->new($self->{out});
	my $deadline = Time::HiRes::time() + $STARTUP;
	my $line     = '';
	until ($line =~ /\n/)
	{
		my $left = $deadline - Time::HiRes::time();
		return if $left <= 0 || !$select->can_read($left);
		sysread($self->{out}, $line, 4096, length $line) or return;
	}
	return $line;
}

# Addresses: where it serves, and where it serves with a certificate that must
# be refused.
sub https      { return $_[0]{said}{https} }
sub http       { return $_[0]{said}{http} }
sub admin      { return $_[0]{said}{admin} }
sub wrong_host { return $_[0]{said}{wrong_host} }
sub expired    { return $_[0]{said}{expired} }
sub unknown_ca { return $_[0]{said}{unknown_ca} }

# File with the certificate of its authority.
sub ca { return $_[0]{said}{ca} }

# An admin call.  Returns the decoded answer; any failure dies.
sub admin_call
{
	my ($self, $method, $path, $body) = @_;
	my %request = defined $body
	  ? (content => $self->{json}->encode($body), headers => { 'content-type' => 'application/json' })
	  : ();
	my $answer = $self->{agent}->request($method, $self->admin . $path, \%request);
	croak "$method $path: $answer->{status} $answer->{content}" unless $answer->{success};
	return $answer->{content} =~ /\S/ ? $self->{json}->decode($answer->{content}) : undef;
}

sub admin_get    { my ($self, $path) = @_; return $self->admin_call('GET', $path) }
sub admin_post   { my ($self, $path, $body) = @_; return $self->admin_call('POST', $path, $body // {}) }
sub admin_delete { my ($self, $path) = @_; return $self->admin_call('DELETE', $path) }

# fault({type => ..., ...}, method => ..., path => ..., n => ..., count => ...):
# what goes wrong, and for which requests (any, once, unless given).
sub fault
{
	my ($self, $fault, %match) = @_;
	return $self->admin_post('/faults', { match => \%match, fault => $fault });
}

sub clear_faults { my ($self) = @_; return $self->admin_delete('/faults') }

# Requests since the start or the last clear_requests, oldest first, as a
# list.  With names and values, those whose field matches: a pattern, or text
# that is equal.
sub requests
{
	my ($self, %want) = @_;
	my $all = $self->admin_get('/requests');
	$all = $all->{requests} // $all->{data} if ref $all eq 'HASH';
	return grep {
		my $request = $_;
		!grep { ref $want{$_} ? ($request->{$_} // '') !~ $want{$_} : ($request->{$_} // '') ne $want{$_} } keys %want;
	} @$all;
}

sub clear_requests { my ($self) = @_; return $self->admin_delete('/requests') }

# Money it moved and objects it holds; see its README.
sub books       { my ($self) = @_; return $self->admin_get('/books') }
sub connections { my ($self) = @_; return $self->admin_get('/connections') }

# Register a key: restricted, revoked, expired, or of another account.
sub register_key { my ($self, %key) = @_; return $self->admin_post('/keys', \%key) }

# As if it had just been started.
sub reset { my ($self) = @_; return $self->admin_post('/reset') }

sub stop
{
	my ($self) = @_;
	return unless $self->{pid} && $self->{owner} == $$;
	local ($?, $!);
	my $pid = delete $self->{pid};
	close $self->{in};
	my $deadline = Time::HiRes::time() + 5;
	while (waitpid($pid, POSIX::WNOHANG()) == 0)
	{
		kill 'KILL', $pid if Time::HiRes::time() > $deadline;
		Time::HiRes::usleep(10_000);
	}
	return;
}

sub DESTROY { $_[0]->stop; return }

1;
