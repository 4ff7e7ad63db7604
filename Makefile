# Rookery: one Makefile for everything.
#
#   make            build every program into bin/
#   make deps       install what building and testing need (Debian packages)
#   make run        build, make a demo instance, send a message through it, keep it up until Ctrl-C
#   make test       build and run all tests; SANITIZE=address,undefined runs them on a sanitizer build
#   make bench      measure against Postfix and Dovecot, side by side
#   make fuzz       run every fuzz target for FUZZ_SECONDS (with clang); FUZZ="path mime" only those
#   make lint       clang-tidy and cppcheck
#   make install    DESTDIR= PREFIX=/usr/local
#   make man        the manual pages that are made from the sources
#
# V=1 shows whole command lines.
#
# A program is a directory with the sources of that program alone; lib/ and store/ make one library, of
# which the linker takes what a program uses.

CC	= gcc
PREFIX	= /usr/local
DESTDIR	=
SANITIZE =
FUZZ_SECONDS = 10
DEMO	= demo
V	= 0
say	= $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' $(1) $(2);)

ifeq ($(SANITIZE),)
BUILD	= build/$(CC)
BIN	= bin
OPT	= -O2 -D_FORTIFY_SOURCE=2
LINK	= -Wl,--as-needed
else
BUILD	= build/$(CC)-$(subst $(comma),-,$(SANITIZE))
BIN	= $(BUILD)/bin
OPT	= -O1 -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
# The sanitizer has a crypt_r of its own that calls libcrypt's: to the linker, libcrypt then looks unneeded.
LINK	= -Wl,--no-as-needed
endif
comma	= ,

WARN	= -Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
	  -Wvla -Wpointer-arith -Wcast-qual -Wundef -Wwrite-strings
CFLAGS	= -g $(OPT)
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -I. -Ilib -I$(BUILD)/gen $(WARN) -fstack-protector-strong -fPIE \
	  $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LINK) $(OPT) $(LDFLAGS)
LIBS	= -lssl -lcrypto -lsqlite3 -lunbound -lseccomp -lsodium -lcrypt -lpcre2-8 -lidn2 -lz -lzstd -lm

# program name = directory
PROGRAMS = master:master smtpd:smtpd queue:queue filterd:filterd mimed:mimed authd:authd keyd:keyd \
	   proxyd:proxyd imapd:imapd pop3d:pop3d upkeep:upkeep \
	   deliver-local:deliver/local deliver-smtp:deliver/smtp dsn:deliver/dsn rookery:ctl

