# SPDX-License-Identifier: Apache-2.0
# faults.sh: what the fault tests share: invariants (reliability.md 2), a foreign tree, counting, the NFS proxy.
#
# A test sources lib.sh, then this. The export is /data of server "a" throughout.
#   foreign_make; foreign_kept "when"    I1: nothing outside of our volumes changed
#   agree N                              I3: N claims, each Bound to a PV of its own, N BerthVolumes, records, directories
#   converge SECONDS N "when"            I4 by agree, then I1
#   rpc_start; ctl COMMAND…              rpcproxy before server a; proxied holds the class parameters that lead through it
#   connects                             TCP connections that anybody in this namespace has begun so far

tree() { export_dir a /data; }

# ---- I1: no foreign byte ------------------------------------------------------------------------------
# Path, type, mode, owner, size, time, target of each entry, then each file's content.
digest() { # directory
	(cd "$1" && find . -printf '%P %y %m %U:%G %s %T@ %l\n' | sort && find . -type f -exec sha256sum {} + | sort) | sha256sum
}
foreign_make() {
	local dir
	dir=$(tree)/foreign
	mkdir -p "$dir/sub/empty" "$dir/default-c-pvc-looks-like-ours"
	echo precious >"$dir/file"
	echo inner >"$dir/sub/file"
	ln -s ../.. "$dir/sub/out"
	ln "$dir/file" "$dir/sub/hard"
	chmod 0700 "$dir/sub"
	chown -R 4242:4242 "$dir"
	foreign=$(digest "$dir")
}
foreign_kept() { # when
	is "$1: nothing foreign changed" "$(digest "$(tree)/foreign")" "$foreign"
}

# ---- I3, I4 ----------------------------------------------------------------------------------------------
directories() { find "$(tree)/" -mindepth 1 -maxdepth 1 ! -name .berth ! -name foreign ! -name 'archived-*' | wc -l; }
records() { find "$(tree)/.berth/volumes" -mindepth 1 2>/dev/null | wc -l; }
trashed() { find "$(tree)/.berth/trash" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
# "claims bound-to-different-PVs PVs BerthVolumes records directories trash".
counts() {
	local bound
	bound=$(get $claims | jq -r '[.items[] | select(.status.phase == "Bound") | .spec.volumeName] | unique | length') || return
	echo "$(count_of $claims) $bound $(count_of $volumes) $(count_of $bvols) $(records) $(directories) $(trashed)"
}
agree() { [ "$(counts)" = "$1 $1 $1 $1 $1 $1 0" ]; }
converge() { # seconds, claims, when
	if wait_until "$1" agree "$2"; then
		report 0 "$3: $2 claims, volumes, records, directories"
	else
		diag "claims, bound, PVs, BerthVolumes, records, directories, trash: $(counts)" \
			"$(get $volumes | jq -r '.items[] | "\(.metadata.name) \(.status.phase) \(.spec.claimRef.name) deleted \(.metadata.deletionTimestamp)"')" \
			"$(get $claims | jq -r '.items[] | "\(.metadata.name) \(.status.phase) \(.metadata.uid)"')" "$(ls -A "$(tree)/.berth/volumes" "$(tree)")"
		report 1 "$3: $2 claims, volumes, records, directories"
	fi
	foreign_kept "$3"
}
claims_yaml() { # class, name...
	local class=$1 name
	shift
	for name; do claim_yaml "$name" "$class"; done
}
claim_gone() { ! get "$claims/$1" >/dev/null 2>&1; }

# ---- I5: bounded -----------------------------------------------------------------------------------------
connects() { awk '$1 == "Tcp:" && $2 ~ /^[0-9]/ {print $6}' /proc/net/snmp; }
log_has() { grep -Eq "$1" "$work/provisioner.log"; }

# ---- the proxy before the NFS server -----------------------------------------------------------------------
declare -a proxied=()
rpc_start() {
	local proxy=$O/tests/fault/rpcproxy word nfs_at mount_at
	mkfifo "$work/rpc.ready"
	"$proxy" --listen "127.0.0.1:0=${nfs[a]}:2049" --listen "127.0.0.1:0=${nfs[a]}:20048" --control "$work/rpc.ctl" --log "$work/rpc.calls" \
		>"$work/rpc.ready" 2>"$work/rpc.log" &
	daemons+=("$!")
	read -r word nfs_at mount_at <"$work/rpc.ready"
	[ "$word" = ready ] || { diag "$(cat "$work/rpc.log")"; report 1 "rpcproxy starts"; finish; }
	proxied=("export: /data" "nfsPort: \"${nfs_at##*:}\"" "mountPort: \"${mount_at##*:}\"")
}
ctl() { "$O/tests/fault/rpcproxy" --ctl "$work/rpc.ctl" "$@"; }
rule_fired() { ctl rules | grep -q '"fired": true'; }
worker_pid() { pgrep -P "$provisioner_pid" -x berth-nfs | head -n 1; }
