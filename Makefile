# SPDX-License-Identifier: Apache-2.0
# Berth: one non-recursive makefile. `make help` lists the targets, O=DIR moves the build.

O ?= build
CC ?= cc
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

# Folders that become one archive each, highest layer first (link order), and the packages each needs.
FOLDERS := provisioner agent nfs lib/csi lib/volume lib/http lib/rpc lib/mount lib/kube lib/worker lib/sandbox lib/event lib/data lib/base
PKGS_lib/data := jansson yaml-0.1
PKGS_lib/event := libsystemd
PKGS_lib/sandbox := libcap libseccomp
PKGS_lib/worker := libsystemd
PKGS_lib/kube := libcurl jansson libsystemd
PKGS_lib/http := libmicrohttpd jansson libsystemd
PKGS_lib/volume := jansson
PKGS_nfs := libnfs jansson libsystemd
PKGS_provisioner := jansson libsystemd
PKGS_lib/rpc := libnghttp2 libsystemd
PKGS_lib/mount := mount libsystemd
PKGS_lib/csi := libprotobuf-c libsystemd
PKGS_tools/berthctl := libcurl jansson
PKGS_agent := jansson libsystemd
ALL_PKGS := libcurl jansson yaml-0.1 libsystemd libmicrohttpd libcap libseccomp libnfs libnghttp2 libprotobuf-c mount
WORKER_PKGS := libnfs jansson libcap libseccomp
BROKER_PKGS := libcap libseccomp

# pkg-config is asked once per make run and only when something is compiled.
pkg_cflags = $(if $(1),$(shell pkg-config --cflags $(1)))
pkg_libs = $(shell pkg-config --libs $(1))

WARN := -Wall -Wextra -Wformat=2 -Wconversion -Wno-sign-conversion -Wshadow -Wcast-align \
	-Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough -Wpointer-arith -Wundef \
	-Wwrite-strings -Wvla -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types \
	-Werror=int-conversion
HARDEN := -O2 -fstack-protector-strong -fstack-clash-protection \
	-fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fPIE
# clang before 16 (Debian 12 has 14) refuses this one.
HARDEN += $(shell $(CC) -ftrivial-auto-var-init=zero -x c -fsyntax-only /dev/null 2>/dev/null && \
	echo -ftrivial-auto-var-init=zero)
HARDEN_LD := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed
MACHINE := $(shell uname -m)
ifeq ($(MACHINE),x86_64)
HARDEN += -fcf-protection=full
else ifeq ($(MACHINE),aarch64)
HARDEN += -mbranch-protection=standard
endif
ifdef SANITIZE
SANFLAGS := -fsanitize=$(SANITIZE) -fno-sanitize=alignment -fno-omit-frame-pointer -fno-sanitize-recover=undefined
else
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
HARDEN_LD += -Wl,-z,nodlopen
endif
ifdef DEVELOPER
WARN += -Werror
endif
BASE_CFLAGS := -std=gnu11 -g -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DBERTH_VERSION='"$(VERSION)"' -Ilib -I. \
	-isystem $(O)/gen $(WARN) $(HARDEN) $(SANFLAGS)
BASE_LDFLAGS := $(HARDEN_LD) $(SANFLAGS)

# ---- what there is --------------------------------------------------------------------------
MAINS := provisioner/main.c nfs/worker_main.c agent/broker_main.c agent/front_main.c
folder_sources = $(filter-out $(MAINS),$(wildcard $(1)/*.c))
archive = $(O)/$(1)/$(notdir $(1)).a
# protobuf-c's code is made at build time; its headers are the library's, not ours to warn about.
GEN := $(O)/gen
GEN_SOURCES := $(patsubst lib/%.proto,$(GEN)/%.pb-c.c,$(wildcard lib/csi/*.proto))
ARCHIVES := $(foreach f,$(FOLDERS),$(if $(call folder_sources,$(f)),$(call archive,$(f))))
DEVAPI_SOURCES := $(wildcard tools/devapi/*.c)
BERTHCTL_SOURCES := $(wildcard tools/berthctl/*.c)
PROGRAMS := $(O)/bin/berth-provisioner $(O)/bin/berth-nfs $(O)/bin/berth-agent $(O)/bin/berthctl \
	$(if $(wildcard agent/front_main.c),$(O)/bin/berth-front) $(if $(DEVAPI_SOURCES),$(O)/bin/devapi)

UNIT_TESTS := $(patsubst %.c,$(O)/%,$(wildcard tests/unit/test_*.c))
UNIT_HELPERS := $(patsubst %.c,$(O)/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
FAULT_TOOLS := $(patsubst %.c,$(O)/%,$(wildcard tests/fault/*.c)) \
	$(patsubst tests/fault/%/,$(O)/tests/fault/%,$(dir $(wildcard tests/fault/*/main.c)))
