#!/usr/bin/env bash
# Runs inside the booted system, which has no network: types the blocks of docs/install.md, each command once the one before
# has ended, in one shell, as root. The end is "Everything held.", or the first command that failed.
set -uo pipefail
cd /root
export HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
trap poweroff EXIT

type_it() {
  printf '%s' "$1" | sed '1s/^/$ /; 2,$s/^/> /'
  # A pager or a question would wait for ever; the words of apt-get say nothing of flashsale.
  case $1 in
  apt-get\ update*) return 0 ;;
  apt-get*) eval "$1" </dev/null >/boot-test/apt.log 2>&1 || { tail -n 20 /boot-test/apt.log; return 1; } ;;
  *) eval "$1" </dev/null 2>&1 ;;
  esac
}

command=
while IFS= read -r line; do
  [[ -n $command || -n $line ]] || continue
  command+=$line$'\n'
  if [[ $line == *\\ ]] || ! bash -n <<<"$command" 2>/dev/null; then continue; fi
  type_it "$command"
  code=$?
  [[ $code == 0 ]] || { echo "FAILED (exit $code)"; journalctl --no-pager -n 40 -o cat; exit; }
  [[ $command != $'(\nset -e'* ]] || passwords=$command
  command=
done </boot-test/steps.sh

printf '\n# Step 3 once more, as after an upgrade: new passwords for all.\n'
eval "$passwords" </dev/null 2>&1 || exit
systemctl restart flashsale.target && flashsale doctor --json >/dev/null || { flashsale doctor; exit; }

printf '\n# Does it hold? Nothing has failed, everybody could do what its role is for, and the exporter tells of the sale.\n'
scrape() { /opt/flashsale/bin/python -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:9464/metrics").read().decode())'; }
scrape | grep -E '^flashsale_(up|look_success|log_halted|stock_units)' || true
failed=$(systemctl list-units --failed --plain --no-legend)
[[ -z $failed ]] || { echo "$failed"; exit; }
scrape | grep -qx 'flashsale_look_success 1.0' || { journalctl --no-pager -u flashsale-metrics -n 5 -o cat; exit; }
systemctl start flashsale-reconcile && journalctl --no-pager -o cat -u flashsale-reconcile -n 20 | grep 'agree at' || exit
printf '\nEverything held.\n'
