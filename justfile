# Lists the recipes.
_default:
    @'{{ just_executable() }}' --list --unsorted

# Cargo builds a crate once for each set of its features, and the set depends on what is asked for. So all debug recipes
# ask for the workspace with what the tests need (`--examples`, of which there are none, says so without building tests), and
# all release recipes for the program as it is shipped, and the bench beside it: none undoes another's work.
target := env("CARGO_TARGET_DIR", "target")

# Serve from source: a changed template or style sheet shows at the next reload, without a rebuild
dev *flags:
    cargo build --workspace --bin tertulia --examples
    {{ target }}/debug/tertulia {{ flags }}

# Serve as it is shipped
run *flags:
    cargo run --release -- {{ flags }}

# Serve a chat that is full of demo people and talk, in ./demo-data
demo *flags:
    cargo run --release -- demo {{ flags }}

# Install what is missing, run every test on SQLite, most once more on PostgreSQL and Redis, then lint (`just test live`: only tests named so)
test *filter: _deps
    cargo test --workspace {{ filter }}
    @echo "Once more on PostgreSQL and Redis, without what is SQLite's own or has nothing to do with the database:"
    TERTULIA_TEST_DATABASE=postgres cargo test --workspace --test it {{ filter }} -- {{ not_on_postgres }}
    @{{ if filter == "" { quote(just_executable()) + " lint" } else { "true" } }}

# Source, files, framing; tests that start PostgreSQL anyway; the long fault run; what a page does once it has its frames.
not_on_postgres := "--skip tidy:: --skip condition:: --skip refusals:: --skip probes:: --skip monitoring:: --skip behind_a_proxy:: --skip nodes:: --skip cluster:: --skip outages:: --skip moving:: --skip backups:: --skip causes:: --skip starting:: --skip storage:: --skip slow:: --skip a_stream_that_nobody_reads --skip upgrading:: --skip wire:: --skip safety::doors:: --skip faults:: --skip https:: --skip listening:: --skip browser:: --skip browser_a11y:: --skip browser_keys:: --skip browser_live:: --skip browser_lobby:: --skip pasts:: --skip browser_notify:: --skip browser_outbox:: --skip browser_plain:: --skip browser_signals::"

# Break everything at random while people talk, for so many minutes: one server, a `cluster` of two with a failover now and then, or what happens `around` a chat: first starts, upgrades, backups, restores (TERTULIA_FAULTS_SEED repeats a run)
soak minutes="10" where="alone" *flags:
    TERTULIA_FAULTS_SECONDS=$(({{ minutes }} * 60)) cargo test {{ flags }} --workspace --test it -- --nocapture faults::{{ if where == "cluster" { "nodes" } else if where == "around" { "around" } else { "run" } }}::nothing_is_lost

# Talk through nginx, Caddy and haproxy, set up as the README writes them, with a real browser
proxies *filter: (_deps "nginx caddy haproxy openssl")
    PATH="$PATH:/usr/sbin" cargo test --workspace --test it proxies::{{ filter }} -- --ignored

# Check format, lints and, where systemd is, its units
lint: _lint-deps
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    deploy/systemd/check

# Look at changed snapshots and accept them or not
review:
    @command -v cargo-insta >/dev/null || { echo "First: cargo install cargo-insta --locked" >&2; exit 1; }
    cargo insta review

# Measure the release binary, as in the README (--quick: shorter runs; --only start,posts,pages,fanout,signals,herd,nodes)
bench *flags:
    cargo build --release
    cargo run --release --package tertulia-bench -- {{ flags }}

# Ask Lighthouse (fails below 98 in performance, 100 in the rest), the HTTP Observatory, the CSP Evaluator, a stop watch and, where they are, the Nu HTML checker (Java) and WebKit
audit: _deps
    tests/look/run lighthouse
    tests/look/run switch
    tests/look/run headers
    if command -v java >/dev/null; then tests/look/run markup; else echo "Without Java the HTML is not checked"; fi
    if command -v WebKitWebDriver && command -v Xvfb; then tests/look/run webkit; else echo "Without webkit2gtk-driver and xvfb nobody looks at it in WebKit"; fi

# Take the pictures of the README anew
pictures: _deps
    tests/look/run pictures

# Try out several nodes: PostgreSQL, Redis, nodes and a balancer on free ports, in a temporary directory, until Ctrl-C
cluster nodes="3": _deps
    cargo build --release
    cargo run --release --package tertulia-bench -- cluster {{ nodes }}

# Chromium for the tests in a real browser; PostgreSQL and Redis, of which the tests start servers of their own; and what else is named.
_deps more="":
    #!/usr/bin/env bash
    set -euo pipefail
    PATH=$PATH:/usr/sbin
    has() { for name in "$@"; do if command -v "$name" >/dev/null; then return; fi; done; return 1; }
    missing=()
    has chromium chromium-browser google-chrome google-chrome-stable || missing+=(chromium)
    has postgres /usr/lib/postgresql/*/bin/postgres || missing+=(postgresql)
    has redis-server || missing+=(redis-server)
    has pebble || missing+=(pebble)
    for package in {{ more }}; do has "$package" || missing+=("$package"); done
    if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
    if ! has apt-get; then
        echo "The tests need ${missing[*]}: install what is missing, then run this again." >&2
        exit 1
    fi
    echo "The tests need ${missing[*]}, which is missing: installing it with apt-get."
    as_root=$([ "$(id -u)" -eq 0 ] || echo sudo)
    # Packages of servers start them; nobody asked for that here.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap '$as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod +x "$policy"
    fi
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${missing[@]}"
    for package in "${missing[@]}"; do
        if [ "$package" != chromium ] && has systemctl; then $as_root systemctl disable --quiet "$package" || true; fi
    done

# rustfmt and clippy, where Rust was installed without them.
_lint-deps:
    @cargo fmt --version >/dev/null 2>&1 || { echo "rustfmt is missing: adding it"; rustup component add rustfmt; }
    @cargo clippy --version >/dev/null 2>&1 || { echo "clippy is missing: adding it"; rustup component add clippy; }
