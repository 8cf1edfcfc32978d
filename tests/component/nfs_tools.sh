# SPDX-License-Identifier: Apache-2.0
# nfs_tools.sh: what nfs_retire.test, nfs_faults.test and tests/kernel/knfsd.test share beside lib.sh: places, the RPC proxy, memory, digests
#
#   at a /data [nfsctl options]   where the calls below go: server a of nfs_start, its tree in $root; $version is 3 or 4
#   ctl create PV DIRECTORY…      nfsctl with them; ctl_as "options" VERB… adds options before the verb
#   stored "$output"              the name below trash/, or of the archive, in an answer
#   proxied a [RULE…]             an RPC proxy before server a, in between for what follows; proxy COMMAND…; unproxied
#   worker_hwm COMMAND…           runs it; the worker's VmHWM in KiB in $hwm, output in $work/out
#   digest DIR                    a line for each file: path, kind, mode, owner, time, content; no change, same digest

declare -a place=() proxy_ports=()
version=${version:-3}
nfsctl=$O/tests/bench/nfsctl
tenant=$O/tests/fault/tenant
export BERTH_NFS=$O/bin/berth-nfs
nfs_versions=${BERTH_NFS_VERSIONS:-3 4}

nfs_need() {
	local program
	for program in "$nfsctl" "$BERTH_NFS" "$tenant"; do
		[ -x "$program" ] || skip_all "${program##*/} is not built"
	done
}

at() { # server, export, options...
	root=$(export_dir "$1" "$2")
	place=(--server "${nfs[$1]}" --export "$2" "${@:3}")
}
ctl() { ctl_as "" "$@"; }
ctl_as() { # options, verb...
	local options=$1
	shift
	# shellcheck disable=SC2086  # options are words
	timeout 60 "$nfsctl" "${place[@]}" "${proxy_ports[@]}" --vers "$version" $options "$@"
}
answered() { [[ $1 == ok* ]]; }
stored() { sed -n 's/^ok.* directory=\([^ ]*\) identity=.*/\1/p' <<<"$1"; }
identity() { sed -n 's/.* identity=\([^ ]*\).*/\1/p' <<<"$1"; }
# PV and directory of volume N.
pv() { printf 'pvc-00000000-0000-4000-8000-%012d' "$1"; }
vol() { printf 'default-c%d-%s' "$1" "$(pv "$1")"; }
make_volume() { # number, options → $dir, the directory as the server has it
	dir=$root/$(vol "$1")
	like "v$version: volume $1 is made" "$(ctl_as "${2:-}" create "$(pv "$1")" "$(vol "$1")")" '^ok'
}
# Trashed; its name in the trash in $name.
trash_volume() { # number, options
	local out
	out=$(ctl_as "${2:-}" trash "$(pv "$1")" "$(vol "$1")")
	name=$(stored "$out")
	[ -n "$name" ] || diag "$out"
}
trash_is_empty() { [ -z "$(ls -A "$root/.berth/trash")" ]; }
records() { find "$root/.berth/volumes" -name '*.json' | wc -l; }
# Temporary files of ours.
leftovers() { find "$root/.berth/" -name '.?*' -type f | wc -l; }

# ---- the RPC proxy ---------------------------------------------------------------------------------
proxied() { # server, RULE...
	local server=$1 rules=() rule word nfs_at mount_at
	shift
	for rule; do rules+=(--arm "$rule"); done
	rm -f "$work/proxy.ready" "$work/proxy.ctl"
	mkfifo "$work/proxy.ready"
	"$O/tests/fault/rpcproxy" --listen "127.0.0.1:0=${nfs[$server]}:2049" --listen "127.0.0.1:0=${nfs[$server]}:20048" \
		--control "$work/proxy.ctl" "${rules[@]}" >"$work/proxy.ready" &
	proxy_pid=$!
	daemons+=("$proxy_pid")
	read -r word nfs_at mount_at <"$work/proxy.ready"
	[ "$word" = ready ] || { report 1 "rpcproxy starts"; finish; }
	proxy_ports=(--server 127.0.0.1 --nfs-port "${nfs_at##*:}" --mount-port "${mount_at##*:}")
}
proxy() { "$O/tests/fault/rpcproxy" --ctl "$work/proxy.ctl" "$@" >/dev/null; }
# How often a procedure went through, over all versions; of all: any.
proxy_count() {
	"$O/tests/fault/rpcproxy" --ctl "$work/proxy.ctl" count |
		if [ "$1" = any ]; then jq .total; else jq --arg p "$1." '[to_entries[] | select(.key | startswith($p)) | .value] | add // 0'; fi
}
unproxied() {
	kill "$proxy_pid"
	wait "$proxy_pid"
	proxy_ports=()
}

# ---- memory ----------------------------------------------------------------------------------------
worker_hwm() { # command...
	local pid worker now
	hwm=0
	"$@" >"$work/out" 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		# ctl is a function: shell, timeout, nfsctl, worker.
		for worker in $(descendants $pid); do
			[ "$(cat "/proc/$worker/comm" 2>/dev/null)" = berth-nfs ] || continue
			now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$worker/status" 2>/dev/null)
			[ "${now:-0}" -le $hwm ] || hwm=$now
		done
		sleep 0.02
	done
	wait $pid
}
descendants() {
	local pid
	for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		echo "$pid"
		descendants "$pid"
	done
}

digest() { # directory
	(
		cd "$1" || exit
		find . -xdev -printf '%p %y %m %U %G %s %T@ %l\n' | LC_ALL=C sort
		find . -xdev -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum
	)
}
