# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion of nsmount. What there is to complete, nsmount says itself:
# subcommands and options by its help, tenants and grafts by its listings.

_nsmount_names() {
        case $1 in
        tenants) nsmount tenant list 2>/dev/null | sed -n '2,$s/ .*//p' ;;
        grafts) nsmount list --json 2>/dev/null | sed -n 's/^ *"name": "\(g[0-9]*\)".*/\1/p' ;;
        options) nsmount help "${@:2}" 2>/dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p' ;;
        esac
}

_nsmount() {
        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
        local command=${COMP_WORDS[1]} first=2
        COMPREPLY=()
        [ "$command" = tenant ] && [ "$COMP_CWORD" -gt 2 ] && command="tenant ${COMP_WORDS[2]}" first=3

        case $prev in
        --config | --runtime-dir) compopt -o dirnames; return ;;
        --pid) mapfile -t COMPREPLY < <(compgen -W "$(ps -eo pid=)" -- "$cur"); return ;;
        esac
        if [ "$COMP_CWORD" = 1 ]; then
                mapfile -t COMPREPLY < <(compgen -W \
                        "tenant attach detach mount unmount list reload help version" -- "$cur")
        elif [ "$command" = tenant ] || [ "$COMP_CWORD" = 2 ] && [ "${COMP_WORDS[1]}" = tenant ]; then
                mapfile -t COMPREPLY < <(compgen -W "add set rm show list" -- "$cur")
        elif [[ $cur == -* ]]; then
                # shellcheck disable=SC2086 # one word or two
                mapfile -t COMPREPLY < <(compgen -W "$(_nsmount_names options $command)" -- "$cur")
        elif [ "$COMP_CWORD" = "$first" ]; then
                case $command in
                attach | mount | 'tenant set' | 'tenant rm' | 'tenant show')
                        mapfile -t COMPREPLY < <(compgen -W "$(_nsmount_names tenants)" -- "$cur") ;;
                detach)
                        mapfile -t COMPREPLY < <(compgen -W \
                                "$(_nsmount_names grafts) $(_nsmount_names tenants)" -- "$cur") ;;
                unmount) compopt -o dirnames ;;
                esac
        else
                compopt -o default
        fi
}

complete -F _nsmount nsmount
