#!/usr/bin/env bash
# Signs a request to Holdfast and sends it, with bash, openssl and curl.
#   sign.sh METHOD URL SECRET_ID SECRET_FILE [BODY_FILE]     prints the status, then the body of the answer
# CA_FILE names a CA to trust. With DRY_RUN=TIMESTAMP:NONCE nothing is sent and the signature is printed.
set -euo pipefail
export LC_ALL=C
method=$1 url=$2 secret_id=$3 secret_file=$4 body_file=${5:-/dev/null}
# Here: a failure inside of the pipeline that signs would go unseen.
[[ -n $(tr -d '\0\n' <"$secret_file") ]] || { echo "sign.sh: $secret_file holds no secret" >&2; exit 1; }

sha256_hex() { openssl dgst -sha256 -r | cut -d' ' -f1; }
to_hex() { od -An -v -tx1 | tr -d ' \n'; }
from_hex() { printf "$(sed 's/../\\x&/g' <<<"$1")"; }

# HMAC by its definition (RFC 2104), so that the secret is in no command line, where any user of the machine could read it.
hmac_sha256_hex() {
  local key inner='' outer='' byte i
  key=$(to_hex <"$1")
  key=${key%0a} # one final newline of the file is not part of the secret
  ((${#key} <= 128)) || key=$(from_hex "$key" | sha256_hex)
  while ((${#key} < 128)); do key+=00; done
  for ((i = 0; i < 128; i += 2)); do
    byte=$((16#${key:i:2}))
    printf -v inner '%s\\x%02x' "$inner" $((byte ^ 0x36))
    printf -v outer '%s\\x%02x' "$outer" $((byte ^ 0x5c))
  done
  { printf "$outer"; { printf "$inner"; cat; } | openssl dgst -sha256 -binary; } | sha256_hex
}

# Decodes once and encodes again: upper-case hex, unreserved characters as they are, a plus is a plus.
normal() {
  local text=$1 out='' byte i
  for ((i = 0; i < ${#text}; i++)); do
    if [[ ${text:i:1} == % ]]; then
      printf -v byte '%s' "${text:i+1:2}"
      i=$((i + 2))
    else
      printf -v byte '%02x' "'${text:i:1}"
      byte=${byte: -2}
    fi
    byte=${byte^^}
    case $byte in
      2D | 2E | 5F | 7E | 3[0-9] | 4[1-9A-F] | 5[0-9A] | 6[1-9A-F] | 7[0-9A]) printf -v byte "\\x$byte" ;;
      *) byte=%$byte ;;
    esac
    out+=$byte
  done
  printf '%s' "$out"
}

canonical_query() {
  local piece name value pairs=()
  IFS='&' read -ra pieces <<<"$1"
  for piece in "${pieces[@]}"; do
    [[ -n $piece ]] || continue
    name=${piece%%=*} value=''
    [[ $piece != *=* ]] || value=${piece#*=}
    pairs+=("$(normal "$name")"$'\t'"$(normal "$value")")
  done
  ((${#pairs[@]})) || return 0
  printf '%s\n' "${pairs[@]}" | sort -t $'\t' -k1,1 -k2,2 | tr '\t' '=' | paste -sd '&' | tr -d '\n'
}

rest=${url#*://} host=${url#*://}
host=${host%%[/?]*} rest=${rest#"${rest%%[/?]*}"}
path=${rest%%\?*} query=''
[[ $rest != *\?* ]] || query=${rest#*\?}
path=${path:-/}
if [[ -n ${DRY_RUN:-} ]]; then
  timestamp=${DRY_RUN%%:*} nonce=${DRY_RUN#*:}
else
  timestamp=$(date +%s) nonce=$(openssl rand -hex 16)
fi
content_sha256=$(sha256_hex <"$body_file")
signature=$(printf '%s%s%s\n%s\n%s\n%s\n%s' "$method" "${host,,}" "$path" "$(canonical_query "$query")" "$timestamp" \
  "$nonce" "$content_sha256" | hmac_sha256_hex "$secret_file")
if [[ -n ${DRY_RUN:-} ]]; then echo "$signature"; exit 0; fi

body=(--data-binary "@$body_file" -H 'Content-Type: application/json')
[[ $body_file != /dev/null ]] || body=()
answer=$(curl -sS --globoff --path-as-is --max-time 10 ${CA_FILE:+--cacert "$CA_FILE"} -X "$method" \
  -H "Authorization: HMAC-SHA256 SecretId=$secret_id, Signature=$signature" -H "X-Timestamp: $timestamp" \
  -H "X-Nonce: $nonce" -H "X-Content-SHA256: $content_sha256" "${body[@]}" -w '\n%{http_code}' "$url")
printf '%s\n%s\n' "${answer##*$'\n'}" "${answer%$'\n'*}"
