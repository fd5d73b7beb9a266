# mixpanel for Lua. `make help` lists what there is to make.

PREFIX  ?= /usr/local
DESTDIR ?=
ABI     ?= 5.4
CC      ?= cc
CFLAGS  ?= -O2 -g

# The Lua whose ABI each build serves; LuaJIT's and PUC 5.1's are the same.
INC_5.4 = /usr/include/lua5.4
INC_5.3 = /usr/include/lua5.3
INC_5.2 = /usr/include/lua5.2
INC_5.1 = /usr/include/lua5.1
ABIS    = 5.4 5.3 5.2 5.1

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
           -Wstrict-prototypes -Wmissing-prototypes \
           -Werror=implicit-function-declaration
# 32-bit processors: files over 2 GiB, inodes of more than 32 bits, and 2038.
LARGE = -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
# A mistake in memory ends the process instead of going on: as far as the
# compiler can, and not beside a sanitizer, which finds more. HARDEN= does
# without. FORTIFY_SOURCE wants a compiler that optimises.
HARDEN ?= $(if $(findstring -fsanitize,$(CFLAGS)),,$(shell \
    for flag in -fstack-protector-strong -fstack-clash-protection \
        -fcf-protection=return; do \
        $(CC) -Werror $$flag -S -o /dev/null -x c /dev/null 2>/dev/null && \
            echo $$flag; \
    done) $(if $(findstring FORTIFY,$(CFLAGS)),,$(if \
    $(filter -O -O1 -O2 -O3 -Os,$(CFLAGS)),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)))
HARDEN := $(HARDEN)
# C11 alone: what calls POSIX stands in src/core/os/*_posix.c, which say so.
# -fno-plt: a record takes about 90 calls into Lua, and each saves a jump.
FLAGS = -std=c11 $(LARGE) -Isrc -fPIC -fno-plt \
        -fvisibility=hidden -pthread $(WARNINGS) $(HARDEN) $(CFLAGS)
SPEC_FLAGS = $(FLAGS) -D_GNU_SOURCE
SHARED = -shared -Wl,-z,nodelete,-z,relro,-z,now $(LDFLAGS)
LIBS  = -lcurl -ldeflate -ljansson -lpthread -ldl -lm

BUILD   = build
CORE    = $(wildcard src/core/*/*.c)
BINDING = $(wildcard src/binding/*/*.c)

# CURL=0: without libcurl; the host carries the requests
# (transport = "manual").
ifeq ($(CURL),0)
BUILD  = build/no-curl
CORE  := $(filter-out %/transport_curl.c %/transfer.c %/failure.c %/tls.c,$(CORE))
FLAGS += -DMP_NO_CURL
LIBS  := $(filter-out -lcurl,$(LIBS))
else
CORE  := $(filter-out %/transport_none.c,$(CORE))
endif

