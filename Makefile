# memberpulse_stripe: build and check with PGXS.
#
#   make && make install && make installcheck
#
# Other targets: unit, fuzz, format-check, lint, asan, coverage, bench.

EXTENSION = memberpulse_stripe
EXTVERSION = 0.1.0

MODULE_big = memberpulse_stripe
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
SRC_HEADERS = $(wildcard src/*.h)

# The install script is written in parts by subject and assembled here.
SQL_PARTS = $(sort $(wildcard sql/parts/*.sql))
SQL_SCRIPT = sql/memberpulse_stripe--$(EXTVERSION).sql
DATA = $(filter-out $(SQL_SCRIPT),$(wildcard sql/memberpulse_stripe--*.sql))
DATA_built = $(SQL_SCRIPT)

REGRESS = $(sort $(patsubst test/regress/sql/%.sql,%,$(wildcard test/regress/sql/*.sql)))
REGRESS_OPTS = --inputdir=test/regress
ISOLATION = $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation

PG_CPPFLAGS = -I$(CURDIR)/src $(shell curl-config --cflags)
# Only what is marked is visible outside; 15 does not define the mark itself.
PG_CPPFLAGS += '-DPGDLLEXPORT=__attribute__((visibility("default")))'
# What server headers trip over is not a fault of this code.
PG_CFLAGS += -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-clobbered -fvisibility=hidden
SHLIB_LINK = -lcurl -lcrypto

EXTRA_CLEAN = $(SQL_SCRIPT) results regression.diffs regression.out output_iso \
	tmp_check tmp_check_iso log

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(SRC_HEADERS) Makefile

$(SQL_SCRIPT): $(SQL_PARTS) Makefile
	cat $(SQL_PARTS) > $@

.PHONY: unit fuzz format format-check lint asan coverage bench

unit:
	$(MAKE) -C test/unit check PG_CONFIG=$(PG_CONFIG)

fuzz:
	$(MAKE) -C test/unit fuzz PG_CONFIG=$(PG_CONFIG)

format:
	script/format

format-check:
	script/format --check

lint:
	script/lint

asan:
	script/test --only asan

coverage:
	script/coverage

bench:
	bench/call
