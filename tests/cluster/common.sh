# SPDX-License-Identifier: Apache-2.0
# common.sh: what up, down, status and exec share: where a cluster keeps its state and which namespace is its own
# shellcheck shell=sh disable=SC2034

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
address=10.99.0.1
server=https://$address:6443
daemons='etcd kube-apiserver kube-controller-manager kube-scheduler'

say() {
	echo "tests/cluster/$(basename "$0"): $*" >&2
}

# The name follows from the folder, so that what an earlier run or a crash left behind is found again.
use_folder() { # folder
	mkdir -p "$1"
	dir=$(cd "$1" && pwd -P)
	hash=$(echo "$dir" | sha256sum)
	netns=berthc-$(expr "$hash" : '\(.\{12\}\)')
}

in_netns() {
	nsenter --net="/run/netns/$netns" "$@"
}

has_netns() {
	[ -e "/run/netns/$netns" ]
}

is_in_netns() { # process
	has_netns && [ "$(stat -Lc %i "/proc/$1/ns/net" 2>/dev/null)" = "$(stat -c %i "/run/netns/$netns")" ]
}

# True while the daemon that `up` started still runs; its pid may since belong to a stranger.
is_running() { # name
	pid=$(cat "$dir/pids/$1" 2>/dev/null) && is_in_netns "$pid"
}

# A background child of a shell inside the namespace: it is in it from its first moment.
launch() { # name, command
	name=$1
	shift
	# shellcheck disable=SC2016 # the inner shell expands these
	in_netns sh -c 'file=$1; shift; setsid "$@" & echo $! >"$file"' sh "$dir/pids/$name" "$@" \
		</dev/null >>"$dir/log/$name.log" 2>&1 9>&-
}

# Whatever runs in the namespace was started by `up` or through `exec`: nothing else can be in it.
end_processes() {
	tries=0
	# shellcheck disable=SC2086 # a list of pids
	while pids=$(ip netns pids "$netns") && [ -n "$pids" ]; do
		tries=$((tries + 1))
		[ $tries -le 50 ] || { say "still there after SIGKILL:" $pids; return 1; }
		kill -KILL $pids 2>/dev/null || :
		sleep 0.1
	done
}

# Those of n1's pods. A cgroup stays busy for a moment after its last process.
remove_cgroups() {
	tries=0
	for top in /sys/fs/cgroup/"$netns-n1" /sys/fs/cgroup/*/"$netns-n1"; do
		while [ -d "$top" ]; do
			find "$top" -depth -type d -exec rmdir {} \; 2>/dev/null || :
			tries=$((tries + 1))
			[ $tries -le 100 ] || { say "$top cannot be removed"; return 1; }
			[ ! -d "$top" ] || sleep 0.1
		done
	done
}

save_node_logs() {
	for node in "$dir"/nodes/*; do
		[ -d "$node/log" ] || continue
		rm -rf "$dir/log/${node##*/}"
		mv "$node/log" "$dir/log/${node##*/}"
	done
	rm -rf --one-file-system "$dir/nodes"
}

# The state is worth nothing once the cluster is down, the logs are: they stay.
take_down() {
	if has_netns; then
		end_processes
		ip netns delete "$netns"
	fi
	remove_cgroups
	[ -f "$dir/netns" ] || return 0
	rm -rf "$dir/etcd" "$dir/pids" "$dir/certs" "$dir/run" "$dir/kubernetes" "$dir/images"
	save_node_logs
	rm -f "$dir/kubeconfig" "$dir/provisioner.kubeconfig" "$dir/netns"
}
