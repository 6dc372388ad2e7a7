# Session.pm
#	  A psql that stays connected: statements can be sent without waiting, so
#	  that the test can do something else while they run.

package MemberPulse::Session;

use strict;
use warnings;

use Carp;
use IPC::Run;

use PostgreSQL::Test::Utils;

# Options: user, dbname, and timeout, the seconds a statement may take.
sub new
{
	my ($class, $node, %option) = @_;
	my $self = bless {
		in => '', out => '', err => '', sent => 0, done => 0,
		timer => IPC::Run::timer($option{timeout} // $PostgreSQL::Test::Utils::timeout_default) }, $class;

	my @psql = ($node->installed_command('psql'), '-XAtq', '-d', $node->connstr($option{dbname} // 'postgres'),
		'-v', 'VERBOSITY=verbose', '-v', 'ON_ERROR_STOP=0', '-f', '-');
	push @psql, '-U', $option{user} if defined $option{user};
	local %ENV = $node->_get_env();
	$self->{run} = IPC::Run::start(\@psql, '<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, $self->{timer});

	my $hello = $self->sql('SELECT pg_backend_pid()');
	croak "no session: $hello->{stderr}" unless $hello->{ok};
	$self->{pid} = $hello->{stdout};
	return $self;
}

# Process id of the backend.
sub pid { return $_[0]{pid} }

# Send statements and come back at once.  One result is waiting for each send.
sub send
{
	my ($self, $sql) = @_;
	my $mark = $self->mark(++$self->{sent});

	# A semicolon of their own, lest the mark becomes part of a statement.
	$self->{in} .= "$sql\n;\n\\echo $mark\n\\warn $mark\n";
	$self->{run}->pump_nb;
	return;
}

# Wait for the oldest send, and return a hash as MemberPulse::Node::run_sql's.
# A connection that ends meanwhile is a result like others.
sub result
{
	my ($self) = @_;
	my $mark = $self->mark(++$self->{done});
	croak 'nothing was sent' if $self->{done} > $self->{sent};

	$self->{timer}->start;
	until ($self->{out} =~ /^\Q$mark\E\n/m && $self->{err} =~ /^\Q$mark\E\n/m)
	{
		croak "a statement took too long: $self->{err}" if $self->{timer}->is_expired;
		last unless eval { $self->{run}->pump; 1 };
	}
	$self->{timer}->reset;
	my $out = take(\$self->{out}, $mark);
	my $err = take(\$self->{err}, $mark);
	my %messages = parse_messages($err);
	return { stdout => $out, ok => !defined $messages{message}, %messages };
}

sub sql
{
	my ($self, $sql) = @_;
	$self->send($sql);
	return $self->result;
}

# Whether the statements sent last have ended.
sub is_done
{
	my ($self) = @_;
	my $mark = $self->mark($self->{done} + 1);
	$self->{run}->pump_nb;
	return $self->{out} =~ /^\Q$mark\E\n/m;
}

sub quit
{
	my ($self) = @_;
	return unless $self->{run};
	$self->{in} .= "\\q\n";
	eval { $self->{run}->finish };
	delete $self->{run};
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $@);
	eval { $self->{run}->kill_kill } if $self->{run};
	return;
}

sub mark
{
	my ($self, $n) = @_;
	return "--end of statement $n--";
}

# Cut off what came before a mark, and the mark.
sub take
{
	my ($from, $mark) = @_;
	my $text;
	if ($$from =~ s/\A(.*?)^\Q$mark\E\n//ms) { $text = $1 }
	else { ($text, $$from) = ($$from, '') }
	$text =~ s/\n\z//;
	return $text;
}

#
# Take psql's verbose messages apart.  Returns names and values: stderr, the
# parts of the first error, and "notices", an array of hashes.
#
sub parse_messages
{
	my ($stderr) = @_;
	my (@messages, $field);

	foreach my $line (split /\n/, $stderr)
	{
		if ($line =~ /^(?:psql:\S*?(?::\d+)?: )?(ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|LOG|DEBUG):  (?:([0-9A-Z]{5}): )?(.*)$/)
		{
			push @messages, { severity => $1, sqlstate => $2, message => $3 };
			$field = 'message';
		}
		elsif ($line =~ /^psql:(?:\S*?:\d+:)? (?:error: |fatal: )?(.*)$/)
		{
			# psql's own words: the connection failed or is gone.
			push @messages, { severity => 'FATAL', sqlstate => undef, message => $1 };
			$field = 'message';
		}
		elsif (@messages && $line =~ /^(DETAIL|HINT|CONTEXT|QUERY|LOCATION):  (.*)$/)
		{
			$field = lc $1;
			$messages[-1]{$field} = $2;
		}
		elsif (@messages && $line =~ /^LINE \d+: /) { $field = 'position' }
		elsif (@messages && $field ne 'position') { $messages[-1]{$field} .= "\n$line" }
	}
	my ($error) = grep { $_->{severity} =~ /^(?:ERROR|FATAL|PANIC)$/ } @messages;
	my @notices = grep { $_->{severity} !~ /^(?:ERROR|FATAL|PANIC)$/ } @messages;
	return (
		stderr  => $stderr,
		notices => \@notices,
		map { $_ => $error ? $error->{$_} : undef } qw(severity sqlstate message detail hint context));
}

1;
