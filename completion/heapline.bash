# Completion of heapline for bash: heapline itself says what can stand at the cursor.
_heapline()
{
    local line=${COMP_LINE:0:COMP_POINT} current words answer head
    # Bash splits words at "=" and ":"; the line is split at blanks alone.
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current=${words[-1]}
    mapfile -t answer < <("${words[0]}" --complete "${words[@]:1}" 2>/dev/null)
    COMPREPLY=()
    # What stands before the last "=" or ":" is no part of the word that is replaced.
    head=
    [[ $current == *[=:]* && $COMP_WORDBREAKS == *=* ]] && head=${current%"${current##*[=:]}"}
    local candidate
    for candidate in "${answer[@]}"; do
        [[ $candidate == :* ]] && continue
        candidate=${candidate%%$'\t'*}
        COMPREPLY+=("${candidate#"$head"}")
    done
    current=${current#"$head"}
    case ${answer[-1]-} in
    :recordings)
        mapfile -t answer < <(compgen -f -X '!*.heapline' -- "$current" && true; compgen -d -- "$current")
        COMPREPLY+=("${answer[@]}")
        compopt -o filenames 2>/dev/null
        ;;
    :files)
        compopt -o default 2>/dev/null
        ;;
    :command*)
        local offset=${answer[-1]#:command }
        if declare -F _command_offset >/dev/null; then
            _command_offset "$offset"
        elif [[ ${#words[@]} -eq $((offset + 1)) ]]; then
            mapfile -t COMPREPLY < <(compgen -c -- "$current")
        else
            compopt -o default 2>/dev/null
        fi
        ;;
    esac
}
complete -F _heapline heapline
