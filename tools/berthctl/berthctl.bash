# SPDX-License-Identifier: Apache-2.0
# berthctl.bash: completion for bash
_berthctl() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command= i
	local commands='status doctor volumes mounts exports pools drivers operations trash orphans watch retry detach
		restore adopt'
	COMPREPLY=()
	case $before in
	-o | --output) mapfile -t COMPREPLY < <(compgen -W 'table wide json yaml' -- "$word"); return ;;
	--socket) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
	--kubelet-root) mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-o | --output | --socket | --kubelet-root) ((i++)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	if [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-o --output --socket --kubelet-root --all --dry-run -h --help --version' -- "$word")
		return
	fi
	case $command in
	'') mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word") ;;
	watch) mapfile -t COMPREPLY < <(compgen -W 'node drivers volumes mounts pools exports operations' -- "$word") ;;
	volumes | mounts | drivers | pools | exports)
		# The names of what is there; nothing where no agent answers.
		mapfile -t COMPREPLY < <(compgen -W "$(berthctl -o wide "$command" 2>/dev/null | awk 'NR > 1 && !/^ / { print $2, $3 }')" -- "$word") ;;
	restore)
		mapfile -t COMPREPLY < <(compgen -W "$(berthctl -o yaml trash 2>/dev/null | awk '$1 == "name:" { print $2 }')" -- "$word") ;;
	adopt)
		mapfile -t COMPREPLY < <(compgen -W "$(berthctl -o yaml exports 2>/dev/null | awk '$1 == "server:" { s = $2 }
			$1 == "export:" { e = $2 } s != "" && e != "" { print s ":" e; s = e = "" }')" -- "$word") ;;
	detach)
		mapfile -t COMPREPLY < <(compgen -W "$(berthctl -o yaml mounts 2>/dev/null | awk '$1 == "target:" { t = $2 }
			$1 == "state:" && $2 != "Ok" { print t }')" -- "$word") ;;
	esac
}
complete -F _berthctl berthctl