BENCH_TOOLS := $(patsubst %.c,$(O)/%,$(wildcard tests/bench/*.c))
FUZZERS := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/fuzz_*.c))
COMPONENT_TESTS := $(wildcard tests/component/*.test)
KERNEL_TESTS := $(wildcard tests/kernel/*.test)
KERNEL_TOOLS := $(patsubst %.c,$(O)/%,$(wildcard tests/kernel/*.c))

.PHONY: all check check-layers check-shape check-faults check-format check-fuzz test run-test unit component kernel test-kernel \
	sanitize demo bench format install clean help deps test-real-api e2e image test-libnfs5
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS)

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

#: make             build the programs into build/bin (DEVELOPER=1: warnings are errors, SANITIZE=address,undefined)
#: make demo        the whole job on this machine, everything set up by itself and cleaned up after
#: make test        everything that is checked: shape, unit, sanitizer, component, fault, kernel, fuzz smoke
#: make test-kernel the tests that need a kernel of their own: NFS mounts in user-mode-linux
#: make check       layers, shape, format, the table of faults
#: make bench       figures beside limits measured in the same run, also in build/bench.json
#: make check-fuzz  sixty seconds over all fuzz targets
#: make test-real-api  component tests against a real Kubernetes (needs Go)
#: make e2e         StatefulSets and other pods on real kubelets, one with an NFS client (needs Go)
#: make image       a container image of what make install installs: build/berth.tar (tools/image)
#: make format      clang-format over all sources
#: make install     into DESTDIR/PREFIX
#: make deps        install through apt-get what is missing

deps:
	@tools/deps build test

# ---- compile ----------------------------------------------------------------------------------
$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(call pkg_cflags,$(PKGS_$(patsubst %/,%,$(dir $<)))) -MMD -MP -c -o $@ $<

$(GEN)/%.pb-c.c: lib/%.proto
	@mkdir -p $(@D)
	@echo "  PROTO   $<"
	@protoc-c --proto_path=lib --c_out=$(GEN) $*.proto
$(GEN)/%.o: $(GEN)/%.c Makefile
	@$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) -w -c -o $@ $<
$(GEN)/%.fuzz.o: $(GEN)/%.c Makefile
	@clang -g -O1 -isystem $(GEN) $(FUZZ_COVERAGE) -w -c -o $@ $<
# Their headers have to be there first, and are newer than what was built before.
$(patsubst %.c,$(O)/%.o,$(call folder_sources,lib/csi)) $(patsubst %.c,$(O)/fuzz/%.o,$(call folder_sources,lib/csi)) \
	$(patsubst %.c,$(O)/%.o,$(wildcard tests/unit/test_csi_*.c)): $(GEN_SOURCES)
$(call archive,lib/csi): $(GEN_SOURCES:.c=.o)

define archive_rule
$(call archive,$(1)): $(patsubst %.c,$(O)/%.o,$(call folder_sources,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcsD $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive_rule,$(f))))

link = echo "  LINK    $@"; mkdir -p $(@D); $(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(O)/bin/berth-provisioner: $(O)/provisioner/main.o $(ARCHIVES)
	@$(link) $(call pkg_libs,$(ALL_PKGS)) $(LDLIBS)

# The worker parses a server's bytes: libc, libnfs and the sandbox, no TLS library.
$(O)/bin/berth-nfs: $(O)/nfs/worker_main.o $(call archive,nfs) $(call archive,lib/volume) $(call archive,lib/worker) $(call archive,lib/sandbox) $(call archive,lib/data) $(call archive,lib/base)
	@$(link) $(call pkg_libs,$(WORKER_PKGS)) $(LDLIBS)

# The broker keeps the agent's powers, and its mount children are it: libc and the sandbox. What needs more does not link.
$(O)/bin/berth-agent: $(O)/agent/broker_main.o $(call archive,agent) $(call archive,lib/mount) $(call archive,lib/worker) $(call archive,lib/sandbox) $(call archive,lib/base)
	@$(link) $(call pkg_libs,$(BROKER_PKGS)) $(LDLIBS)

$(O)/bin/berth-front: $(O)/agent/front_main.o $(ARCHIVES)
	@$(link) $(call pkg_libs,$(ALL_PKGS)) $(LDLIBS)

$(O)/bin/devapi: $(patsubst %.c,$(O)/%.o,$(DEVAPI_SOURCES)) $(ARCHIVES)
	@$(link) $(call pkg_libs,$(ALL_PKGS)) $(LDLIBS)

# Of the agent only what doctor checks.
$(O)/bin/berthctl: $(patsubst %.c,$(O)/%.o,$(BERTHCTL_SOURCES)) $(ARCHIVES)
	@$(link) $(call pkg_libs,$(ALL_PKGS)) $(LDLIBS)

WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=strdup,--wrap=strndup
$(O)/tests/unit/test_%: $(O)/tests/unit/test_%.o $(UNIT_HELPERS) $(patsubst %.c,$(O)/%.o,$(filter-out %/main.c,$(DEVAPI_SOURCES) $(BERTHCTL_SOURCES))) $(ARCHIVES)
	@$(link) $(WRAP) $(call pkg_libs,$(ALL_PKGS) cmocka) $(LDLIBS)

$(O)/tests/fault/%: tests/fault/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(BASE_CFLAGS) $(CFLAGS) $(BASE_LDFLAGS) -o $@ $< $(call pkg_libs,libseccomp)
# A tool's name is its folder's: no object files in between, they would want a folder where the program goes.
define fault_dir_rule
$(O)/tests/fault/$(1): $(wildcard tests/fault/$(1)/*.c tests/fault/$(1)/*.h) Makefile
	@mkdir -p $$(@D)
	@rm -rf $$@
	@echo "  CC      tests/fault/$(1)"
	@$$(CC) $$(BASE_CFLAGS) $$(CFLAGS) $$(BASE_LDFLAGS) -o $$@ $$(filter %.c,$$^) $$(call pkg_libs,libseccomp)
endef
$(foreach d,$(patsubst tests/fault/%/,%,$(dir $(wildcard tests/fault/*/main.c))),$(eval $(call fault_dir_rule,$(d))))

