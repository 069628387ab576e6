# Tallystick: the two commands are `make demo` and `make test`; `make help` lists all.
#
# What a fresh Debian machine lacks is installed here and nowhere else, before anything is compiled: a C++ compiler and libclang
# for RocksDB, the wasm32 target of Rust, and, for `make test` only, Python with venv and a browser. One cargo profile serves clippy, tests, demo and
# bench, so that RocksDB and the consensus engine are compiled once. The target directory lies outside the clone and is used again by
# the next clone.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO_TARGET_DIR ?= $(HOME)/.cache/tallystick/target
export CARGO_TARGET_DIR
BIN := $(CARGO_TARGET_DIR)/release

CARGO_FLAGS   := --release --workspace --locked
# Where `make devnet` keeps its network; the next `make devnet` starts it again.
DEVNET_DIR    ?= $(HOME)/.cache/tallystick/devnet
# Kill cycles of the long fault campaign.
SOAK_CYCLES   ?= 100
# What the tests print, kept for the list of the slowest ones.
TEST_LOG      := $(CARGO_TARGET_DIR)/test.log
TIMED_TEST     = CARGO_TARGET_$(shell rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')_RUNNER=$(CURDIR)/scripts/timed-test.sh scripts/with-temp-dir.sh cargo test $(CARGO_FLAGS)
DEMO_ARGS     ?=
CITY_ARGS     ?=
BENCH_ARGS    ?=
# Where `make demo-city` leaves page, documents and codes.
CITY_DIR      ?= $(CARGO_TARGET_DIR)/city

.PHONY: help
help: ## Lists the commands.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

.PHONY: demo
demo: build-network ## A receipt's whole journey on four validators, shown and checked; ends with exit code 0.
	$(BIN)/tallystick-devnet demo $(DEMO_ARGS)

.PHONY: demo-city
demo-city: say-build-network document-tools build-network build-portal ## Receipts of every kind as people hold them: page, documents and codes, left in CITY_DIR; CITY_ARGS=--stay keeps the portal running.
	$(BIN)/tallystick-devnet city --out '$(CITY_DIR)' $(CITY_ARGS)

.PHONY: devnet
devnet: build-network build-portal ## A development network that runs until Ctrl-C; prints how to talk to it.
	$(BIN)/tallystick-devnet up --dir '$(DEVNET_DIR)'

.PHONY: test
test: say-build-all native-tools python-tools document-tools browser-tools fmt-check clippy wasm-check build ## All checks: format, lints, the wasm32 build, every test.
	@mkdir -p '$(CARGO_TARGET_DIR)'; : >'$(TEST_LOG)'
	@failed=0; \
	$(TIMED_TEST) --no-fail-fast 2>&1 | tee -a '$(TEST_LOG)' || failed=1; \
	$(MAKE) test-byzantine || failed=1; \
	scripts/slowest-tests.sh '$(TEST_LOG)'; \
	exit $$failed

# The misbehaving validator is compiled with a feature that the shipped program never has, into a program of its own. The whole
# workspace is selected, so that all other features, and what is compiled of them, stay the same.
.PHONY: test-byzantine
test-byzantine: build ## Against validators that double-sign everything or have wrong clocks; part of `make test`.
	cargo build $(CARGO_FLAGS) --features tallystick-node/byzantine --bin tallystick-node-byzantine
	$(TIMED_TEST) --features tallystick-node/byzantine,tallystick-tests/byzantine --test byzantine 2>&1 | tee -a '$(TEST_LOG)'

.PHONY: soak
soak: say-build-all build document-tools ofd-tools ## The long fault campaign: SOAK_CYCLES kills (100) instead of a few; then every bad picture of every printed code; an OFD reader of other makers.
	TALLYSTICK_FAULT_CYCLES=$(SOAK_CYCLES) cargo test $(CARGO_FLAGS) --test main faults:: -- --nocapture
	TALLYSTICK_QR_PICTURES=all cargo test $(CARGO_FLAGS) --test paper -- --nocapture
	cargo run $(CARGO_FLAGS) --example document_figures -- '$(CARGO_TARGET_DIR)/document-figures'
	scripts/foreign-ofd.sh '$(CARGO_TARGET_DIR)/document-figures'

.PHONY: bench
bench: build ## Load on a network of its own; BENCH_ARGS are passed on.
	$(BIN)/tallystick-bench $(BENCH_ARGS)

# Under docs/, so that a change of the page is seen with the change of its code.
.PHONY: pictures
pictures: say-build-all python-tools document-tools browser-tools wasm build ## The page in every state and two sizes, drawn anew into docs/pictures/page by the tests of the page.
	scripts/page-pictures.sh docs/pictures/page

.PHONY: deps-check
deps-check: cargo-deny ## Licences, sources and advisories of all dependencies, by deny.toml.
	@failed=0; \
	cargo deny --locked check bans licenses sources || failed=1; \
	if cargo deny --locked fetch db; then \
	  cargo deny --locked --offline check advisories || failed=1; \
	else \
	  echo "deps-check: advisories were NOT judged: their database cannot be fetched (see above). Run it where it can." >&2; \
	  failed=1; \
	fi; \
	exit $$failed

.PHONY: build
build: say-build-all native-tools ## Builds everything.
	cargo build $(CARGO_FLAGS)

# What a network runs, and no more. The whole workspace is selected all the same: of fewer packages cargo would choose other
# features, and compile RocksDB and the engine a second time for `make test`.
.PHONY: build-network
build-network: say-build-network native-tools
	cargo build $(CARGO_FLAGS) $(addprefix --bin tallystick-,devnet node issuer verifier authority)

# What `make devnet` has besides: the portal, and the page that it serves.
.PHONY: build-portal
build-portal: native-tools wasm
	cargo build $(CARGO_FLAGS) $(addprefix --bin tallystick-,portal page)

# Before anything is installed for it, because that takes minutes, too.
.PHONY: say-build-network
say-build-network:
	@scripts/say-build.sh 'the five programs of a network'

.PHONY: say-build-page
say-build-page:
	@scripts/say-build.sh 'the page'

.PHONY: say-build-all
say-build-all:
	@scripts/say-build.sh 'everything'

.PHONY: fmt-check
fmt-check:
	cargo fmt --all --check

.PHONY: clippy
clippy: native-tools
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings

# The pure crates must stay pure: no clock, no randomness, no file. The verifier as the page carries it is built, the others are checked.
.PHONY: wasm-check
wasm-check: wasm
	cargo check --profile page --locked -p tallystick-qr --target wasm32-unknown-unknown
	cargo check --profile page --locked -p tallystick-document --no-default-features --target wasm32-unknown-unknown

WASM := $(CARGO_TARGET_DIR)/wasm32-unknown-unknown/page/tallystick_page_wasm.wasm
# One after the other: together, each would get the features that the other's dependencies ask for, and be larger by them. As a cdylib alone:
# for a crate that is a Rust library, too, cargo leaves link-time optimisation out without a word.
.PHONY: wasm
wasm: wasm-target
	cargo rustc --profile page --locked -p tallystick-page-wasm --lib --crate-type cdylib --target wasm32-unknown-unknown
	cp -f '$(WASM)' '$(dir $(WASM))tallystick_page_whole.wasm'
	cargo rustc --profile page --locked -p tallystick-page-wasm --no-default-features --features codes --lib --crate-type cdylib --target wasm32-unknown-unknown
	cp -f '$(WASM)' '$(dir $(WASM))tallystick_page_codes.wasm'
	cargo rustc --profile page --locked -p tallystick-page-wasm --no-default-features --features sharing --lib --crate-type cdylib --target wasm32-unknown-unknown
	cp -f '$(WASM)' '$(dir $(WASM))tallystick_page_sharing.wasm'
	cargo rustc --profile page --locked -p tallystick-page-wasm --no-default-features --features files --lib --crate-type cdylib --target wasm32-unknown-unknown
	cargo rustc --profile page --locked -p tallystick-page-carrier --lib --crate-type cdylib --target wasm32-unknown-unknown

# The trust file by which the page judges, and where the page goes.
PAGE_TRUST ?= $(DEVNET_DIR)/trust.txt
# The directory of units by which it judges codes: the running network's for its trust file, else none unless one is named.
PAGE_DIRECTORY ?= $(if $(filter $(DEVNET_DIR)/trust.txt,$(PAGE_TRUST)),$(wildcard $(DEVNET_DIR)/directory.bin))
# Hosts to which codes on paper lead, the page's own first, former ones behind it; the running network's documents name this one.
PAGE_HOSTS ?= $(if $(filter $(DEVNET_DIR)/trust.txt,$(PAGE_TRUST)),TALLY.EXAMPLE)
PAGE_DIR   ?= $(CARGO_TARGET_DIR)/page-out
.PHONY: page
page: say-build-page native-tools wasm ## The page on which anybody verifies a receipt, hosted and as one file; PAGE_TRUST=FILE and PAGE_DIRECTORY=FILE say by which trust file and directory of units.
	@[[ -f '$(PAGE_TRUST)' ]] || { echo "$(PAGE_TRUST) is missing: name the chain's trust file (make page PAGE_TRUST=FILE), or start \`make devnet\` once" >&2; exit 64; }
	cargo build $(CARGO_FLAGS) --bin tallystick-page
	$(BIN)/tallystick-page --module '$(WASM)' --trust '$(PAGE_TRUST)' $(if $(PAGE_DIRECTORY),--directory '$(PAGE_DIRECTORY)') $(addprefix --host ,$(PAGE_HOSTS)) --out '$(PAGE_DIR)'

# Installs the Debian packages in the array `missing`; says what needs them, where it cannot.
define install_missing
if (( $${#missing[@]} == 0 )); then exit 0; fi; \
if ! command -v apt-get >/dev/null; then \
  echo "$$needed_by needs $${missing[*]} (Debian's names). Install them with this system's package manager." >&2; exit 1; \
fi; \
as_root=(); \
if (( EUID != 0 )); then \
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=(sudo -n); else \
    echo "$$needed_by needs $${missing[*]}. Run as root: apt-get install --no-install-recommends $${missing[*]}" >&2; exit 1; \
  fi; \
fi; \
echo "installing $${missing[*]} for $$needed_by"; \
"$${as_root[@]}" apt-get update -qq; \
DEBIAN_FRONTEND=noninteractive "$${as_root[@]}" apt-get install -y -qq --no-install-recommends "$${missing[@]}"
endef

# RocksDB is C++, and its bindings are generated with libclang. libclang-dev brings clang's own headers along.
.PHONY: native-tools
native-tools:
	@missing=(); needed_by=RocksDB; \
	command -v c++ >/dev/null || missing+=(g++); \
	scripts/find-libclang.sh >/dev/null 2>&1 || missing+=(libclang-dev); \
	$(install_missing)
	@scripts/find-libclang.sh >/dev/null || { echo "RocksDB can not be built without it: install libclang-dev (Debian's name) or set LIBCLANG_PATH" >&2; exit 1; }

# For the example of a caller in Python, and for foreign software that reads the log: tests run them.
.PHONY: python-tools
python-tools:
	@missing=(); needed_by="a test in Python"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv); \
	$(install_missing)

# Documents are drawn with these fonts, and read by poppler's programs: tests name the files. 90 MB.
FONT_DIR := /usr/share/fonts
.PHONY: document-tools
document-tools:
	@missing=(); needed_by="the tests of documents"; \
	[[ -f $(FONT_DIR)/opentype/noto/NotoSansCJK-Regular.ttc ]] || missing+=(fonts-noto-cjk); \
	[[ -f $(FONT_DIR)/truetype/hanazono/HanaMinB.ttf ]] || missing+=(fonts-hanazono); \
	[[ -f $(FONT_DIR)/truetype/babelstone/BabelStoneHan.ttf ]] || missing+=(fonts-babelstone-han); \
	command -v pdftotext >/dev/null && command -v pdftoppm >/dev/null || missing+=(poppler-utils); \
	$(install_missing)

# For ofdrw, which reads our OFD in `make soak`.
.PHONY: ofd-tools
ofd-tools:
	@missing=(); needed_by="the OFD reader of other makers"; \
	command -v java >/dev/null || missing+=(default-jdk-headless); \
	command -v mvn >/dev/null || missing+=(maven); \
	$(install_missing)

# For the tests of the page.
.PHONY: browser-tools
browser-tools:
	@missing=(); needed_by="a test in a browser"; \
	command -v chromium chromium-browser google-chrome >/dev/null || missing+=(chromium); \
	$(install_missing)

.PHONY: wasm-target
wasm-target:
	@if [[ -d "$$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ]]; then exit 0; fi; \
	if ! command -v rustup >/dev/null; then \
	  echo "the Rust target wasm32-unknown-unknown is missing, and there is no rustup to add it" >&2; exit 1; \
	fi; \
	rustup target add wasm32-unknown-unknown

.PHONY: cargo-deny
cargo-deny:
	@command -v cargo-deny >/dev/null || cargo install --locked --version 0.20.2 cargo-deny
