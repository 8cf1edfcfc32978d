# SPDX-License-Identifier: Apache-2.0
# nfs.sh: for tests of the NFS backend alone: its functions by tests/bench/nfsctl, without API server and provisioner
#
# $server (default: ${nfs[a]}), $export_now, $vers say where; volume makes names of a new volume: $pv and $dir.

export_now=/data
vers=0
volumes_made=0
export BERTH_NFS=$O/bin/berth-nfs
ctl() { # nfsctl options and command
	timeout 120 "$O/tests/bench/nfsctl" --server "${server:-${nfs[a]}}" --export "$export_now" --vers "$vers" "$@"
}
volume() {
	volumes_made=$((volumes_made + 1))
	pv=$(printf 'pvc-00000000-0000-4000-8000-%012d' "$volumes_made")
	dir=default-claim-$pv
}