# A program whose directory has no source yet is left out.
have	 = $(foreach p,$(PROGRAMS),$(if $(wildcard $(call dir_of,$(p))/*.c),$(p)))
name_of	 = $(word 1,$(subst :, ,$(1)))
dir_of	 = $(word 2,$(subst :, ,$(1)))
objs_of	 = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(1)/*.c)))

LIB_SRC	 := $(sort $(wildcard lib/*/*.c) $(wildcard store/*.c))
LIB_OBJ	 := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB	 = $(BUILD)/librookery.a
UNIT_SRC := $(sort $(wildcard t/unit-*.c))
UNITS	 := $(UNIT_SRC:%.c=$(BUILD)/%)
FUZZ_SRC := $(sort $(wildcard fuzz/*.c))
BINS	 := $(foreach p,$(have),$(BIN)/$(call name_of,$(p)))

all: $(BINS) $(if $(filter rookery:ctl,$(have)),$(BIN)/sendmail)

# Unit tests named unit-PROGRAM-* are linked with what the program is made of, but for its main file.
main_of	 = $(patsubst %.c,$(BUILD)/%.o,$(firstword $(wildcard $(foreach n,$(call name_of,$(1)) \
	   $(notdir $(call dir_of,$(1))),$(call dir_of,$(1))/$(n).c))))

define program
$(BIN)/$(call name_of,$(1)): $(call objs_of,$(call dir_of,$(1))) $(LIB)
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@) $$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(LIBS)

$(BUILD)/t/unit-$(call name_of,$(1))-%: t/unit-$(call name_of,$(1))-%.c \
    $(filter-out $(call main_of,$(1)),$(call objs_of,$(call dir_of,$(1)))) $(LIB)
	@mkdir -p $$(@D)
	$$(call say,TEST,$$@) $$(CC) $$(ALL_CFLAGS) -MMD -MP -MF $$(@D)/.$$(@F).d $$(ALL_LDFLAGS) -o $$@ \
	  $$(filter %.c %.o %.a,$$^) $$(LIBS)
endef
$(foreach p,$(have),$(eval $(call program,$(p))))

$(BIN)/sendmail: $(BIN)/rookery
	$(call say,LN,$@) ln -sf rookery $@

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(call say,AR,$@) ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<) $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# It has the files of etc/ inside.
$(BUILD)/ctl/templates.o: etc/master.cf etc/rookery.cf etc/filters.cf

$(BUILD)/t/unit-%: t/unit-%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,TEST,$@) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $(@D)/.$(@F).d $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# Makes a running process execute system calls: of t/66-inject.t.
$(BUILD)/t/inject: t/inject.c $(LIB)
	@mkdir -p $(@D)
	$(call say,TEST,$@) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $(@D)/.$(@F).d $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LIBS)

units: $(UNITS) $(BUILD)/t/inject

unit-test: $(UNITS)
	prove --exec '' $(UNITS)

# TESTS="t/55-master.t build/gcc/t/unit-cfg" runs only those.
TESTS	= $(UNITS) $(sort $(wildcard t/*.t))
test: deps
	@$(MAKE) --no-print-directory all units
	BIN=$(abspath $(BIN)) BUILD=$(abspath $(BUILD)) prove -j2 --failures --exec '' $(TESTS)

clean:
	rm -rf build bin

.PHONY: all units unit-test test clean

# Debian 12's packages. Building needs the first list, the tests the second as well.
BUILD_PKGS = gcc make libc6-dev libssl-dev libsqlite3-dev libsodium-dev libseccomp-dev libunbound-dev \
	     libidn2-dev libpcre2-dev zlib1g-dev libzstd-dev libcrypt-dev
TEST_PKGS  = perl python3 curl swaks libnet-ssleay-perl libio-socket-ssl-perl isync mutt offlineimap3 fetchmail openssl sqlite3 \
	     strace procps iproute2 util-linux e2fsprogs mount

# Installs what is missing, and says what it would need when it may not.
deps:
	@missing=$$(dpkg-query -W -f='$${db:Status-Abbrev} $${Package}\n' $(BUILD_PKGS) $(TEST_PKGS) 2>/dev/null | \
	  awk -v want="$(BUILD_PKGS) $(TEST_PKGS)" '$$1=="ii"{have[$$NF]=1} \
	  END{n=split(want,w," "); for(i=1;i<=n;i++) if(!(w[i] in have)) printf "%s ", w[i]}'); \
	if [ -n "$$missing" ]; then \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  command -v sudo >/dev/null || [ -z "$$sudo" ] || { echo "as root: apt-get install $$missing"; exit 1; }; \
	  echo "installing: $$missing"; \
	  $$sudo apt-get update -qq && \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing; \
	fi

.PHONY: deps

# ---- measuring
$(BUILD)/bench/%: bench/%.c $(LIB)
	@mkdir -p $(@D)
	$(call say,BENCH,$@) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< $(LIB) $(LIBS)

# As root; BENCH passes options, e.g. make bench BENCH="--only smtp1,smtp10 --scale 0.2".
bench: all $(BUILD)/bench/load
	@command -v postfix doveadm >/dev/null || { echo "install the peers first: apt-get install" \
	  "--no-install-recommends postfix dovecot-imapd dovecot-pop3d dovecot-lmtpd"; exit 1; }
	/usr/bin/python3 bench/run.py $(BENCH)

.PHONY: bench

# ---- to see it work: an instance in $(DEMO), until Ctrl-C
run: deps
	@$(MAKE) --no-print-directory all
	@BIN=$(abspath $(BIN)) etc/demo.sh $(DEMO)

.PHONY: run

# ---- fuzzing: each target is linked with the library, and with the programs whose headers it includes
FUZZ	= $(FUZZ_SRC:fuzz/%.c=%)
FUZZ_OPT = -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
includes = $(shell sed -n 's,^\#include "\(.*\)/[^/]*",\1,p' fuzz/$(1).c)
fuzz_objs = $(foreach p,$(have),$(if $(filter $(call dir_of,$(p)),$(call includes,$(1))), \
	    $(filter-out $(call main_of,$(p)),$(call objs_of,$(call dir_of,$(p))))))

fuzz:
	@command -v clang >/dev/null || { echo "make fuzz needs clang"; exit 1; }
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz OPT="$(FUZZ_OPT)" LINK=-Wl,--no-as-needed \
	  FUZZ="$(FUZZ)" fuzz-run

.SECONDEXPANSION:
$(BUILD)/fuzz/%: fuzz/%.c $(LIB) $$(call fuzz_objs,$$*)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@) $(CC) $(ALL_CFLAGS) -MMD -MP -MF $(@D)/.$(@F).d $(ALL_LDFLAGS) \
	  -fsanitize=fuzzer,address,undefined -o $@ $(filter %.c %.o,$^) $(LIB) $(LIBS)

# What is found new stays in build/fuzz/found; fuzz/corpus has only seeds.
fuzz-run: $(FUZZ:%=$(BUILD)/fuzz/%)
	@failed=; for t in $(FUZZ); do \
	  mkdir -p $(BUILD)/found/$$t $(BUILD)/crashes; \
	  if $(BUILD)/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
	    -artifact_prefix=$(BUILD)/crashes/$$t- $(BUILD)/found/$$t fuzz/corpus/$$t >$(BUILD)/$$t.log 2>&1; \
	  then echo "ok $$t"; else echo "not ok $$t: $(BUILD)/$$t.log"; tail -40 $(BUILD)/$$t.log; failed=1; fi; \
	done; [ -z "$$failed" ]

.PHONY: fuzz fuzz-run

# ---- checking without running: .clang-tidy says what for
C_FILES	 = $(filter %.c,$(LIB_SRC)) $(foreach p,$(have),$(wildcard $(call dir_of,$(p))/*.c))
lint:
	@command -v clang-tidy cppcheck >/dev/null || { echo "make lint needs clang-tidy and cppcheck"; exit 1; }
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability --inline-suppr \
	  --suppressions-list=.cppcheck -j$$(nproc) -I. -Ilib -D_GNU_SOURCE $(C_FILES)
	@echo $(C_FILES) | xargs -n 8 -P $$(nproc) sh -c 'clang-tidy --quiet "$$@" -- -std=gnu17 -D_GNU_SOURCE -I. -Ilib 2>/dev/null' sh

# What clang-format would change: nothing, before a commit.
format-diff:
	@for f in $(C_FILES) $(wildcard */*.h */*/*.h t/*.c fuzz/*.c bench/*.c); do clang-format $$f | diff -u --label $$f --label $$f $$f - ; done; true

.PHONY: lint format-diff

# ---- installing
MAN	 = $(sort $(wildcard man/*.[1-8])) $(BUILD)/man/rookery.cf.5
man: $(BUILD)/man/rookery.cf.5
$(BUILD)/man/rookery.cf.5: $(BIN)/rookery
	@mkdir -p $(@D)
	$(call say,MAN,$@) $(BIN)/rookery config --man > $@

install: all man
	install -d $(DESTDIR)$(PREFIX)/lib/rookery $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
	  $(DESTDIR)$(PREFIX)/share/rookery $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(BINS) $(DESTDIR)$(PREFIX)/lib/rookery/
	ln -sf ../lib/rookery/rookery $(DESTDIR)$(PREFIX)/sbin/rookery
	ln -sf ../lib/rookery/rookery $(DESTDIR)$(PREFIX)/sbin/sendmail
	ln -sf ../lib/rookery/rookery $(DESTDIR)$(PREFIX)/bin/mailq
	install -m 644 etc/master.cf etc/rookery.cf etc/filters.cf $(DESTDIR)$(PREFIX)/share/rookery/
	sed 's,@SBIN@,$(PREFIX)/sbin,' etc/rookery.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/rookery.service
	@for f in $(MAN); do d=$(DESTDIR)$(PREFIX)/share/man/man$${f##*.}; install -d $$d; install -m 644 $$f $$d/; done

.PHONY: man install

# ---- documents made from the sources
docs/ipc.md: docs/ipc.awk $(wildcard lib/ipc/*.def)
	LC_ALL=C awk -f docs/ipc.awk $(sort $(wildcard lib/ipc/*.def)) > $@