OBJ     = $(CORE:src/%.c=$(BUILD)/obj/%.o)
UNITS   = $(patsubst spec/c/%.c,$(BUILD)/spec/%,$(wildcard spec/c/*_spec.c))

# LINK=lua5.3, or any liblua or libluajit-5.1: linked with that Lua, for hosts
# that hide the symbols of their Lua, or have two Luas in one process.
ifdef LINK
ABI    := $(LINK:luajit-%=lua%)
ABI    := $(ABI:lua%=%)
MODULE  = $(BUILD)/$(LINK)/mixpanel.so
DEFAULT = $(MODULE)
else
MODULE  = $(BUILD)/$(ABI)/mixpanel.so
DEFAULT = 5.4
endif

build: $(DEFAULT) ## build/5.4/mixpanel.so, for Lua 5.4; CURL=0 without libcurl
all: $(ABIS) ## the module for Lua 5.4, 5.3, 5.2 and 5.1
luajit: 5.1 ## build/5.1/mixpanel.so, for LuaJIT and Lua 5.1
$(ABIS): %: $(BUILD)/%/mixpanel.so

$(BUILD)/obj/core/%.o: src/core/%.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) -MMD -MP -c -o $@ $<

define abi_rules
$(BUILD)/obj/$(1)/%.o: src/binding/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(FLAGS) -isystem $$(INC_$(1)) -MMD -MP -c -o $$@ $$<

$(BUILD)/$(1)/mixpanel.so: $(OBJ) $(BINDING:src/binding/%.c=$(BUILD)/obj/$(1)/%.o)
	@mkdir -p $$(@D)
	$$(CC) $$(SHARED) -o $$@ $$^ $$(LIBS)
endef
$(foreach abi,$(ABIS),$(eval $(call abi_rules,$(abi))))

ifdef LINK
$(MODULE): $(OBJ) $(BINDING:src/binding/%.c=$(BUILD)/obj/$(ABI)/%.o)
	@mkdir -p $(@D)
	$(CC) $(SHARED) -o $@ $^ -l$(LINK) $(LIBS)
endif

# An archive, of which the linker takes what a program needs.
$(BUILD)/core.a: $(OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/spec/%: spec/c/%.c $(BUILD)/core.a
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(BUILD)/core.a $(LIBS)

# Unit tests of the binding, in Lua 5.4.
BINDING_UNITS = $(patsubst spec/%.c,$(BUILD)/spec/%,$(wildcard spec/binding/*_spec.c))

$(BUILD)/spec/binding/%: spec/binding/%.c $(OBJ) $(BINDING:src/binding/%.c=$(BUILD)/obj/5.4/%.o)
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) $(LDFLAGS) -isystem $(INC_5.4) -MMD -MP -o $@ \
	    $< $(filter %.o,$^) $(LIBS) -llua5.4

# Hosts for specs: one whose threads have a Lua state each, one that embeds.
$(BUILD)/spec/threads $(BUILD)/spec/embedder: $(BUILD)/spec/%: spec/support/%.c
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) $(LDFLAGS) -isystem $(INC_5.4) -MMD -MP -o $@ $< \
	    -llua5.4 -lpthread

# One that has several Luas, and knows none of them.
$(BUILD)/spec/luas: spec/support/luas.c
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) $(LDFLAGS) -MMD -MP -o $@ $< -ldl

# As LuaRocks links it: nothing but the module's own code keeps it loaded.
$(BUILD)/spec/unpinned/mixpanel.so: $(BUILD)/5.4/mixpanel.so
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) -o $@ $(OBJ) \
	    $(BINDING:src/binding/%.c=$(BUILD)/obj/5.4/%.o) $(LIBS)

# What specs need of POSIX and Lua has not, for the two Luas they run on.
define posix_rule
$(BUILD)/spec/$(1)/spec_posix.so: spec/support/spec_posix.c
	@mkdir -p $$(@D)
	$$(CC) $$(SPEC_FLAGS) $$(LDFLAGS) -isystem $$(INC_$(1)) -MMD -MP -shared -o $$@ $$<
endef
$(foreach abi,5.4 5.1,$(eval $(call posix_rule,$(abi))))

# A host whose name server never answers: for spec/fault.
$(BUILD)/spec/blackhole: spec/support/blackhole.c
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) $(LDFLAGS) -MMD -MP -o $@ $<

# Takes a file system away: for spec/spool.
$(BUILD)/spec/shut_down: spec/support/shut_down.c
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) $(LDFLAGS) -MMD -MP -o $@ $<

# A disk that hangs, to be preloaded: for spec/fault.
$(BUILD)/spec/stuck_sync.so: spec/support/stuck_sync.c
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) -fvisibility=default -MMD -MP -shared -o $@ $<

# A resolver that hangs, to be preloaded: for spec/nats.
$(BUILD)/spec/stuck_names.so: spec/support/stuck_names.c
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) -fvisibility=default -MMD -MP -shared -o $@ $< -ldl

# A driver of a bus, and some with which something is wrong.
DRIVERS = fake old new empty broken
FAKE_old    = -DSYMBOL=mp_bus_driver_old -DABI=0
FAKE_new    = -DSYMBOL=mp_bus_driver_new -DABI=3
FAKE_empty  = -DSYMBOL=mp_bus_driver_another
FAKE_broken = -DSYMBOL=mp_bus_driver_broken -DNEEDS=no_library_has_this

$(BUILD)/spec/drivers/mixpanel_%.so: spec/support/mixpanel_fake.c
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) $(FAKE_$*) $(LDFLAGS) -MMD -MP -shared -o $@ $<

# The driver of NATS, which knows no Lua: one file serves all. NATS_ROOT is a
# directory below which libnats was unpacked instead of installed.
NATS      = $(BUILD)/mixpanel_nats.so
NATS_LIBS = -lnats -lpthread
ifdef NATS_ROOT
NATS_FLAGS = -isystem $(NATS_ROOT)/usr/include
# Also for what libnats itself needs, unlike the newer tag.
NATS_LIBS := $(foreach dir,$(abspath $(wildcard $(NATS_ROOT)/usr/lib/*/)),\
    -L$(dir) -Wl,--disable-new-dtags,-rpath,$(dir)) $(NATS_LIBS)
