#!/usr/bin/env bash
# Prints each line that has a private word instead of the standard term (docs/glossary.md), and nothing if there is none.
# Usage: hack/words.sh [PATH...]
set -euo pipefail
cd "$(dirname "$0")/.."

# One extended regular expression per line: the word, a tab, and what to write instead.
words=$(grep -v '^#' hack/words.txt)
paths=("$@")
[ $# -gt 0 ] || paths=(.)
while IFS=$'\t' read -r word better; do
  git grep -nIiwE -e "$word" -- "${paths[@]}" ':!hack/words.*' ':!internal/cli/renamed.go' ':!internal/strictyaml/renamed.go' ':!*/renamed.txtar' ':!docs/glossary.md' ':!go.sum' ':!hack/tools' ':!*.svg' |
    grep -vE 'is now `|"Parity"|"Proof"|json:"tellFrom|http\.NoBody|at a glance|field says whether|this response say whether' | cut -c1-200 | sed "s|\$|   -> $better|" || true
done <<<"$words"
