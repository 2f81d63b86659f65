#!/bin/sh
# Makes sure that the named tools are there: installs Debian's packages when
# root, else says what to type. Go and Node are not installed: their versions
# matter, so their absence is only named.
set -eu

missing=""
for tool in "$@"; do
	case $tool in
	go)
		command -v go >/dev/null || { echo "Go 1.26 or newer is needed: https://go.dev/dl/" >&2; exit 1; }
		continue ;;
	node)
		command -v npm >/dev/null || { echo "Node 20 or newer with npm is needed: https://nodejs.org/" >&2; exit 1; }
		continue ;;
	c++) command -v c++ >/dev/null || missing="$missing g++" ;;
	chromium) command -v chromium >/dev/null || missing="$missing chromium" ;;
	nsenter) command -v nsenter >/dev/null || missing="$missing util-linux" ;;
	promtool) command -v promtool >/dev/null || missing="$missing prometheus" ;;
	*) command -v "$tool" >/dev/null || missing="$missing $tool" ;;
	esac
done
[ -n "$missing" ] || exit 0

install="apt-get update && apt-get install --yes --no-install-recommends$missing"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "Missing packages; please run: sudo sh -c '$install'" >&2
	exit 1
fi
echo "Installing:$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! DEBIAN_FRONTEND=noninteractive sh -c "$install" >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "Could not install:$missing" >&2
	exit 1
fi
