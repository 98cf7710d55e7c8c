# Lists the recipes.
_default:
    @'{{ just_executable() }}' --list --unsorted

# Serve from source: a changed template or style sheet shows at the next reload, without a rebuild
dev *flags:
    cargo run -- {{ flags }}

# Serve as it is shipped
run *flags:
    cargo run --release -- {{ flags }}

# Serve a chat that is full of demo people and talk, in ./demo-data
demo *flags:
    cargo run --release -- demo {{ flags }}

# Install what is missing, run every test, then lint (`just test live`: only tests named so)
test *filter: _deps
    cargo test --workspace {{ filter }}
    @{{ if filter == "" { quote(just_executable()) + " lint" } else { "true" } }}

# Break everything at random while people talk, for so many minutes (TERTULIA_FAULTS_SEED repeats a run)
soak minutes="10":
    TERTULIA_FAULTS_SECONDS=$(({{ minutes }} * 60)) cargo test --test it -- --nocapture --exact faults::run::nothing_is_lost_doubled_or_out_of_order_whatever_breaks

# Check format and lints
lint: _lint-deps
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Look at changed snapshots and accept them or not
review:
    @command -v cargo-insta >/dev/null || { echo "First: cargo install cargo-insta --locked" >&2; exit 1; }
    cargo insta review

# Measure the release binary, as in the README (--quick: shorter runs; --only start,posts,pages,fanout,signals,herd)
bench *flags:
    cargo build --release
    cargo run --release --package tertulia-bench -- {{ flags }}

# Ask Lighthouse (fails below 98 in performance, 100 in the rest) and, where Java is, the Nu HTML checker
audit: _deps
    tests/look/run lighthouse
    if command -v java >/dev/null; then tests/look/run markup; else echo "Without Java the HTML is not checked"; fi

# Take the pictures of the README anew
pictures: _deps
    tests/look/run pictures

# Chromium, for the tests in a real browser.
_deps:
    #!/usr/bin/env bash
    set -euo pipefail
    for browser in chromium chromium-browser google-chrome google-chrome-stable; do
        if command -v "$browser" >/dev/null; then exit 0; fi
    done
    if ! command -v apt-get >/dev/null; then
        echo "The browser tests need Chromium or Chrome: install it, then run this again." >&2
        exit 1
    fi
    echo "The browser tests need Chromium, which is missing: installing it with apt-get."
    as_root=$([ "$(id -u)" -eq 0 ] || echo sudo)
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium

# rustfmt and clippy, where Rust was installed without them.
_lint-deps:
    @cargo fmt --version >/dev/null 2>&1 || { echo "rustfmt is missing: adding it"; rustup component add rustfmt; }
    @cargo clippy --version >/dev/null 2>&1 || { echo "clippy is missing: adding it"; rustup component add clippy; }
