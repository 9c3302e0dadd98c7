#!/usr/bin/env bash
# A chat in the terminal: how to talk to the server's REST API with curl and jq.

set -o nounset -o pipefail

usage() {
    cat <<'END'
usage: bash chat.sh [options]

A line is a question; its answer comes as it is generated. Ctrl-D or Ctrl-C ends the chat.

  --url URL        the server; default $API_URL, or http://127.0.0.1:8080
  --api-key KEY    for a server that wants one
  --help           this text
END
}

INSTRUCTION="A conversation of a curious human and an assistant, who is friendly and answers precisely."
STOP=$'\n### Human:'
# Questions and answers by turns.
CHAT=("Hello, Assistant." "Hello. What would you like to know?")
SLOT_ID=-1
API_URL="${API_URL:-http://127.0.0.1:8080}"
HEADERS=(--header "Content-Type: application/json")
STATUS=0

problem() {
    echo "chat.sh: $1" >&2
    STATUS=1
}

fail() {
    problem "$1"
    exit 1
}

read_options() {
    while [ $# -gt 0 ]; do
        case "$1" in
        --url=* | --api-key=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
        esac
        case "$1" in
        --help | -h) usage && exit 0 ;;
        --url | --api-key) [ $# -gt 1 ] || fail "$1 needs a value; see --help" ;;
        *) fail "there is no option $1; see --help" ;;
        esac
        case "$1" in
        --url) API_URL="$2" ;;
        --api-key) HEADERS+=(--header "Authorization: Bearer $2") ;;
        esac
        shift 2
    done
}

# post PATH: the answer to the body on standard input, and a line `failed: CURL'S WORDS` if there is none.
post() {
    local words
    # Descriptor 3 is the answer, so that what is left is curl's complaint.
    { words=$(curl --silent --show-error --no-buffer --data-binary @- "${HEADERS[@]}" "${API_URL%/}$1" 2>&1 >&3) ||
        printf '\nfailed: %s\n' "${words//$'\n'/ }"; } 3>&1
}

# Errors are lines of their own: the server's answer, an event of the stream, or what `post` says.
# shellcheck disable=SC2016 # The dollars are jq's.
FAILURES='
def failure:
  if startswith("failed: ") then "the request failed: " + .[8:]
  elif startswith("{\"error\":") then
    fromjson.error | "the server answered \(.code): \(.message)" +
      if .code == 401 then "; give the key with --api-key" else "" end
  else empty end;
'

count_tokens() {
    local answer failure
    answer=$(jq --null-input --arg content "$1" '{$content}' | post /tokenize)
    failure=$(jq --raw-input --raw-output "$FAILURES"' failure' <<<"$answer")
    [ -z "$failure" ] || fail "$failure"
    jq '.tokens | length' <<<"$answer" 2>/dev/null || fail "what answers at $API_URL is another server"
}

format_prompt() {
    local i
    echo "$INSTRUCTION"
    for ((i = 0; i < ${#CHAT[@]}; i += 2)); do
        printf '### Human: %s\n### Assistant: %s\n' "${CHAT[i]}" "${CHAT[i + 1]}"
    done
    printf '### Human: %s\n### Assistant:' "$1"
}

body() {
    # shellcheck disable=SC2016
    format_prompt "$1" | jq --raw-input --slurp --compact-output \
        --arg stop "$STOP" --argjson n_keep "$N_KEEP" --argjson slot_id "$SLOT_ID" '{
            prompt: ., $n_keep, $slot_id, stop: [$stop], stream: true,
            temperature: 0.2, top_k: 40, top_p: 0.9, n_predict: 256, cache_prompt: true
        }'
}

# A kind and a text for each event, with NUL bytes at their ends because a text may contain any other.
events() {
    jq --raw-input --join-output --unbuffered "$FAILURES"'
        def pair($kind; $text): $kind + "\u0000" + ($text | tostring) + "\u0000";
        if startswith("data:") then
            .[5:] | fromjson | if .error then pair("problem"; .error.message) else
                pair("text"; .content), if .stop then pair("slot"; .slot_id), pair("end"; .truncated) else empty end
            end
        else failure | pair("problem"; .) end'
}

answer() {
    local kind text answer="" is_complete=""
    while IFS= read -r -d '' kind && IFS= read -r -d '' text; do
        case "$kind" in
        text)
            # The blank between "Assistant:" and the answer.
            [ -n "$answer" ] || text="${text#"${text%%[![:space:]]*}"}"
            answer+="$text"
            printf '%s' "$text"
            ;;
        slot) SLOT_ID="$text" ;;
        end) is_complete="$text" ;;
        problem) printf '%s' "${answer:+$'\n'}" >&2 && problem "$text" && return ;;
        esac
    done < <(body "$1" | post /completion | events)
    echo
    if [ -z "$is_complete" ]; then
        problem "the answer ended too early"
        return
    fi
    CHAT+=("$1" "${answer%"${answer##*[![:space:]]}"}")
    # The server had to cut the conversation; what it cut is not sent again.
    if [ "$is_complete" = true ]; then CHAT=("${CHAT[@]:2}"); fi
}

read_options "$@"
for program in curl jq; do
    command -v "$program" >/dev/null || fail "$program is missing; install it with your system's package manager"
done
trap 'echo; exit 130' INT
# Before the first question, so that a server that is not there is noticed at once.
N_KEEP=$(count_tokens "$INSTRUCTION") || exit 1

# With line editing if somebody types.
[ -t 0 ] && EDIT=(-e -p "> ") || EDIT=()
while IFS= read -r ${EDIT[@]+"${EDIT[@]}"} QUESTION; do
    [ -z "${QUESTION// /}" ] || answer "$QUESTION"
done
exit "$STATUS"
