# bash completion for zfs-root-migrate(8)                        -*- shell-script -*-
#
# It starts no program: what can be typed stands in the tables, and the disks are links.

# --- made by `make man` of the program: change that
_zfs_root_migrate_tables() {
	verbs='check facts list show set plan run sync seal verify status undo mirror environments help version'
	settings='target topology layout pool overwrite join-old-disk boot-size swap-size compression copier split-links exclude consistency'
	many='target overwrite exclude'
	keys='attributes-lost boot-nearly-full boot-not-mounted boot-too-small check-failed config-updates-waiting disk-kind-unknown distribution-foreign exclude-vital facts-incomplete files-encrypted firmware-uefi firmware-unknown flags-lost fstab-not-mounted geometry-unknown git-missing grub-default-missing grub-missing grub-platform-missing grub-platform-use hard-links-made-apart hard-links-split hibernation-image hibernation-unknown hostid-bad hostid-differs hostid-new init-systemd init-unknown initramfs-none initramfs-not-dracut installkernel-missing installkernel-use kernel-beyond-range kernel-config-unknown kernel-image-differs kernel-image-missing kernel-locked-down kernel-none kernel-not-installed kernel-option-missing kernel-option-module kernel-option-rebuild kernel-symbols-trimmed kernel-too-new kernel-too-old kernel-unpacks-nothing kernel-update-too-new kernels-without-zfs libraries-preserved loader-not-grub loader-unknown machine-unsupported memory-low mount-stays next-kernel-too-new not-gentoo not-looked-at not-root old-disk-has-more old-disk-too-small one-shot-impossible overwrite-unused package-keyword package-licence package-masked package-not-in-tree package-refused path-too-long pool-imported pool-name-taken pools-imported-at-boot pools-unknown portage-at-work portage-facts-unknown portage-interrupted portage-merge-cut portage-unknown profile-deprecated raid1-missing resume-set root-not-whole root-on-btrfs root-on-luks root-on-lvm root-on-md root-on-multipath root-on-network root-on-overlay root-on-several-disks root-on-zfs root-read-only root-unknown sector-sizes-differ secure-boot service-missing signatures-unknown source-file-system source-size-unknown source-stacked sources-differ sources-missing sources-not-built state-not-writable swap-dropped swap-file swap-on-zvol system-on-other-disk target-4kn target-by-name target-content-unknown target-in-use target-is-old-disk target-multipath target-not-blank target-not-disk target-read-only target-removable target-sizes-differ target-tight target-too-small target-twice target-unknown target-unset too-few-targets too-many-targets tool-missing tree-not-scanned tree-partly-scanned tree-unreadable zfs-corrupting zfs-missing zfs-module-missing zfs-module-unsigned zfs-range-unknown zfs-signature-unknown zfs-too-old zfs-use-dist-kernel zfs-use-dist-kernel-cap zfs-use-initramfs zfs-use-modules zfs-use-rootfs zfs-version-unknown zfs-versions-differ'
	options=(
		[none]='-h --help --version --check -p --pretend'
		[check]='-h --help --config --facts --set --root --scan --json --explain --fix -p --pretend -a --ask'
		[facts]='-h --help --config --root --scan --json --record'
		[list]='-h --help --config --facts --set --json'
		[show]='-h --help --config --facts --set --json'
		[set]='-h --help --config'
		[plan]='-h --help --config --facts --set --json'
		[run]='-h --help --config -y --yes -a --ask -p --pretend --set'
		[sync]='-h --help --config --discard'
		[seal]='-h --help --config'
		[verify]='-h --help --config'
		[status]='-h --help --config --json'
		[undo]='-h --help --config -y --yes -a --ask'
		[mirror]='-h --help --config -y --yes -a --ask -p --pretend --serial'
		[environments]='-h --help --config --porcelain -y --yes -a --ask --json -p --pretend'
		[help]='-h --help --config'
		[version]='-h --help --config'
	)
	takes=(
		[--config]=':file'
		[--facts]=':file'
		[--set]=':wish'
		[--root]=':directory'
		[--explain]=':key'
		[--record]=':file'
		[--serial]=':none'
	)
	arguments=(
		[list]='target topology layout'
		[set]=':setting'
		[environments]='list create activate destroy'
		[help]=':verb'
	)
	values=(
		[target]=':disk'
		[topology]='single mirror raidz1 raidz2 raidz3'
		[layout]='tutorial boot-environments'
		[pool]=':none'
		[overwrite]=':none'
		[join-old-disk]='yes no'
		[boot-size]='auto'
		[swap-size]='auto'
		[compression]='lz4 zstd on off'
		[copier]='own rsync'
		[split-links]='yes no'
		[exclude]=':directory'
		[consistency]='shutdown now'
	)
}
# --- end of what is made

