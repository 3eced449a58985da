#!/usr/bin/env bash
# client_package.sh BUILD_DIR: installs the client library, moves what was installed, builds the code of
# client/README.md and a shop of our own against it, and lets both take a payment from the real gateway, which is
# stopped, and killed, and started again meanwhile.
set -euo pipefail
BUILD=$1
. "$(dirname "$0")/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
SOURCE=$(cd "$HERE/../.." && pwd)
PAGE=$SOURCE/client/README.md

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
page() { python3 -B "$HERE/page_code.py" "$PAGE" "$@"; }

install_and_move() {
  cmake --install "$BUILD" --prefix "$WORK/before" --component client >"$WORK/install.log"
  mkdir "$WORK/after"
  mv "$WORK/before" "$WORK/after/ippclient"
  PREFIX=$WORK/after/ippclient
  # Nothing of the gateway, and no place of this machine.
  [ -z "$(find "$PREFIX" -name server)" ] || fail "headers of the gateway are installed"
  if grep -rIlE "$SOURCE|$BUILD|$WORK" "$PREFIX"; then fail "an installed file names a place of the build"; fi
  if grep -rIlE '#include.*"(server|client|simulator|tests)/' "$PREFIX"; then fail "a header that was left behind"; fi
}

# What the library was built with, the program must be built with.
cached() { sed -n "s/^$1:[A-Z]*=//p" "$BUILD/CMakeCache.txt"; }

build_shop() {
  local sanitize
  sanitize=$(cached IPP_SANITIZE)
  cp -r "$HERE/client_package" "$WORK/shop"
  page cpp 1 3 >"$WORK/shop/pay.cc"
  page cpp 2 3 >"$WORK/shop/consume.h"
  page cpp 3 3 >"$WORK/shop/follow.h"
  { page cmake && cat "$WORK/shop/shop.cmake"; } >"$WORK/shop/CMakeLists.txt"
  cmake -S "$WORK/shop" -B "$WORK/shop/build" -G Ninja -DCMAKE_PREFIX_PATH="$PREFIX" -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_COMPILER="$(cached CMAKE_CXX_COMPILER)" \
    -DCMAKE_CXX_FLAGS="$(cached CMAKE_CXX_FLAGS) -Wall -Wextra -O0 ${sanitize:+-fsanitize=$sanitize}" \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >"$WORK/configure.log" 2>&1 ||
    { cat "$WORK/configure.log" >&2 && fail "configure"; }
  ninja -C "$WORK/shop/build" >"$WORK/build.log" 2>&1 || { cat "$WORK/build.log" >&2 && fail "build"; }
  SHOP=$WORK/shop/build
  if grep -q "$SOURCE" "$SHOP/compile_commands.json"; then fail "compiled with the source tree's headers"; fi
  ldd "$SHOP/shop" >"$WORK/links"
  if grep -E 'spdlog|prometheus|curl|boost|sqlite|libpq|yaml' "$WORK/links"; then fail "links the gateway's"; fi
  grep -q error_details "$WORK/links" || fail "does not link Google's error details beside it"
  [ -f "$(cat "$SHOP/proto_dir")/kustom/ipp/v1/session.proto" ] || fail "no .proto files"
  serves 0.1 || fail "not taken for 0.1"
  if serves 0.2; then fail "taken for 0.2, which may break what was there"; fi
}
# serves MAJOR.MINOR: whether the package offers itself for that version.
serves() {
  cat >"$WORK/version.cmake" <<CMAKE
set(PACKAGE_FIND_VERSION $1)
set(PACKAGE_FIND_VERSION_MAJOR ${1%.*})
set(PACKAGE_FIND_VERSION_MINOR ${1#*.})
set(CMAKE_SIZEOF_VOID_P 8)
include($(find "$PREFIX" -name ippclientConfigVersion.cmake))
if(PACKAGE_VERSION_UNSUITABLE OR NOT PACKAGE_VERSION_COMPATIBLE)
  message(FATAL_ERROR "not compatible")
endif()
CMAKE
  cmake -P "$WORK/version.cmake" 2>/dev/null
}

# start_payer NAME ARGUMENTS...: until its session is on the phone; sets PAYER and SESSION.
start_payer() {
  rm -f "$WORK/$1.out"  # or what an earlier one has said would be waited for
  timeout 120 "$SHOP/$1" "${@:2}" >"$WORK/$1.out" 2>&1 &
  PAYER=$!
  PIDS+=("$PAYER")
  await "$WORK/$1.out" '^SESSION_STATUS_CREATED ' "$PAYER"
  SESSION=$(sed -n 's/^SESSION_STATUS_CREATED //p' "$WORK/$1.out")
}
end_payer() {
  wait "$PAYER" || { cat "$WORK/$1.out" >&2 && fail "$1 ended with $?"; }
}
tap() { "$BUILD/client/ippctl" --address "$GRPC" simulate tap "$SESSION" >/dev/null; }

page_takes_a_payment() {
  start_payer pay "$GRPC" "$DEVICE" 25000
  tap
  end_payer pay
  grep -q '^paid, order .' "$WORK/pay.out" || fail "$(cat "$WORK/pay.out")"
}

# shop_survives SIGNAL: sent to the gateway while the shop waits for its customer.
shop_survives() {
  start_payer shop "$GRPC" "$DEVICE"
  kill "-$1" "$GATEWAY_PID"
  wait "$GATEWAY_PID" || [ "$1" = KILL ] || fail "the gateway ended with $?"
  GATEWAY_LOG=$WORK/gateway-after-$1.log
  GRPC_PORT=${GRPC##*:} WEBHOOK_PORT=${WEBHOOKS##*:} ADMIN_PORT=${ADMIN##*:} start_gateway
  tap
  end_payer shop
  # ACTIVATED is only announced: a gateway that starts just now may read from the upstream that the session is over
  # before that webhook comes, which then is late. What one subscriber hears, the other hears.
  local called pulled
  called=$(sed -n 's/^called: //p' "$WORK/shop.out")
  pulled=$(sed -n 's/^pulled: //p' "$WORK/shop.out")
  [[ "$called" =~ ^CREATED\ (ACTIVATED\ )?FINALIZED$ ]] || fail "called: $(cat "$WORK/shop.out")"
  [ "$pulled" = "$called" ] || fail "pulled: $(cat "$WORK/shop.out")"
  grep -qx "consumed: FINALIZED" "$WORK/shop.out" || fail "consumed: $(cat "$WORK/shop.out")"
  grep -q '^paid, order .' "$WORK/shop.out" || fail "$(cat "$WORK/shop.out")"
}

install_and_move
build_shop
start_simulator
start_gateway
DEVICE=$("$BUILD/client/ippctl" --address "$GRPC" -o json simulate device --name "Till 1" |
  sed -n 's/.*"id": *"\([^"]*\)".*/\1/p' | sed -n 1p)
page_takes_a_payment
shop_survives TERM
shop_survives KILL