$(O)/tests/bench/%: $(O)/tests/bench/%.o $(ARCHIVES)
	@$(link) $(call pkg_libs,$(ALL_PKGS)) $(LDLIBS)

$(O)/tests/bench/fakeagent: $(O)/tests/unit/view_world.o

# Run inside user-mode-linux: what the mount child has, and nothing else.
$(O)/tests/kernel/%: $(O)/tests/kernel/%.o $(call archive,lib/mount) $(call archive,lib/base)
	@$(link) $(LDLIBS)

# Fuzzers: the library sources once more, with clang's coverage.
# libnfs hands out XDR structs that are aligned to 4 bytes only.
FUZZ_FLAGS := -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
FUZZ_SOURCES = $(foreach f,$(FOLDERS),$(call folder_sources,$(f)))
FUZZ_OBJECTS = $(patsubst %.c,$(O)/fuzz/%.o,$(FUZZ_SOURCES)) $(GEN_SOURCES:.c=.fuzz.o)
FUZZ_COVERAGE := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=alignment -fno-sanitize-recover=undefined
$(O)/fuzz/%.o: %.c Makefile
	@mkdir -p $(@D)
	@clang -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DBERTH_VERSION='"$(VERSION)"' -Ilib -I. -isystem $(GEN) -g -O1 \
		$(FUZZ_COVERAGE) $(call pkg_cflags,$(ALL_PKGS)) -MMD -MP -c -o $@ $<
$(O)/fuzz/libfuzz.a: $(FUZZ_OBJECTS)
	@rm -f $@; ar rcsD $@ $^
$(O)/tests/fuzz/%: tests/fuzz/%.c $(O)/fuzz/libfuzz.a
	@mkdir -p $(@D)
	@echo "  FUZZ    $<"
	@clang -std=gnu11 -D_GNU_SOURCE -Ilib -I. $(FUZZ_FLAGS) $(call pkg_cflags,$(ALL_PKGS)) -o $@ $< $(filter %.o,$^) $(O)/fuzz/libfuzz.a $(call pkg_libs,$(ALL_PKGS))