# Disks by the links that name them for good, without their partitions.
_zfs_root_migrate_disks() {
	local link
	for link in /dev/disk/by-id/*; do
		[[ -e ${link} && ! ${link} =~ -part[0-9]+$ ]] && echo "${link}"
	done
	return 0
}

# _zfs_root_migrate_offer WHAT: fill COMPREPLY. A colon says that WHAT is a kind of
# thing; else it is a list of words.
_zfs_root_migrate_offer() {
	local IFS=$'\n'
	case $1 in
		:none) ;;
		:file)
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "${current}")
			;;
		:directory)
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -d -- "${current}")
			;;
		:disk)
			mapfile -t COMPREPLY < <(
				compgen -W "$(_zfs_root_migrate_disks)" -- "${current}")
			;;
		:verb) _zfs_root_migrate_offer "${verbs}" ;;
		:key) _zfs_root_migrate_offer "${keys}" ;;
		:setting) _zfs_root_migrate_offer "${settings}" ;;
		:wish) _zfs_root_migrate_wish ;;
		*) mapfile -t COMPREPLY < <(compgen -W "${1// /$'\n'}" -- "${current}") ;;
	esac
}

# NAME=VALUE: the name first, then its values, several with commas.
_zfs_root_migrate_wish() {
	local name=${current%%=*} before one
	if [[ ${current} != *=* ]]; then
		compopt -o nospace
		_zfs_root_migrate_offer "${settings// /= }="
		return
	fi
	before=${name}=
	[[ " ${many} " == *" ${name} "* && ${current} == *,* ]] && before=${current%,*},
	current=${current#"${before}"}
	_zfs_root_migrate_offer "${values[${name}]-:none}"
	for one in "${!COMPREPLY[@]}"; do
		COMPREPLY[one]=${before}${COMPREPLY[one]}
	done
	current=${before}${current}
}

# What bash has split at = and : is one word again, in `words` up to the present one.
_zfs_root_migrate_words() {
	local number one joined='' breaks=${COMP_WORDBREAKS//[^=:]/}
	for (( number = 0; number <= COMP_CWORD; number++ )); do
		one=${COMP_WORDS[number]}
		if [[ -n ${breaks} ]] && (( number > 1 )) &&
			[[ -n ${joined} || ${one} == ["${breaks}"]* ]]
		then
			words[-1]+=${one}
		else
			words+=( "${one}" )
		fi
		joined=
		[[ -n ${breaks} && ${one} == ["${breaks}"] ]] && joined=yes
	done
}

_zfs_root_migrate() {
	local verbs settings keys many verb='' current previous one skip=''
	local -a words=() given=()
	local -A options takes values arguments
	_zfs_root_migrate_tables
	_zfs_root_migrate_words
	COMPREPLY=()
	current=${words[-1]}
	previous=${words[-2]}

	for one in "${words[@]:1:${#words[@]}-2}"; do
		if [[ -n ${skip} ]]; then
			skip=
		elif [[ -n ${verb} && -n ${takes[${one}]-} ]]; then
			skip=yes
		elif [[ -z ${verb} ]]; then
			case ${one} in
				--check) verb=check ;;
				-p|--pretend) verb=plan ;;
				-*) ;;
				*) verb=${one} ;;
			esac
		elif [[ ${one} != -* ]]; then
			given+=( "${one}" )
		fi
	done

	if [[ -n ${verb} && -n ${takes[${previous}]-} ]] &&
		[[ ${takes[${previous}]} != :key || ${current} != -* ]]
	then
		_zfs_root_migrate_offer "${takes[${previous}]}"
	elif [[ ${current} == -* ]]; then
		_zfs_root_migrate_offer "${options[${verb:-none}]-}"
	elif [[ -z ${verb} ]]; then
		_zfs_root_migrate_offer :verb
	elif (( ${#given[@]} == 0 )); then
		_zfs_root_migrate_offer "${arguments[${verb}]-:none}"
	elif [[ ${verb} == set ]] && { (( ${#given[@]} == 1 )) ||
		[[ " ${many} " == *" ${given[0]} "* ]]; }
	then
		_zfs_root_migrate_offer "${values[${given[0]}]-:none}"
	fi

	# bash puts the answer in place of what follows the last break only
	local kept=${current%"${current##*[=:]}"}
	if [[ -n ${kept} && ${COMP_WORDBREAKS} == *[=:]* ]]; then
		for one in "${!COMPREPLY[@]}"; do
			COMPREPLY[one]=${COMPREPLY[one]#"${kept}"}
		done
	fi
}

complete -F _zfs_root_migrate zfs-root-migrate
