# Brings what is missing. Sourced by bin/demo, bin/test, bin/ci and bin/stress; looks first, installs only what is not there.

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
give_up() { printf '%s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    give_up "This needs root once: $*"
  fi
}

apt_refreshed=
install_packages() { # what-for apt-packages brew-packages
  if command -v apt-get >/dev/null; then
    say "Installing $1 ($2)…"
    if [ -z "$apt_refreshed" ]; then as_root apt-get update -q; apt_refreshed=yes; fi
    # shellcheck disable=SC2086 # a list of packages
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $2
  elif command -v brew >/dev/null; then
    say "Installing $1 ($3)…"
    # shellcheck disable=SC2086
    brew install $3
  else
    give_up "Please install $1 with your system's package manager, then run this again."
  fi
}

need_cargo() {
  command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
  command -v cargo >/dev/null || give_up "Homestretch is built with Rust 1.94 or newer, and there is no cargo here. Install Rust from https://rustup.rs, then run this again."
  command -v make >/dev/null || install_packages "make" "make" "make"
  command -v cc >/dev/null || install_packages "a C compiler" "gcc libc6-dev" "gcc"
}

# A part of the toolchain that a minimal installation of Rust leaves out.
need_cargo_tool() { # cargo's-command rustup's-component
  cargo "$1" --version >/dev/null 2>&1 && return
  if command -v rustup >/dev/null; then
    say "Adding $2 to the Rust toolchain…"
    rustup component add "$2"
  fi
  cargo "$1" --version >/dev/null 2>&1 || give_up "There is no \`cargo $1\` here. With rustup: \`rustup component add $2\`; otherwise install your system's package of $2."
}

# A program of cargo's that is no part of the toolchain; built from its source the first time.
need_cargo_program() { # program version
  command -v "$1" >/dev/null && return
  PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  command -v "$1" >/dev/null && return
  say "Building $1…"
  cargo install --locked --quiet "$1@$2"
}

# Prints the folder with initdb, the newest first; nothing when there is none.
postgres_folder() {
  local folder
  for folder in "${HOMESTRETCH_PG_BIN:-}" $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin 2>/dev/null | sort -V -r) \
    "$(command -v pg_config >/dev/null && pg_config --bindir)" "$(dirname "$(command -v initdb || echo /none/x)")"; do
    if [ -n "$folder" ] && [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/postgres" ]; then echo "$folder"; return; fi
  done
}

need_postgres() {
  [ -n "$(postgres_folder)" ] || install_packages "PostgreSQL" "postgresql" "postgresql@17"
  [ -n "$(postgres_folder)" ] || give_up "PostgreSQL was installed but not found. Name the folder that holds initdb in HOMESTRETCH_PG_BIN."
}

# Moves the clocks of the tests' worker processes.
need_faketime() {
  faketime_library >/dev/null || install_packages "libfaketime" "faketime" "libfaketime"
  faketime_library >/dev/null || give_up "libfaketime was installed but not found (looked for faketime/libfaketimeMT.so.1 below /usr/lib)."
}

faketime_library() {
  local library
  for library in /usr/lib/faketime/libfaketimeMT.so.1 /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib64/faketime/libfaketimeMT.so.1 \
    /usr/local/lib/faketime/libfaketimeMT.so.1; do
    if [ -f "$library" ]; then echo "$library"; return; fi
  done
  return 1
}

need_pgbouncer() { # a pooler stands before the database in a story
  [ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || install_packages "pgbouncer" "pgbouncer" "pgbouncer"
}

need_unzip() { # what patients take away is looked into with another program than ours
  command -v unzip >/dev/null || install_packages "unzip" "unzip" "unzip"
}

need_browser() {
  local missing=
  command -v node >/dev/null || missing="$missing nodejs"
  command -v npm >/dev/null || missing="$missing npm"
  [ -z "$missing" ] || install_packages "Node.js" "$missing" "node"
  if ! chromium_path >/dev/null; then install_packages "Chromium" "chromium" "--cask chromium"; fi
  if ! cmp -s tests/browser/package-lock.json tests/browser/node_modules/.homestretch-lock; then
    say "Fetching the browser tests' packages…"
    npm ci --prefix tests/browser --no-audit --no-fund
    cp tests/browser/package-lock.json tests/browser/node_modules/.homestretch-lock
  fi
}

need_judges() { # libraries of others that read what we write
  local folder=tests/judges
  if ! python3 -c "import venv, ensurepip" 2>/dev/null; then install_packages "Python" "python3 python3-venv" "python"; fi
  if ! cmp -s "$folder/requirements.txt" "$folder/.venv/.homestretch-lock"; then
    say "Fetching the libraries that judge calendars…"
    rm -rf "$folder/.venv"
    python3 -m venv "$folder/.venv"
    "$folder/.venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$folder/requirements.txt"
    cp "$folder/requirements.txt" "$folder/.venv/.homestretch-lock"
  fi
}

chromium_path() {
  local name
  for name in chromium chromium-browser google-chrome; do command -v "$name" && return; done
  [ -x "/Applications/Chromium.app/Contents/MacOS/Chromium" ] && echo "/Applications/Chromium.app/Contents/MacOS/Chromium"
}