$(O)/tests/fuzz/fuzz_admin: $(O)/fuzz/tests/unit/view_world.o

# ---- check ------------------------------------------------------------------------------------
C_FILES = $(shell git ls-files -co --exclude-standard '*.c' '*.h')
check: check-layers check-shape check-faults check-format
check-layers:
	@tools/check-layers
check-shape:
	@tools/check-shape
check-faults:
	@tools/check-faults
check-format:
	@clang-format --dry-run -Werror $(C_FILES)
format:
	@clang-format -i $(C_FILES)

# ---- test -------------------------------------------------------------------------------------
T ?= *
# Test files side by side: each has namespaces, servers and a directory of its own, and waits most of its time. Those with a
# kernel or a cluster of their own do not.
TEST_JOBS ?= 3
HEAVY_JOBS ?= 2
unit: $(UNIT_TESTS)
	@tools/run-tests --again $(filter-out %.d %.o,$(wildcard $(if $(filter *,$(T)),$(UNIT_TESTS),$(O)/tests/unit/$(T))))
component: all $(FAULT_TOOLS) $(BENCH_TOOLS)
	@O=$(O) tools/run-tests --timeout 900 --jobs $(TEST_JOBS) --again $(if $(filter *,$(T)),$(COMPONENT_TESTS),tests/component/$(T).test)
test-kernel: kernel
kernel: all $(FAULT_TOOLS) $(BENCH_TOOLS) $(KERNEL_TOOLS)
	@O=$(O) tools/run-tests --timeout 900 --jobs $(HEAVY_JOBS) --again $(KERNEL_TESTS)
test: deps
	@$(MAKE) --no-print-directory run-test
run-test: all $(UNIT_TESTS) $(FAULT_TOOLS) $(BENCH_TOOLS) $(KERNEL_TOOLS)
	@O=$(O) tools/test-all
check-fuzz: $(FUZZERS)
	@tools/run-fuzz 60 $(FUZZERS)
#: make test-libnfs5 build with Debian 13's compiler and libraries
test-libnfs5:
	@tools/run-tests --timeout 900 tests/libnfs5
test-real-api: all $(BENCH_TOOLS) $(FAULT_TOOLS)
	@O=$(O) HEAVY_JOBS=$(HEAVY_JOBS) tests/cluster/test-real-api
e2e: all $(BENCH_TOOLS)
	@O=$(O) tools/run-tests --timeout 1500 --again tests/cluster/statefulset.test; status=$$?; \
		! [ -f $(O)/e2e.txt ] || cat $(O)/e2e.txt; exit $$status
demo:
	@tools/deps build demo
	@$(MAKE) -s --no-print-directory all $(O)/tests/bench/kubelet
	@O=$(O) tools/demo
image: all
	@O=$(O) tools/image build
bench:
	@tools/deps build test
	@$(MAKE) --no-print-directory all $(BENCH_TOOLS)
	@O=$(O) tests/bench/run

install: all
	install -D -m 0755 $(O)/bin/berth-provisioner $(DESTDIR)$(PREFIX)/bin/berth-provisioner
	install -D -m 0755 $(O)/bin/berth-nfs $(DESTDIR)$(PREFIX)/libexec/berth/berth-nfs
	install -D -m 0755 $(O)/bin/berth-agent $(DESTDIR)$(PREFIX)/bin/berth-agent
	$(if $(wildcard agent/front_main.c),install -D -m 0755 $(O)/bin/berth-front $(DESTDIR)$(PREFIX)/libexec/berth/berth-front)
	install -D -m 0755 $(O)/bin/berthctl $(DESTDIR)$(PREFIX)/bin/berthctl
	install -D -m 0644 docs/berth-provisioner.8 $(DESTDIR)$(PREFIX)/share/man/man8/berth-provisioner.8
	install -D -m 0644 docs/berth-agent.8 $(DESTDIR)$(PREFIX)/share/man/man8/berth-agent.8
	install -D -m 0644 docs/berthctl.1 $(DESTDIR)$(PREFIX)/share/man/man1/berthctl.1
	install -D -m 0644 tools/berthctl/berthctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/berthctl

clean:
	rm -rf $(O)

-include $(shell [ -d $(O) ] && find $(O) -name '*.d')
