# Protocol.pm
#	  A client that speaks the server's protocol itself, for what psql cannot
#	  do: values sent as parameters, apart from the statement.
#
# Example:
#
#	my $client = MemberPulse::Protocol->new($node);
#	my $r = $client->query('SELECT $1 || $2', 'a', undef);
#	is($r->{rows}[0][0], undef);
#
# Speaks to servers on a Unix socket that trust their clients, as those of
# PostgreSQL::Test::Cluster do.

package MemberPulse::Protocol;

use strict;
use warnings;

use Carp;
use IO::Socket::UNIX;

sub new
{
	my ($class, $node, %option) = @_;
	my $path   = $node->host . '/.s.PGSQL.' . $node->port;
	my $socket = IO::Socket::UNIX->new(Peer => $path) or croak "$path: $!";
	my $self   = bless { socket => $socket }, $class;

	my %start = (user => $option{user} // scalar getpwuid($<), database => $option{dbname} // 'postgres', application_name => 'protocol');
	my $body = pack('N', 196608) . join('', map { "$_\0$start{$_}\0" } sort keys %start) . "\0";
	print $socket pack('N', 4 + length $body) . $body;
	my $r = $self->collect;
	croak $r->{error}{M} if $r->{error};
	$self->{pid} = $r->{pid};
	return $self;
}

# Process id of the backend.
sub pid { return $_[0]{pid} }

# query(sql, values...): through the extended protocol, the values as text
# parameters.  Returns a hash: rows, an array of arrays; tag; and error, a hash
# of the fields of the server's message, if there was one.
sub query
{
	my ($self, $sql, @values) = @_;
	my $bind = "\0\0" . pack('n n', 0, scalar @values)
	  . join('', map { defined $_ ? pack('N/a*', $_) : pack('N', 0xFFFFFFFF) } @values) . pack('n', 0);
	$self->put(P => "\0$sql\0" . pack('n', 0));
	$self->put(B => $bind);
	$self->put(D => "P\0");
	$self->put(E => "\0" . pack('N', 0));
	$self->put(S => '');
	return $self->collect;
}

# The statements as one text, with nothing apart.
sub simple_query
{
	my ($self, $sql) = @_;
	$self->put(Q => "$sql\0");
	return $self->collect;
}

sub put
{
	my ($self, $type, $body) = @_;
	my $socket = $self->{socket};
	local $SIG{PIPE} = 'IGNORE';
	print $socket $type . pack('N', 4 + length $body) . $body;
	return;
}

# Messages until the server is ready for the next statement.
sub collect
{
	my ($self) = @_;
	my %result = (rows => []);
	$self->{socket}->flush;
	while (1)
	{
		my ($type, $length) = unpack 'a N', $self->get(5);
		my $body = $self->get($length - 4);
		if ($type eq 'D') { push @{ $result{rows} }, parse_row($body) }
		elsif ($type eq 'C') { ($result{tag}) = unpack 'Z*', $body }
		elsif ($type eq 'K') { $result{pid} = unpack 'N', $body }
		elsif ($type eq 'E') { $result{error} = { map { unpack 'a a*', $_ } grep { length } split /\0/, $body } }
		elsif ($type eq 'R') { croak 'the server wants a password' if unpack 'N', $body }
		elsif ($type eq 'Z') { return \%result }
	}
	return;
}

sub get
{
	my ($self, $length) = @_;
	my $data = '';
	while (length $data < $length)
	{
		read($self->{socket}, $data, $length - length $data, length $data) or croak 'the server closed the connection';
	}
	return $data;
}

sub parse_row
{
	my ($body) = @_;
	my $n = unpack 'n', substr $body, 0, 2, '';
	my @row;
	for (1 .. $n)
	{
		my $length = unpack 'N', substr $body, 0, 4, '';
		push @row, $length == 0xFFFFFFFF ? undef : substr $body, 0, $length, '';
	}
	return \@row;
}

sub close
{
	my ($self) = @_;
	$self->put(X => '');
	$self->{socket}->close;
	return;
}

1;
