# One line each; `just` lists them. None is needed: the two commands of the README and scripts/check.sh do without.

# the list
default:
    @just --list

# the demo: Seq, then I-LoRA, on the embedded model
run *arguments:
    cargo run --release -- {{arguments}}

# all tests
test *arguments:
    cargo test --release {{arguments}}

# all that continuous integration runs
check:
    scripts/check.sh

# rewrite the sources in the house's format
format:
    cargo fmt

# lints only
lint:
    cargo clippy --release --all-targets -- -D warnings

# the page, built into dist/, with what goes over the wire
web:
    scripts/web-build.sh

# the page, served at http://localhost:8080/
page:
    node web/e2e/serve.mjs dist 8080

# the page, driven in Chromium (apt-get install chromium mesa-vulkan-drivers)
page-tests:
    cd web/e2e && npm ci --ignore-scripts && npm test

# the page's sizes, start, speed beside the native program, frames and memory (minutes; quiet machine)
page-figures:
    cd web/e2e && npm ci --ignore-scripts && node figures.mjs

# the page's pictures for the README, desktop and phone
page-shots:
    cd web/e2e && npm ci --ignore-scripts && node shots.mjs

# lints of the browser build only
lint-web:
    . scripts/web-toolchain.sh && cargo clippy --release --lib --target wasm32-unknown-unknown -- -D warnings

# the documentation, opened
doc:
    cargo doc --release --no-deps --open

# licences, advisories and doubled crates (cargo install cargo-deny)
deps:
    cargo deny check

# spelling (cargo install typos-cli, or pip install typos)
spelling:
    typos

# the window's pictures for the README, from a real run of the demonstration; no display needed
shots:
    cargo test --release --test ui -- --ignored --nocapture shots

# CPU time of the window's frames, with 10,000 buffer items, 1,000,000 loss points, and while training
frames:
    cargo test --release --test ui -- --ignored --nocapture frame_times

# time from the start of the program to its first frame, on a screen that nobody sees (Xvfb)
first-frame:
    scripts/first-frame.sh
