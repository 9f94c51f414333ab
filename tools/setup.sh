#!/usr/bin/env bash
# Makes sure that the workspace can be built: a C++ compiler and libclang, which RocksDB's bindings need. Says before the first
# build that it takes a while.
set -euo pipefail

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.88 or newer (https://rustup.rs, or your system's package)"

missing=()
command -v c++ >/dev/null || missing+=(g++)
command -v cc >/dev/null || missing+=(gcc)

has_libclang() {
    [[ -n "${LIBCLANG_PATH:-}" ]] && return 0
    ldconfig -p 2>/dev/null | grep -q 'libclang\(-[0-9.]*\)\?\.so' && return 0
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null && return 0
    compgen -G '/usr/lib*/libclang*.so*' >/dev/null && return 0
    command -v xcrun >/dev/null && xcrun --find clang >/dev/null 2>&1
}
has_libclang || missing+=(libclang-dev)

if ((${#missing[@]})); then
    by_hand="install the package(s) '${missing[*]}' (Debian and Ubuntu: apt-get install ${missing[*]}; Fedora: clang-devel gcc-c++; macOS: xcode-select --install) and run make again"
    command -v apt-get >/dev/null || fail "RocksDB's bindings need ${missing[*]}, and there is no apt-get here" "$by_hand"
    as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail "installing ${missing[*]} needs root, and there is no sudo" "$by_hand"
        as_root=(sudo)
    fi
    echo "setup: installing ${missing[*]}"
    "${as_root[@]}" apt-get update -q || fail "apt-get update failed" "$by_hand"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" ||
        fail "installing ${missing[*]} failed" "$by_hand"
fi

target="${CARGO_TARGET_DIR:-target}"
if ! compgen -G "$target/release/build/librocksdb-sys-*/out/librocksdb.a" >/dev/null; then
    echo "setup: the first build compiles RocksDB, a large C++ library: about 12 minutes on 2 cores, once (later builds reuse it)."
    command -v ccache >/dev/null || echo "setup: with ccache installed, other clones and profiles would reuse it as well."
fi
