# shellcheck shell=bash
#
# steps.sh
#	  The steps of script/test: one function step_NAME for each.
#
# A step runs in a subshell of its own, under "set -e", and leaves what later
# steps need in the scratch directory only:
#
#	src				a clean copy of the sources
#	src-VARIANT		the copy that VARIANT was built in
#	pg-VARIANT		a private PostgreSQL with VARIANT installed
#
# A line "note: ..." in a step's output is shown to the user.
#

# Any key of the right form does.
FAKE_ENVIRONMENT=(
	STRIPE_SECRET_KEY=sk_test_fakeSecretKeyForTests0001
	STRIPE_PUBLISHABLE_KEY=pk_test_fakePublishableKeyForTests0001
	STRIPE_WEBHOOK_SECRET=whsec_fakeWebhookSecretForTests0001
)

step_begin()
{
	trap 'step_end' EXIT
	cd "$MP_WORK" || exit
	mp_find_node || true
	[[ ! -d $MP_WORK/node ]] || PATH=$MP_WORK/node:$PATH
}

step_end()
{
	mp_cluster_stop || true
	mp_fake_stop || true
}

# Builds the extension in a copy of its own and installs it in its own tree.
# Words after the variant's name go to make; COPT, PostgreSQL's own variable,
# reaches compiler and linker.  That warnings are errors is in the Makefile.
build_variant()
{
	local variant=$1

	shift
	mp_find_server
	mp_as cp -a "$MP_WORK/src" "$MP_WORK/src-$variant"
	mp_pg_tree "$MP_WORK/pg-$variant"
	mp_make "$MP_WORK/pg-$variant" "$MP_WORK/src-$variant" -j2 all "$@"
	mp_make "$MP_WORK/pg-$variant" "$MP_WORK/src-$variant" install "$@" >/dev/null
}

#
# Start a fake Stripe and a cluster that uses it.  "preload" is the value of
# shared_preload_libraries.
#
start_server()
{
	local variant=$1 preload=$2

	mp_find_server
	mp_fake_start "$MP_WORK/src"
	mp_cluster_start "$MP_WORK/pg-$variant" "${FAKE_ENVIRONMENT[@]}" <<-CONF
			shared_preload_libraries = '$preload'
			memberpulse_stripe.api_base = '$MP_FAKE_HTTPS'
			memberpulse_stripe.ca_file = '$MP_FAKE_CA'
		CONF
}

#
# Regression and isolation tests against the running cluster.  Both are run
# even if the first fails, and differences are part of the output.
#
run_regress()
{
	local variant=$1 status=0
	local source=$MP_WORK/src-$variant

	mp_make "$MP_WORK/pg-$variant" "$source" installcheck TAP_TESTS= ISOLATION= || status=1
	mp_make "$MP_WORK/pg-$variant" "$source" installcheck TAP_TESTS= REGRESS= || status=1
	[[ $status -eq 0 ]] || find "$source" -name regression.diffs -exec cat {} +
	check_server_log || status=1
	return "$status"
}

# A server that crashed and came back could still have passed its tests.
check_server_log()
{
	if grep -aE 'was terminated by signal|PANIC:|AddressSanitizer|runtime error:' "$MP_CLUSTER/log"; then
		tail -n 100 "$MP_CLUSTER/log"
		return 1
	fi
}

