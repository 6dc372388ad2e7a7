# Node.pm
#	  A server of PostgreSQL::Test::Cluster whose environment holds Stripe
#	  keys, and statements whose errors come back in parts.

package MemberPulse::Node;

use strict;
use warnings;

use parent 'PostgreSQL::Test::Cluster';

use MemberPulse::Session;

my %KEYS = (
	STRIPE_SECRET_KEY      => 'sk_test_fakeSecretKeyForTests0001',
	STRIPE_PUBLISHABLE_KEY => 'pk_test_fakePublishableKeyForTests0001',
	STRIPE_WEBHOOK_SECRET  => 'whsec_fakeWebhookSecretForTests0001');

# The parent picks a class by the server's version; every version this
# extension knows is the parent's own.
sub new
{
	my ($class, @args) = @_;
	my $self = PostgreSQL::Test::Cluster->new(@args);
	$self->{server_env} = {%KEYS};
	return bless $self, $class;
}

# Variables the server gets at its next start; undef takes one away.
sub server_env
{
	my ($self, %variables) = @_;
	@{ $self->{server_env} }{ keys %variables } = values %variables;
	return;
}

sub start
{
	my ($self, @args) = @_;
	local %ENV = $self->env_of_server;
	return $self->SUPER::start(@args);
}

sub restart
{
	my ($self, @args) = @_;
	local %ENV = $self->env_of_server;
	return $self->SUPER::restart(@args);
}

sub env_of_server
{
	my ($self) = @_;
	my %env = (%ENV, %{ $self->{server_env} });
	delete $env{$_} foreach grep { !defined $env{$_} } keys %env;
	return %env;
}

#
# run_sql(statements, option => value...): in a session of its own.  Returns a
# hash:
#
#	stdout		rows, as psql -At prints them
#	ok			whether all went well
#	sqlstate	severity, sqlstate, message, detail, hint, context: of the
#				first error, undef where it has none
#	notices		array of the same for each notice and warning
#	stderr		all of it as it came
#
# Options: user, dbname, and variables, a hash of psql's.
#
sub run_sql
{
	my ($self, $sql, %option) = @_;
	my @params = ('-v', 'VERBOSITY=verbose');
	my %variables = %{ $option{variables} // {} };
	push @params, '-U', $option{user} if defined $option{user};
	push @params, '-v', "$_=$variables{$_}" foreach sort keys %variables;

	my ($status, $stdout, $stderr) =
	  $self->psql($option{dbname} // 'postgres', $sql, extra_params => \@params);
	return { stdout => $stdout, ok => $status == 0, MemberPulse::Session::parse_messages($stderr) };
}

# session(option => value...): a MemberPulse::Session, which stays.
sub session
{
	my ($self, %option) = @_;
	return MemberPulse::Session->new($self, %option);
}

1;
