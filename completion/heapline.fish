# Completion of heapline for fish: heapline itself says what can stand at the cursor.
function __heapline_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l answer ($words[1] --complete $words[2..-1] $current 2>/dev/null)
    string match -v -- ':*' $answer
    switch "$answer[-1]"
        case ':recordings'
            __fish_complete_suffix .heapline
        case ':files'
            __fish_complete_path $current
        case ':command*'
            set -l offset (string replace ':command ' '' -- $answer[-1])
            __fish_complete_subcommand --fcs-skip=$offset
    end
end
complete -c heapline -f -a '(__heapline_complete)'
