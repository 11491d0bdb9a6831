#!/usr/bin/env bash
# The headers alone, in every build: gcc, clang, address and undefined-behaviour sanitizers, ThreadSanitizer, and
# aarch64 under emulation (which checks code, not order). Then three builds with an order taken out, which
# ThreadSanitizer has to notice. About 35 seconds on two idle cores. Needs gcc, clang, aarch64-linux-gnu-gcc, qemu-aarch64.
#
#     tests/native/run.sh [FACTOR]     FACTOR: how many times as many events, for a long run by hand
set -euo pipefail
cd "$(dirname "$0")"
factor=${1:-1}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags=(-std=c11 -Wall -Wextra -Werror -I../../ringlog/_native/include -pthread)
sanitize=(-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all)
threads=(-O1 -g -fsanitize=thread)
export TSAN_OPTIONS=halt_on_error=1:exitcode=66

builds=()
build() { builds+=("$*"); } # NAME SOURCE COMPILER FLAG...
compile() {
    local name=$1 source=$2
    shift 2
    "$@" "${flags[@]}" "$source.c" -o "$out/$name"
}
for source in checksum:test_checksum protocol:test_protocol stress:stress; do
    name=${source%:*} file=${source#*:}
    build "$name-gcc" "$file" gcc -O2
    build "$name-clang" "$file" clang -O2
    build "$name-sanitized" "$file" gcc "${sanitize[@]}"
    build "$name-arm" "$file" aarch64-linux-gnu-gcc -O2 -static
done
build protocol-threads test_protocol gcc "${threads[@]}"
build stress-threads stress gcc "${threads[@]}"
build stress-plain stress gcc "${threads[@]}" -DRL_PLAIN_COPIES
for order in RELEASE ACQUIRE SWAP; do
    build "stress-no-$order" stress gcc "${threads[@]}" -DRL_PLAIN_COPIES "-DBREAK_$order"
done
for each in "${builds[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    # shellcheck disable=SC2086
    compile $each &
done
while [ -n "$(jobs -rp)" ]; do wait -n; done

# ThreadSanitizer wants memory where newer kernels do not always leave it: then without randomised addresses.
straight=()
"$out/stress-plain" 1 lossless >/dev/null 2>&1 || straight=(setarch -R)

run() { # NAME ARGUMENT...
    local name=$1
    shift
    echo "-- $name $*"
    case $name in
        *-arm) timeout 600 qemu-aarch64 "$out/$name" "$@" ;;
        *-threads | *-plain) timeout 600 "${straight[@]}" "$out/$name" "$@" ;;
        *) timeout 600 "$out/$name" "$@" ;;
    esac
}
for build in gcc clang sanitized; do
    run "checksum-$build"
    run "protocol-$build" $((1000000 * factor))
    for who in all lossless lossy; do run "stress-$build" $((200000 * factor)) $who; done
done
run checksum-arm
run protocol-arm $((200000 * factor))
run stress-arm $((50000 * factor)) all
run protocol-threads $((20000 * factor))
for who in all lossy; do run stress-threads $((30000 * factor)) $who; done
run stress-plain $((100000 * factor)) lossless
for order in RELEASE ACQUIRE SWAP; do
    echo "-- without $order: ThreadSanitizer has to object"
    code=0
    timeout 600 "${straight[@]}" "$out/stress-no-$order" 50000 lossless >"$out/log" 2>&1 || code=$?
    if [ "$code" != 66 ] || ! grep -q 'ThreadSanitizer: data race' "$out/log"; then
        cat "$out/log"
        echo "it did not (exit code $code)" >&2
        exit 1
    fi
done
