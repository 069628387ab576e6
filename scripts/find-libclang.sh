#!/usr/bin/env bash
# Says where the libclang is that bindgen will load to generate RocksDB's bindings; exit code 1 and what is missing, where it
# would find none. It asks what bindgen asks for (crate clang-sys 1.9, build/dynamic.rs and build/common.rs):
#
#   1. a shared library libclang.so, libclang.so.*, libclang-*.so or libclang-*.so.*, never libclang-cpp: that is the C++
#      interface, which Debian's `llvm` brings along and which bindgen can not use;
#   2. in LIBCLANG_PATH if that is set, and then nowhere else; otherwise where llvm-config says, in LD_LIBRARY_PATH, and below
#      /usr/local/lib and /usr/lib;
#   3. clang's own headers (stddef.h), which lie beside the library and come in a package of their own: without them the
#      bindings fail minutes later with "'stddef.h' file not found".
#
#   find-libclang.sh [ROOT]     ROOT stands before every system directory; the tests' way to show it another system
set -uo pipefail
shopt -s nullglob
root="${1:-}"

# Prints the first library in the given directories that bindgen would load.
library_in() {
  local directory file
  for directory in "$@"; do
    for file in "$directory"/libclang.so "$directory"/libclang.so.* "$directory"/libclang-*.so "$directory"/libclang-*.so.*; do
      # A dangling link is no library.
      if [[ "${file##*/}" != *-cpp.* && -e "$file" ]]; then printf '%s\n' "$file"; return 0; fi
    done
  done
  return 1
}

if [[ -n "${LIBCLANG_PATH:-}" ]]; then
  # The variable may name the library itself.
  directories=("$LIBCLANG_PATH" "${LIBCLANG_PATH%/*}")
  where="LIBCLANG_PATH ($LIBCLANG_PATH)"
else
  directories=()
  if [[ -z "$root" ]]; then
    prefix="$("${LLVM_CONFIG_PATH:-llvm-config}" --prefix 2>/dev/null)" && directories+=("$prefix/lib" "$prefix/lib64")
    IFS=: read -ra named <<<"${LD_LIBRARY_PATH:-}:${LIBRARY_PATH:-}"
    for directory in "${named[@]}"; do [[ -n "$directory" ]] && directories+=("$directory"); done
  fi
  directories+=("$root"/usr/local/llvm*/lib* "$root"/usr/local/lib* "$root"/usr/local/lib*/* "$root"/usr/lib*
    "$root"/usr/lib*/* "$root"/usr/lib*/*/*)
  where="$root/usr/lib and $root/usr/local/lib"
fi

if ! library="$(library_in "${directories[@]}")"; then
  echo "no libclang in $where" >&2
  exit 1
fi

# Debian keeps the headers below the LLVM that the library's link points to; others below /usr/lib/clang.
real="$(readlink -f "$library")"
headers=("${real%/*}"/clang/*/include/stddef.h "${library%/*}"/clang/*/include/stddef.h "$root"/usr/lib*/clang/*/include/stddef.h
  "$root"/usr/lib*/llvm*/lib*/clang/*/include/stddef.h "$root"/usr/local/lib*/clang/*/include/stddef.h)
if (( ${#headers[@]} == 0 )); then
  echo "$library is there, but not clang's own headers (clang/*/include/stddef.h)" >&2
  exit 1
fi
printf '%s\n' "$library"
