#!/usr/bin/env bash
# Prints each line that uses a private word instead of the field's word (docs/glossary.md). Prints nothing if all is well.
# Usage: hack/words.sh [PATH...]
set -euo pipefail
cd "$(dirname "$0")/.."

# One extended regular expression per line: the word, a tab, and what to write instead.
words=$(grep -v '^#' hack/words.txt)
paths=("$@")
[ $# -gt 0 ] || paths=(.)
while IFS=$'\t' read -r word better; do
  git grep -nIiwE -e "$word" -- "${paths[@]}" ':!hack/words.*' ':!docs/glossary.md' ':!go.sum' ':!hack/tools' ':!*.svg' |
    cut -c1-200 | sed "s|\$|   -> $better|" || true
done <<<"$words"
