# One line each; `just` lists them.

# Every recipe by name.
default:
    @just --list

# A whole system on this machine.
up *ARGS:
    cargo run --release -- up {{ARGS}}

# Try everything out on free ports; prints one line of JSON.
check *ARGS:
    cargo run --release -- up --check {{ARGS}}

# Every test, with what it needs installed.
test:
    tests/run

# Tests that need no other program.
quick:
    tests/run quick

# Tests of one crate: just one ipdect-sip
one CRATE *ARGS:
    cargo test -p {{CRATE}} {{ARGS}}

# Ladders of calls in virtual time.
flows *ARGS:
    cargo test -p ipdect-tests --test flows {{ARGS}}

# Layers, clocks.
shape:
    cargo test -p ipdect-tests --test shape

# Formatting.
fmt:
    cargo fmt --all

# Lints of all crates and tests.
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Documentation of all crates.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Generated code of the contracts, made anew from proto/ipdect.
proto:
    UPDATE_GEN=1 cargo test -p ipdect-proto --test generated

# Licences, advisories, banned crates (cargo install cargo-deny).
deny:
    cargo deny check

# Benchmarks, two to three minutes; those with a word in their name: just bench srtp
bench *ARGS:
    cargo bench -p ipdect-tests -- {{ARGS}}
