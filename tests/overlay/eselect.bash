# Stands in for eselect: the functions that a module may call, with what they print as
# eselect 1.4 has it. Usage: bash eselect.bash [--brief] MODULE ACTION [ARGUMENT...]

: "${ROOT=}"
EROOT="${ROOT%/}"
unset -f rm
shopt -s extglob
trap 'echo exiting >&2; exit 250' TERM

die() {
	[[ $1 == -q ]] && shift
	write_error_msg "$@"
	kill $$
	exit 249
}

is_function() { [[ $(type -t "$1") == function ]]; }
is_number() { [[ -n $1 && -z ${1//[[:digit:]]} ]]; }
is_output_mode() { [[ ${mode} == "$1" ]]; }
has() {
	local wanted=$1 item
	shift
	for item; do
		[[ ${item} == "${wanted}" ]] && return 0
	done
	return 1
}
eval() { die "Don't use eval. Find another way."; }

write_error_msg() { echo "!!! Error: $*" >&2; }
highlight_marker() {
	is_output_mode brief && echo -n "$1" || echo -n "$1 *"
}
write_list_start() { is_output_mode brief || echo "$*"; }
write_kv_list_entry() {
	[[ -n $2 ]] && printf '  %-26s%s\n' "$1" "$2" || echo "  $1"
}
write_numbered_list_entry() {
	is_output_mode brief || printf '  %-6s' "[$1]"
	echo "$2"
}
write_numbered_list() {
	local number=0 none
	[[ $1 == -m ]] && { none=$2; shift 2; }
	[[ $# -gt 0 || ${mode} == brief ]] || write_kv_list_entry "${none}" ""
	for item; do
		write_numbered_list_entry $(( ++number )) "${item}"
	done
}

mode=
[[ $1 == --brief ]] && { mode=brief; shift; }
module=$1 action=$2
shift 2
(
	# shellcheck source=/dev/null
	source "${module}" || exit 255
	is_function "do_${action}" || die -q "Action ${action} unknown"
	"do_${action}" "$@"
)