endif

$(BUILD)/obj/nats/%.o: src/nats/%.c
	@mkdir -p $(@D)
	$(CC) $(FLAGS) $(NATS_FLAGS) -MMD -MP -c -o $@ $<

NATS_OBJ = $(patsubst src/nats/%.c,$(BUILD)/obj/nats/%.o,$(wildcard src/nats/*.c))

$(NATS): $(NATS_OBJ)
	@mkdir -p $(@D)
	$(CC) $(SHARED) -o $@ $^ $(NATS_LIBS)

# The same connections for a program in Lua: require "mixpanel.nats".
define nats_rules
$(BUILD)/obj/$(1)/nats/%.o: src/nats/lua/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(FLAGS) $$(NATS_FLAGS) -isystem $$(INC_$(1)) -MMD -MP -c -o $$@ $$<

$(BUILD)/$(1)/mixpanel/nats.so: $$(filter-out %/driver.o,$$(NATS_OBJ)) \
    $(patsubst src/nats/lua/%.c,$(BUILD)/obj/$(1)/nats/%.o,$(wildcard src/nats/lua/*.c))
	@mkdir -p $$(@D)
	$$(CC) $$(SHARED) -o $$@ $$^ $$(NATS_LIBS) -lm
endef
$(foreach abi,$(ABIS),$(eval $(call nats_rules,$(abi))))

NATS_LUA = $(BUILD)/$(ABI)/mixpanel/nats.so

nats: $(NATS) $(NATS_LUA) ## driver and link of NATS JetStream; needs libnats-dev

flags: # for .ci/lint
	@echo '$(FLAGS)'

spec-flags:
	@echo '$(SPEC_FLAGS)'

unit-programs: $(UNITS) $(BINDING_UNITS)

units: unit-programs $(BUILD)/spec/threads $(BUILD)/spec/embedder \
    $(BUILD)/spec/blackhole $(BUILD)/spec/stuck_sync.so $(BUILD)/spec/luas \
    $(BUILD)/spec/shut_down $(BUILD)/spec/stuck_names.so \
    $(BUILD)/spec/unpinned/mixpanel.so \
    $(BUILD)/spec/5.4/spec_posix.so $(BUILD)/spec/5.1/spec_posix.so \
    $(DRIVERS:%=$(BUILD)/spec/drivers/mixpanel_%.so)

# Fuzz targets: see .ci/suites/fuzz for the flags that make them so.
FUZZ = $(patsubst spec/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard spec/fuzz/*.c))

$(BUILD)/fuzz/%: spec/fuzz/%.c $(OBJ) $(BINDING:src/binding/%.c=$(BUILD)/obj/5.4/%.o)
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) $(LDFLAGS) -isystem $(INC_5.4) -MMD -MP -o $@ \
	    $< $(filter %.o,$^) $(LIBS) -llua5.4

fuzz-targets: $(FUZZ)

# What the benchmarks measure with.
$(BUILD)/bench/count_malloc.so: bench/count_malloc.c
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) -fvisibility=default -shared -o $@ $<

$(BUILD)/bench/%/meter.so: bench/meter.c
	@mkdir -p $(@D)
	$(CC) $(SPEC_FLAGS) -isystem $(INC_$*) -shared -o $@ $<

-include $(shell find $(BUILD)/obj $(BUILD)/spec -name '*.d' 2>/dev/null)

# ---- the two commands --------------------------------------------------

demo: deps ## track real events through a local stand-in for Mixpanel
	@$(MAKE) --no-print-directory -s build
	@sandbox/sandbox run -- .ci/demo

demo-collector: deps ## a page whose events nginx collects, until Ctrl-C
	@$(MAKE) --no-print-directory -s luajit
	@sandbox/sandbox run -- .ci/demo-collector

demo-fleet: deps ## three servers of NATS, two forwarders, a relay, and what befalls them
	@.ci/nats
	@$(MAKE) --no-print-directory -s build luajit
	@$(MAKE) --no-print-directory -s NATS_ROOT=$(BUILD)/nats/root nats
	@sandbox/sandbox run -- .ci/demo-fleet

test: test-deps ## run every test; SUITE="units lint" only these
	@$(MAKE) --no-print-directory -j2 -s all units
	@.ci/test $(SUITE)

deps: ## install what building and the sandbox need
	@.ci/deps
	@sandbox/install.sh

test-deps: ## install what the tests need
	@.ci/deps test
	@sandbox/install.sh

# ---- the rest ----------------------------------------------------------

sandbox: deps ## start the stand-in and keep it until Ctrl-C
	@sandbox/sandbox run -- .ci/hold

check: test-deps ## units, specs on Lua 5.4 and lint: before each commit
	@$(MAKE) --no-print-directory -j2 -s build units
	@.ci/test units specs-5.4 lint

compile_commands.json: FORCE ## for clangd and other tools
	@.ci/compile_commands >$@

lint: ## check how the code reads
	@.ci/lint

asan tsan valgrind fuzz: test-deps ## the specs under the sanitizers or valgrind; fuzzing
	@$(MAKE) --no-print-directory -j2 -s build luajit units
	@VALGRIND=whole .ci/test $@

coverage: test-deps ## which lines the tests reach
	@.ci/deps coverage
	@.ci/coverage

format: ## mend how the code reads
	clang-format -i src/*/*/*.[ch] src/nats/*.[ch] spec/*/*.[ch] \
	    bench/*.c
	@.ci/stylua .

bench: test-deps ## measure everything, against its peers: bench/results.md
	@$(MAKE) --no-print-directory -s build luajit \
	    $(BUILD)/bench/count_malloc.so \
	    $(BUILD)/bench/5.4/meter.so $(BUILD)/bench/5.1/meter.so \
	    $(BUILD)/spec/5.4/spec_posix.so
	@.ci/nats
	@$(MAKE) --no-print-directory -s NATS_ROOT=$(BUILD)/nats/root nats
	@cd bench && npm ci --loglevel error --no-audit --no-fund --ignore-scripts
	@lua5.4 bench/run.lua

bench-gate: test-deps ## has track become slower? in instructions, not in time
	@$(MAKE) --no-print-directory -s build \
	    $(BUILD)/bench/count_malloc.so $(BUILD)/bench/5.4/meter.so
	@lua5.4 bench/gate.lua

docs: ## render docs/reference.md from the files in library
	@lua5.4 docs/render.lua

# The companions in Lua, with their folders, into a directory that Lua looks in.
install_lua = for file in $$(cd src && find mixpanel -name '*.lua'); do \
	    install -D -m 644 src/$$file $(1)/$$file || exit; \
	done

# The command line, for the Lua that the module is for.
LUA = $(if $(filter 5.1,$(ABI)),luajit,lua$(ABI))

install_bin = install -d $(DESTDIR)$(PREFIX)/bin && \
    sed -e '1s|.*|\#!/usr/bin/env $(LUA)|' \
        -e 's|^local installed = .*|local installed = "$(PREFIX)"|' \
        bin/mixpanel >$(DESTDIR)$(PREFIX)/bin/mixpanel && \
    chmod 755 $(DESTDIR)$(PREFIX)/bin/mixpanel

# What shells complete with, and the manual page, made by the command line itself;
# without lua-argparse, or for another machine, there is neither.
generated = bash:share/bash-completion/completions/mixpanel \
    zsh:share/zsh/site-functions/_mixpanel man:share/man/man1/mixpanel.1

install_generated = text=$$(mktemp) && for pair in $(generated); do \
	    if $(LUA) bin/mixpanel completion $${pair%%:*} >$$text 2>/dev/null; then \
	        install -D -m 644 $$text $(DESTDIR)$(PREFIX)/$${pair\#*:}; \
	    else \
	        echo "not made, since lua-argparse is missing: $${pair\#*:}"; \
	    fi; \
	done; rm -f $$text

install: $(MODULE) ## install for Lua ABI, or linked with LINK, under PREFIX
	install -D -m 755 $(MODULE) \
	    $(DESTDIR)$(PREFIX)/lib/lua/$(ABI)/mixpanel.so
	$(call install_lua,$(DESTDIR)$(PREFIX)/share/lua/$(ABI))
	$(install_bin)
	@$(install_generated)

install-nats: $(NATS) $(NATS_LUA) ## install both beside the module of Lua ABI
	install -D -m 755 $(NATS) $(DESTDIR)$(PREFIX)/lib/lua/$(ABI)/mixpanel_nats.so
	install -D -m 755 $(NATS_LUA) $(DESTDIR)$(PREFIX)/lib/lua/$(ABI)/mixpanel/nats.so

# For LuaRocks, which knows where its Lua's headers are and where files go.
rock:
	rm -rf $(BUILD)/rock
	$(MAKE) --no-print-directory BUILD=$(BUILD)/rock ABIS=host \
	    INC_host='$(LUA_INCDIR)' host

rock-nats:
	rm -rf $(BUILD)/rock-nats
	$(MAKE) --no-print-directory BUILD=$(BUILD)/rock-nats ABIS=host ABI=host \
	    INC_host='$(LUA_INCDIR)' \
	    NATS_FLAGS='-isystem $(NATS_INCDIR)' \
	    NATS_LIBS='-L$(NATS_LIBDIR) -lnats -lpthread' nats

rock-nats-install:
	install -D -m 755 $(BUILD)/rock-nats/mixpanel_nats.so $(LIBDIR)/mixpanel_nats.so
	install -D -m 755 $(BUILD)/rock-nats/host/mixpanel/nats.so $(LIBDIR)/mixpanel/nats.so

rock-install:
	install -D -m 755 $(BUILD)/rock/host/mixpanel.so $(LIBDIR)/mixpanel.so
	$(call install_lua,$(LUADIR))
	install -D -m 755 bin/mixpanel $(BINDIR)/mixpanel

clean: ## remove build/
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z_.0-9 -]*:.*## / { printf "make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'Variables: ABI=$(ABI) PREFIX=$(PREFIX) DESTDIR= CURL=0 LINK=lua5.3 SUITE="units lint"'

.PHONY: build all luajit $(ABIS) unit-programs units demo test deps test-deps \
        sandbox lint asan tsan valgrind fuzz fuzz-targets flags spec-flags \
        coverage format docs bench bench-gate install nats install-nats rock \
        rock-install rock-nats rock-nats-install clean help check FORCE
.SECONDARY:
