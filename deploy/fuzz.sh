#!/bin/sh
# Runs every fuzz target for $1 (2m when left out), of the packages that follow
# (all when left out), also after one of them found something, and ends with a
# line for each.
#
# Before 1.27, Go's own coordinator may end a run at its time limit with
# "context deadline exceeded" and no input (https://go.dev/issue/75804): that is
# no finding, and is told as "limit".
set -u
time=${1:-2m}
[ $# -lt 2 ] && set -- "$time" ./...
shift
out=$(mktemp) && table=$(mktemp) || exit 1
trap 'rm -f "$out" "$table"' EXIT
trap 'exit 130' INT TERM
code=0
for pkg in $(go list "$@"); do
	for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz'); do
		echo "== $pkg $target"
		go test -run '^$' -fuzz "^$target\$" -fuzzminimizetime 20x -fuzztime "$time" "$pkg" >"$out" 2>&1
		rc=$?
		cat "$out"
		verdict=ok
		if [ $rc != 0 ]; then
			verdict=limit
			if grep -q 'Failing input\|build failed\|panic' "$out" || ! grep -q 'context deadline exceeded' "$out"; then
				verdict=FOUND code=1
			fi
		fi
		printf '%-5s %10s runs  %5s inputs  %s %s\n' $verdict \
			"$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$out" | tail -1)" \
			"$(sed -n 's/.*total: \([0-9]*\).*/\1/p' "$out" | tail -1)" "${pkg##*/firstframe/}" "$target" >>"$table"
	done
done
echo && cat "$table"
exit $code
