# shellcheck shell=bash
#
# lib.sh
#	  What the scripts share: the scratch directory, the unprivileged user,
#	  private PostgreSQL trees, throwaway clusters, and a fake Stripe.
#
# Sourced, never run.  Nothing here writes outside the scratch directory, so
# any number of copies may run side by side, and the machine's own PostgreSQL
# and its clusters are never touched.
#
# The caller calls mp_begin once; mp_end then runs when the script ends, by
# whatever way, stops every process that still lives in the scratch directory
# and removes it.
#
# shellcheck disable=SC2034 # variables set here for the script that sources

MP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
MP_EXTENSION=memberpulse_stripe
MP_WORK=
MP_KEEP=${MP_KEEP:-}

mp_die()
{
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

#
# Settings of the caller that would steer PostgreSQL's clients, make or Perl
# somewhere else than a test wants are dropped.  What steers the network stays
# for script/bootstrap, and is named in MP_NETWORK for mp_as to drop: tests
# talk to this machine only.
#
mp_clean_environment()
{
	local name

	MP_NETWORK=()
	for name in $(compgen -e); do
		case $name in
			PG_CONFIG | PG_TEST_*) ;;
			PG* | STRIPE_* | MAKEFLAGS | MAKELEVEL | MFLAGS | PERL5LIB | PERL5OPT) unset "$name" ;;
			LD_PRELOAD | NODE_OPTIONS | ASAN_OPTIONS | UBSAN_OPTIONS | LANGUAGE | LC_*) unset "$name" ;;
			*_proxy | *_PROXY | SSL_CERT_* | CURL_*) MP_NETWORK+=(-u "$name") ;;
		esac
	done
	export LANG=C.UTF-8 TZ=UTC
	umask 022
	PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
}

#
# PostgreSQL refuses to run as root, so root hands everything that builds or
# serves to MP_USER.  Any other user runs it all as itself.
#
mp_pick_user()
{
	MP_USER=$(id -un)
	[[ $EUID -eq 0 ]] || return 0
	for MP_USER in postgres nobody; do
		id -u "$MP_USER" >/dev/null 2>&1 && return 0
	done
	mp_die "root cannot run PostgreSQL, and there is no user \"postgres\" or \"nobody\" to run it as"
}

#
# Run a command as MP_USER with a home and a temporary directory of its own.
# The pipe that keeps a fake Stripe alive is closed here: a postmaster that
# inherited it would keep the fake running after its script is gone.
#
mp_as()
{
	local fd=${MP_FAKE_FD:-9}
	local -a command=(env "${MP_NETWORK[@]}" HOME="$MP_WORK/home" USER="$MP_USER" LOGNAME="$MP_USER"
		TMPDIR="$MP_WORK/tmp" "$@")

	[[ $EUID -ne 0 ]] || command=(runuser -u "$MP_USER" -- "${command[@]}")
	"${command[@]}" {fd}>&-
}

#
# The server to build for: PG_CONFIG if given, else the newest that is
# installed with what building needs.
# Debian's /usr/bin/pg_config is a script that picks one; --bindir looks
# through it, because only a real pg_config can be moved (see mp_pg_tree).
#
mp_find_server()
{
	local found=${PG_CONFIG:-} dir

	[[ -z ${MP_BINDIR:-} ]] || return 0
	if [[ -z $found ]]; then
		for dir in $(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 2>/dev/null | sort -V); do
			[[ ! -x $dir/bin/postgres || ! -f $dir/lib/pgxs/src/makefiles/pgxs.mk ]] || found=$dir/bin/pg_config
		done
		[[ -n $found ]] || found=$(command -v pg_config) ||
			mp_die "no pg_config found: run script/bootstrap, or set PG_CONFIG"
	fi
	MP_BINDIR=$("$found" --bindir)
	[[ -x $MP_BINDIR/postgres ]] ||
		mp_die "no server beside $found: install the PostgreSQL server of that version"
	# Whatever is run from here on is told of the private tree's own.
	unset PG_CONFIG
}

