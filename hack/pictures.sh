#!/usr/bin/env bash
# Renders the README's pictures into docs/images: the tutor on a page of lab 1, and the status page with the objects of lab 1.
# Needs Linux and the Debian packages chromium, tmux, aha, and fonts-dejavu-core. Starts an embedded cluster and deletes it.
set -euo pipefail
cd "$(dirname "$0")/.."

name=pictures
http=18480
status=18488
scratch=$(mktemp -d)
export XDG_STATE_HOME=$scratch/state
# The pictures show the default ports and no directory of this machine.
lab() { bin/ingresslab "$@" --name "$name"; }
cleanup() {
  tmux -L "$name" kill-server 2>/dev/null || true
  lab down >&2 || true
  rm -rf "$scratch"
}
trap cleanup EXIT

for tool in tmux aha chromium; do
  command -v $tool >/dev/null || { echo "pictures: $tool not found in PATH; install the Debian package $tool" >&2; exit 1; }
done

# shot URL FILE WIDTH,HEIGHT. Without --timeout, chromium would wait until the status page's event stream ends.
shot() {
  timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync \
    --no-first-run --user-data-dir="$scratch/chromium" --hide-scrollbars --timeout=5000 \
    --window-size="$3" --screenshot="$PWD/docs/images/$2" "$1" 2>/dev/null
}
wait_for() { # wait_for TEXT: until the tutor shows it, for at most a minute
  for _ in $(seq 300); do
    tmux -L "$name" capture-pane -p | grep -qF "$1" && return
    sleep 0.2
  done
  echo "pictures: the tutor does not show \"$1\"" >&2
  tmux -L "$name" capture-pane -p >&2
  return 1
}

mkdir -p docs/images
make build
lab up --cluster embedded --http-port $http --https-port 18443 --status-port $status

keys() { tmux -L "$name" send-keys "$@"; }

tmux -L "$name" -f /dev/null new-session -d -x 100 -y 34 \
  "COLORTERM=truecolor TERM=xterm-256color XDG_STATE_HOME='$XDG_STATE_HOME' bin/ingresslab learn 1 --name $name"
wait_for "Before you begin"
keys Enter
wait_for "Meet the controller"
keys Enter
for heading in "Start three web servers" "Create a Service for each"; do
  wait_for "$heading"
  keys s
  wait_for "(y/n)"
  keys y
  wait_for "✓"
  keys Enter
done
wait_for "Write the first rule"
keys h
wait_for "Hint 1/3"
tmux -L "$name" capture-pane -e -p | sed "s/$http/8080/; s/18443/8443/; s/$status/18080/; s/$name (embedded)/ingresslab (embedded)/" |
  aha --black --title tutor | sed 's/<pre>/<pre style="font: 15px DejaVu Sans Mono; margin: 14px">/' >"$scratch/tutor.html"
shot "file://$scratch/tutor.html" tutor.png 960,650
keys q

lab lab 1 >/dev/null
curl -s -H 'Host: cheddar.localhost' "http://127.0.0.1:$http/?[1-20]" >/dev/null
shot "http://127.0.0.1:$status/" status.png 1100,900
ls -l docs/images