run_pgtap()
{
	local variant=$1
	local bin=$MP_WORK/pg-$variant/bin

	mp_as "$bin/createdb" pgtap
	mp_as "$bin/psql" -X -q -v ON_ERROR_STOP=1 -d pgtap \
		-c "CREATE EXTENSION pgtap" -c "CREATE EXTENSION $MP_EXTENSION"
	(cd "$MP_WORK/src-$variant" &&
		mp_as env PATH="$bin:$PATH" pg_prove --verbose --dbname pgtap test/pgtap/*.sql)
}

# Perl tests; the words after the variant's name are files below test/tap.
run_tap()
{
	local variant=$1 pgxs

	shift
	mp_find_server
	pgxs=$(dirname "$(mp_as "$MP_WORK/pg-$variant/bin/pg_config" --pgxs)")/../..
	mp_as mkdir -p "$MP_WORK/tap-$variant"
	(cd "$MP_WORK/src-$variant/test/tap" &&
		mp_as env PATH="$MP_WORK/pg-$variant/bin:$PATH" \
			TESTDIR="$MP_WORK/tap-$variant" \
			PG_TEST_PORT_DIR="$MP_WORK/tmp/ports" \
			PG_REGRESS="$pgxs/src/test/regress/pg_regress" \
			prove --timer -v -j2 -I "$pgxs/src/test/perl" -I lib "$@") && return 0
	# What the servers and helper programs said is in files of their own.
	find "$MP_WORK/tap-$variant/tmp_check/log" -type f ! -name '*.json' \
		-exec sh -c 'echo "== $1"; tail -n 40 "$1" | cut -c 1-400' - {} \;
	return 1
}

step_bootstrap()
{
	"$MP_ROOT/script/bootstrap"
}

step_lint()
{
	"$MP_ROOT/script/lint"
}

step_format()
{
	"$MP_ROOT/script/format" --check
}

step_sources()
{
	mp_share_node
	mp_copy_sources "$MP_WORK/src"
	mp_link_node_modules "$MP_WORK/src"
	"$MP_ROOT/script/bootstrap" --check
}

step_build()
{
	build_variant release
}

# Debian's flags for gcc include some that clang only warns of.
step_clang()
{
	build_variant clang CC=clang-14 \
		COPT="-Wno-unknown-warning-option -Wno-ignored-attributes -Wno-ignored-optimization-argument -Wno-unused-command-line-argument"
}

make_unit()
{
	mp_find_server
	mp_as make -C "$MP_WORK/src/test/unit" --no-print-directory PG_CONFIG="$MP_BINDIR/pg_config" "$@"
}

step_unit()
{
	make_unit check PROVE_FLAGS=-v
	make_unit check-sdk
}

step_fuzz()
{
	local seconds=5

	[[ -z ${MP_FULL:-} ]] || seconds=60
	make_unit fuzz FUZZ_CC=clang-14 FUZZ_SECONDS="$seconds"
}

# These two run in place: what they compute once is cached beside them.
step_fake()
{
	TMPDIR=$MP_WORK npm --prefix "$MP_ROOT/test/fake_stripe" test
}

step_honesty()
{
	TMPDIR=$MP_WORK npm --prefix "$MP_ROOT/test/fake_stripe" run honesty
}

step_regress()
{
	start_server release ''
	run_regress release
}

# glibc warns when _FORTIFY_SOURCE, one of Debian's flags, meets -O0.
step_covbuild()
{
	build_variant coverage COPT="--coverage -O0 -Wno-cpp"
}

step_preload()
{
	start_server coverage "$MP_EXTENSION"
	run_regress coverage
}

step_pgtap()
{
	start_server coverage "$MP_EXTENSION"
	run_pgtap coverage
	check_server_log
}

list_tap_files()
{
	(cd "$MP_WORK/src/test/tap" && find t -name '*.pl' | sort)
}

step_tap()
{
	local -a files

	mapfile -t files < <(list_tap_files)
	[[ ${#files[@]} -gt 0 ]] || mp_die "no tests in test/tap/t"
	run_tap coverage "${files[@]}"
}

#
# The pure modules are tested in plain C as well, so what those tests run is
# counted too: they are built once more, with counters.
#
step_coverage()
{
	local info=$MP_WORK/coverage.info percent out
	local source=$MP_WORK/src-coverage
	local -a lcov=(lcov --quiet --rc lcov_branch_coverage=0)

	mp_find_server
	mp_as make -C "$source/test/unit" --no-print-directory PG_CONFIG="$MP_BINDIR/pg_config" \
		BUILD="$source/test/unit/coverage" SANITIZE= EXTRA_CFLAGS=--coverage PROVE_FLAGS=-Q check
	"${lcov[@]}" --capture --initial --directory "$source/src" --base-directory "$source" --output-file "$info.0"
	"${lcov[@]}" --capture --directory "$source/src" --base-directory "$source" --output-file "$info.1"
	"${lcov[@]}" --capture --directory "$source/test/unit/coverage" --base-directory "$source" --output-file "$info.2"
	"${lcov[@]}" --add-tracefile "$info.0" --add-tracefile "$info.1" --add-tracefile "$info.2" --output-file "$info.3"
	"${lcov[@]}" --extract "$info.3" "$source/src/*.c" --output-file "$info"
	lcov --list "$info"
	if [[ -n ${MP_COVERAGE_HTML:-} ]]; then
		mkdir -p "$MP_COVERAGE_HTML"
		genhtml --quiet --prefix "$source" --output-directory "$MP_COVERAGE_HTML" "$info"
		echo "note: report in $MP_COVERAGE_HTML/index.html"
	fi
	percent=$(awk -F: '$1 == "LF" { found += $2 } $1 == "LH" { hit += $2 }
		END { if (!found) exit 1; printf "%.1f", 100 * hit / found }' "$info")
	echo "note: $percent % of the lines in src/ are run by tests (at least $MINIMUM_COVERAGE wanted)"
	out=$(awk -v p="$percent" -v m="$MINIMUM_COVERAGE" 'BEGIN { print (p >= m) ? "enough" : "short" }')
	[[ $out == enough ]]
}

#
# Debian's server is not built for sanitizers, but it can host a library that
# is: the runtimes are loaded before it.  test/asan/postgres does that, in the
# place of the server's binary, so that pg_ctl and the TAP tests start the
# right thing without knowing.
#
step_asan()
{
	local tree=$MP_WORK/pg-asan reports=$MP_WORK/asan-reports list=$MP_WORK/src/test/asan/tap_files
	local bin status=0
	local -a tap

	build_variant asan \
		COPT="-O1 -Wno-cpp -Wno-maybe-uninitialized -fsanitize=address,undefined -fno-sanitize-recover=all"
	bin=$tree$MP_BINDIR
	mp_as mv "$bin/postgres" "$bin/postgres.real"
	mp_as cp "$MP_WORK/src/test/asan/postgres" "$bin/postgres"
	mp_as mkdir "$reports"
	export MP_SANITIZER_LOG=$reports/report
	mp_as gcc -O0 -shared -fPIC -Wl,-z,initfirst -o "$tree/early.so" "$MP_WORK/src/test/asan/early.c"
	MP_SANITIZER_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $tree/early.so"
	export MP_SANITIZER_PRELOAD MP_SLOWNESS=5

	start_server asan "$MP_EXTENSION"
	run_regress asan || status=1
	mp_cluster_stop || status=1
	mp_fake_stop
	if [[ -n ${MP_FULL:-} ]]; then
		mapfile -t tap < <(list_tap_files | grep -vxFf <(sed -n 's/^- //p' "$list"))
	else
		mapfile -t tap < <(grep '^t/' "$list")
	fi
	[[ ${#tap[@]} -gt 0 ]] || mp_die "no tests are named in $list"
	run_tap asan "${tap[@]}" || status=1
	# AddressSanitizer writes files; the other one writes to servers' logs.
	if grep -raE -A 30 'runtime error:|AddressSanitizer' "$reports" "$MP_CLUSTER/log" "$MP_WORK/tap-asan/tmp_check/log"; then
		echo "not ok 1 - no report of a sanitizer"
		status=1
	else
		echo "ok 1 - no report of a sanitizer"
	fi
	return "$status"
}

#
# One session under valgrind: its calls succeed and fail in the usual ways,
# then it ends.  Only reports with a frame of the extension or of libcurl
# count: the server itself leaves much to the end of the process, and writes
# padding it never set.
#
step_valgrind()
{
	local tree=$MP_WORK/pg-valgrind reports=$MP_WORK/valgrind-reports bin

	mp_find_server
	mp_pg_tree "$tree"
	mp_make "$tree" "$MP_WORK/src-release" install >/dev/null
	bin=$tree$MP_BINDIR
	mp_as mkdir "$reports"
	export MP_VALGRIND_LOG=$reports/%p.log
	export MP_VALGRIND_SUPPRESSIONS=$MP_WORK/src/test/valgrind.supp

	# The plain binary first, to make the database in less time.
	start_server valgrind ''
	mp_as "$bin/createdb" valgrind
	mp_as "$bin/psql" -X -q -v ON_ERROR_STOP=1 -d valgrind -c "CREATE EXTENSION $MP_EXTENSION"
	mp_cluster_stop
	mp_as mv "$bin/postgres" "$bin/postgres.real"
	mp_as cp "$MP_WORK/src/test/asan/postgres-valgrind" "$bin/postgres"
	mp_cluster_restart "${FAKE_ENVIRONMENT[@]}"
	mp_as env FAULT="$MP_WORK/src/test/asan/fault" MP_FAKE_ADMIN="$MP_FAKE_ADMIN" \
		"$bin/psql" -X -v ON_ERROR_STOP=0 -d valgrind -f "$MP_WORK/src/test/asan/session.sql" 2>&1 | tee session.out
	mp_cluster_stop
	grep -q 'session ends with 1 customer' session.out || mp_die "the session did not come to its end"
	perl "$MP_WORK/src/test/asan/valgrind-reports.pl" "$reports"/*.log
}

# The demo as a user runs it; what psql says of a failed statement ends it.
step_demo()
{
	local out=$MP_WORK/demo.out stop

	"$MP_ROOT/script/demo" --keep >"$out" 2>&1 || {
		cat "$out"
		return 1
	}
	grep -q 'partially_refunded' "$out" && echo "ok 1 - the demo takes, fails and refunds a payment"
	stop=$(sed -n 's/^ *\(.*script\/demo --stop .*\)$/\1/p' "$out")
	[[ -n $stop ]] && echo "ok 2 - it says how to end what it left running"
	read -ra stop <<<"$stop"
	"${stop[@]}" >>"$out" 2>&1 && echo "ok 3 - which works"
	[[ ! -e ${stop[-1]} ]] && echo "ok 4 - and leaves nothing"
}

step_clean()
{
	local left
	local -i turn

	# A server is gone for pg_ctl a moment before its last process is.
	for ((turn = 0; turn < 50; turn++)); do
		left=$(mp_our_processes)
		[[ -n $left ]] || break
		sleep 0.1
	done
	if [[ -n $left ]]; then
		echo "not ok 1 - nothing is left running"
		# shellcheck disable=SC2086 # a list of ids
		ps -o pid,ppid,user,args -p ${left//$'\n'/,}
	else
		echo "ok 1 - nothing is left running"
	fi
	if [[ -n $(find /usr/lib/postgresql /usr/share/postgresql -name "$MP_EXTENSION*" -newer "$MP_WORK/home" 2>/dev/null) ]]; then
		echo "not ok 2 - the machine's PostgreSQL is untouched"
	else
		echo "ok 2 - the machine's PostgreSQL is untouched"
	fi
	if [[ $TREE_AT_START != "clean" ]]; then
		echo "ok 3 - no file of the checkout has changed # skip it had changes before the run"
	elif [[ $(tree_state) != "clean" ]]; then
		echo "not ok 3 - no file of the checkout has changed"
		git -C "$MP_ROOT" -c safe.directory='*' status --short
	else
		echo "ok 3 - no file of the checkout has changed"
	fi
}

# "clean" if the checkout holds no change and no file git does not know.
tree_state()
{
	local state

	state=$(git -C "$MP_ROOT" -c safe.directory='*' status --porcelain 2>/dev/null) || state="not a checkout"
	[[ -n $state ]] || state=clean
	echo "$state"
}