#
# Put a Node.js that is new enough first in the path: the one that is there,
# or the one that script/bootstrap installed for this checkout.  The oldest
# that loads the fake Stripe's packages is asked for.
#
MP_NODE_MINIMUM=20.19
mp_find_node()
{
	local dir old=$PATH

	for dir in '' "$MP_ROOT/build/node/bin:"; do
		PATH=$dir$old
		hash -r
		node -e 'const [a, b] = process.versions.node.split(".").map(Number);
			const [c, d] = process.argv[1].split(".").map(Number);
			process.exit(a > c || (a === c && b >= d) ? 0 : 1)' "$MP_NODE_MINIMUM" 2>/dev/null && return 0
	done
	PATH=$old
	return 1
}

#
# The scratch directory.  Its path is kept short, since a Unix socket's path
# has at most 107 bytes and the sockets live below it.
#
mp_begin()
{
	local base=${TMPDIR:-/tmp}

	mp_clean_environment
	mp_pick_user
	[[ ${#base} -le 48 ]] || base=/tmp
	MP_WORK=$(mktemp -d "$base/mpstripe.XXXXXX")
	chmod 755 "$MP_WORK"
	trap mp_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir "$MP_WORK/home" "$MP_WORK/tmp"
	[[ $EUID -ne 0 ]] || chown "$MP_USER:" "$MP_WORK" "$MP_WORK/home" "$MP_WORK/tmp"
	mp_as test -x "$MP_WORK" ||
		mp_die "user \"$MP_USER\" cannot enter $MP_WORK: set TMPDIR to a directory that everyone may enter"
	export MP_SCRATCH=$MP_WORK
	cd "$MP_WORK" || exit
}

#
# Ids of the processes started under the scratch directory: they carry its
# name in their environment, or, since a server writes its title over that,
# work in it.  Nothing of anyone else does: that is what makes it safe to
# stop them.
#
mp_our_processes()
{
	perl -e '
		my $work = shift;
		for my $proc (glob "/proc/[0-9]*")
		{
			my ($pid) = $proc =~ /(\d+)/;
			next if $pid == $$;
			my $cwd = readlink("$proc/cwd") // "";
			my $environment = "";
			if (open my $file, "<", "$proc/environ") { local $/; $environment = <$file> // "" }
			print "$pid\n" if $cwd =~ m{^\Q$work\E/} || "\0$environment" =~ /\0MP_SCRATCH=\Q$work\E\0/;
		}' "$MP_WORK"
}

#
# End of the script, by exit or signal.  SIGQUIT is a postmaster's immediate
# shutdown; whatever ignores it is killed.
#
mp_end()
{
	local status=$? pid
	local -i turn

	trap - EXIT INT TERM HUP
	[[ -n $MP_WORK ]] || return "$status"
	cd /
	for pid in $(mp_our_processes); do
		kill -QUIT "$pid" 2>/dev/null || true
	done
	for ((turn = 0; turn < 50; turn++)); do
		[[ -n $(mp_our_processes) ]] || break
		sleep 0.1
	done
	for pid in $(mp_our_processes); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	if [[ -n $MP_KEEP ]]; then
		printf 'kept: %s\n' "$MP_WORK"
	else
		rm -rf "$MP_WORK"
	fi
	exit "$status"
}

#
# Copy the sources into "dest", without what git ignores, so that neither the
# user's objects nor another run's get in the way, and MP_USER may write there.
#
mp_copy_sources()
{
	local dest=$1
	local -a git=(git -C "$MP_ROOT" -c safe.directory='*')

	mkdir -p "$dest"
	if "${git[@]}" rev-parse --git-dir >/dev/null 2>&1; then
		(cd "$MP_ROOT" &&
			"${git[@]}" ls-files -z --cached --others --exclude-standard |
			perl -0 -ne 'chomp; print "$_\0" if -e $_ or -l $_' |
				tar -c --null --no-recursion -T - -f -) | tar -x -C "$dest" -f -
	else
		tar -C "$MP_ROOT" -c --exclude=./build --exclude=node_modules --exclude=./.git -f - . |
			tar -x -C "$dest" -f -
	fi
	[[ $EUID -ne 0 ]] || chown -R "$MP_USER:" "$dest"
}

#
# Make sure that MP_USER can run the Node.js in the path, which may lie in a
# home directory: else a copy in the scratch directory comes first.
#
mp_share_node()
{
	mp_find_node || mp_die "no Node.js $MP_NODE_MINIMUM or newer: run script/bootstrap"
	[[ ! -x $MP_WORK/node/node ]] || PATH=$MP_WORK/node:$PATH
	mp_as node -e 0 2>/dev/null && return 0
	mkdir -p "$MP_WORK/node"
	cp "$(node -p process.execPath)" "$MP_WORK/node/node"
	PATH=$MP_WORK/node:$PATH
	mp_as node -e 0 || mp_die "user \"$MP_USER\" cannot run node"
}

#
# Give a copy of the sources the fake Stripe's packages, by a link that
# survives copying: to where npm put them if MP_USER can read that, else to a
# copy (hard links if the file system allows).
#
mp_link_node_modules()
{
	local packages=$MP_ROOT/test/fake_stripe/node_modules

	if ! mp_as test -r "$packages/.package-lock.json"; then
		cp -al "$packages" "$MP_WORK/node_modules" 2>/dev/null || {
			rm -rf "$MP_WORK/node_modules"
			cp -a "$packages" "$MP_WORK/node_modules"
		}
		packages=$MP_WORK/node_modules
	fi
	mp_as ln -s "$packages" "$1/test/fake_stripe/node_modules"
}

#
# Make a private PostgreSQL installation under "tree".
#
# CREATE EXTENSION looks in the server's own share directory (a search path
# for it came only with PostgreSQL 18), so a test would have to install into
# the system, where two copies overwrite each other.  But the server computes
# all its directories from the place of its own binary, as long as they lie
# to each other as they were configured.  So: the binaries are copied under
# tree/<their path>, and the library and share directories beside them become
# real directories full of symbolic links.  "make install" then replaces or
# adds files here and nowhere else.  pg_config moves along, and with it PGXS.
#
# Binaries are copied, not linked: a symbolic link would lead back to the
# system's tree, and a hard link would let a mistake here write to it.
#
mp_pg_tree()
{
	local tree=$1 option dir

	mp_as mkdir -p "$tree$(dirname "$MP_BINDIR")"
	mp_as cp -a --no-preserve=ownership "$MP_BINDIR" "$tree$MP_BINDIR"
	for option in --pkglibdir --sharedir; do
		dir=$("$MP_BINDIR/pg_config" $option)
		mp_as mkdir -p "$tree$dir"
		mp_as cp -asT --no-preserve=ownership "$dir" "$tree$dir"
	done
	for option in --libdir --includedir --localedir; do
		dir=$("$MP_BINDIR/pg_config" $option)
		dir=${dir%/postgresql}
		[[ ! -e $dir || -e $tree$dir ]] || mp_as mkdir -p "$tree$(dirname "$dir")"
		[[ ! -e $dir || -e $tree$dir ]] || mp_as ln -s "$dir" "$tree$dir"
	done
	# An installation of the extension on this machine must not leak in.
	mp_as find "$tree" -name "$MP_EXTENSION*" -exec rm -rf {} +
	mp_as ln -s "${MP_BINDIR#/}" "$tree/bin"

	[[ $(mp_as "$tree/bin/pg_config" --pkglibdir) == "$tree"* ]] ||
		mp_die "the PostgreSQL in $MP_BINDIR cannot be moved to $tree (is it mounted noexec, or built with fixed paths?)"
}

#
# Options for make that build against a private tree.  Bitcode for the JIT
# would need clang and is of no use to an extension of C functions called
# once a row.
#
mp_make()
{
	local tree=$1 source=$2

	shift 2
	mp_as env PATH="$tree/bin:$PATH" make -C "$source" --no-print-directory \
		PG_CONFIG="$tree/bin/pg_config" with_llvm=no "$@"
}

#
# Start the fake Stripe from a copy of the sources, with its pipe held open
# by this shell: when the shell goes, by any way, the fake goes.  Sets
# MP_FAKE_FD and MP_FAKE_HTTPS, MP_FAKE_HTTP, MP_FAKE_ADMIN, MP_FAKE_CA.
#
mp_fake_start()
{
	local source=$1 dir line
	local -i turn

	dir=$(mp_as mktemp -d "$MP_WORK/tmp/fake.XXXXXX")
	mp_as mkfifo "$dir/in"
	(cd "$dir" && mp_as "$source/script/fake-stripe" --exit-on-stdin-close <"$dir/in" >"$dir/out" 2>"$dir/err") &
	MP_FAKE_PID=$!
	exec {MP_FAKE_FD}>"$dir/in"
	for ((turn = 0; turn < 300; turn++)); do
		read -r line <"$dir/out" && break
		kill -0 "$MP_FAKE_PID" 2>/dev/null || break
		sleep 0.1
	done 2>/dev/null
	[[ -n ${line:-} ]] || {
		cat "$dir/err" >&2
		mp_die "the fake Stripe did not start"
	}
	eval "$(printf '%s\n' "$line" | perl -MJSON::PP -e '
		my $said = decode_json(<STDIN>);
		for my $key (qw(https http admin ca))
		{
			my $value = $said->{$key} // "";
			$value =~ s/\x27/\x27\\\x27\x27/g;
			printf "MP_FAKE_%s=\x27%s\x27\n", uc $key, $value;
		}')"
}

mp_fake_stop()
{
	[[ -n ${MP_FAKE_FD:-} ]] || return 0
	exec {MP_FAKE_FD}>&-
	MP_FAKE_FD=
	wait "$MP_FAKE_PID" || true
}

#
# Start a throwaway cluster from a private tree, with the lines of standard
# input at the end of its configuration and the words after "tree" as
# variables of the server's environment.  Only a socket is listened on.  Sets
# MP_CLUSTER, the directory, and exports PGHOST, PGPORT, PGDATABASE and PGUSER
# for clients.
#
# initdb's result depends only on the server, so one is kept and copied.
#
mp_cluster_start()
{
	local tree=$1 template=$MP_WORK/initdb

	shift
	MP_CLUSTER_TREE=$tree
	if [[ ! -e $template/PG_VERSION ]]; then
		mp_as mkdir "$template"
		mp_as env PATH="$tree/bin:$PATH" initdb -D "$template" -U postgres -A trust --no-sync \
			--encoding=UTF8 --locale=C.UTF-8 >"$MP_WORK/initdb.log" 2>&1 || {
			cat "$MP_WORK/initdb.log" >&2
			mp_die "initdb failed"
		}
	fi
	MP_CLUSTER=$(mp_as mktemp -d "$MP_WORK/cluster.XXXXXX")
	mp_as mkdir "$MP_CLUSTER/s"
	mp_as cp -a "$template" "$MP_CLUSTER/data"
	{
		cat <<-CONF
			listen_addresses = ''
			unix_socket_directories = '$MP_CLUSTER/s'
			fsync = off
			max_prepared_transactions = 10
			log_line_prefix = '%m [%p] %q%a '
			restart_after_crash = off
		CONF
		cat
	} | mp_as tee -a "$MP_CLUSTER/data/postgresql.conf" >/dev/null
	mp_cluster_restart "$@"
	export PGHOST=$MP_CLUSTER/s PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}

# Start a stopped cluster, with the given variables in its environment.
mp_cluster_restart()
{
	# pg_ctl must see a working directory the user may read.
	(cd "$MP_CLUSTER" && mp_as env PATH="$MP_CLUSTER_TREE/bin:$PATH" "$@" pg_ctl -D "$MP_CLUSTER/data" \
		-l "$MP_CLUSTER/log" -w -t 120 start) || {
		cat "$MP_CLUSTER/log" >&2
		mp_die "the cluster did not start"
	}
	MP_CLUSTER_RUNS=1
}

#
# Stop it the fast way: an immediate stop would lose the coverage counters.
#
mp_cluster_stop()
{
	[[ -n ${MP_CLUSTER_RUNS:-} ]] || return 0
	MP_CLUSTER_RUNS=
	mp_as env PATH="$MP_CLUSTER_TREE/bin:$PATH" pg_ctl -D "$MP_CLUSTER/data" -m fast -w -t 120 stop
}
