#!/usr/bin/env bash
# Runs inside the booted system: once before its reboot, and once after. The end is "Everything held.", or the first fault.
set -euo pipefail
export PATH=/opt/flashsale/bin:$PATH HOME=/root LC_ALL=C.UTF-8
trap 'code=$?; [[ $code == 0 ]] || { echo "FAILED (exit $code)"; journalctl --no-pager -n 60 -o cat; poweroff; }' EXIT

say() { printf '\n# %s\n' "$*"; }
# Show a command, and what it prints.
show() { printf '$ %s\n' "$*"; "$@" 2>&1; }
# Wait until a command succeeds, half a minute at most.
await() {
  for _ in $(seq 300); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "Waited half a minute for: $*"
  return 1
}
# A command with the URLs of a role.
as() {
  FLASHSALE_REDIS_URL_FILE=/etc/credstore/flashsale.$1.redis_url \
    FLASHSALE_POSTGRES_URL_FILE=/etc/credstore/flashsale.$1.postgres_url "${@:2}"
}
# The commands of a step of docs/install.md, as they stand there.
step() {
  local text
  text=$(sed -n "/^## $1\. /,/^## [^$1]/p" /boot-test/install.md | sed -n '/^```sh$/,/^```$/p' | sed '/^```/d')
  sed 's/^./$ &/' <<<"$text"
  eval "$text"
}
caught_up() { [[ $(as auditor flashsale projector status --json | grep -o '"state":"[a-z]*"' | sort -u) == '"state":"ok"' ]]; }
restarts() { systemctl show --property=NRestarts --value "$1"; }
is_restarted() { [[ $(restarts "$1") == "$2" && $(systemctl is-active "$1") == active ]]; }
shop() { as gateway python /boot-test/shop.py "$@"; }
nothing_refused() {
  say "ACL LOG of Redis, and the log of Postgres: nobody was refused anything"
  local refused
  refused=$(redis-cli --no-auth-warning -u "$(</etc/credstore/flashsale.operator.redis_url)" ACL LOG
    grep -h 'permission denied' /var/log/postgresql/*.log || true)
  echo "${refused:-nothing}"
  [[ -z $refused ]]
}
# What the exporter tells of both servers and of the sale.
numbers() {
  python -c 'import urllib.request; print(urllib.request.urlopen("http://127.0.0.1:9464/metrics").read().decode())' |
    grep -E '^flashsale_(up|look_success|stock_units|projector_lag|projector_pending)'
}
looks_well() { numbers | grep -x 'flashsale_look_success 1.0'; }

without_urls() {
  say "No URL yet: no unit begins, or starts a server of its own, and systemd does not try again"
  for unit in projector@1 sweeper metrics reconcile warm; do
    ! systemctl start "flashsale-$unit" 2>/dev/null
    show systemctl show --property=Id,Result,ExecMainStatus,NRestarts "flashsale-$unit"
    [[ $(systemctl show --property=ExecMainStatus --value "flashsale-$unit") == 2 && $(restarts "flashsale-$unit") == 0 ]]
    journalctl --no-pager -o cat -u "flashsale-$unit" | grep 'redis_url: None is not accepted'
  done
  show systemctl reset-failed 'flashsale-*'
}

install_flashsale() {
  say "Install flashsale and its units"
  show python3 -m venv /opt/flashsale
  show pip install --quiet 'flashsale[metrics]'
  show flashsale --version
  show flashsale ops install
  show systemd-sysusers
  show systemd-tmpfiles --create
  show systemctl daemon-reload
}

set_up_servers() {
  say "Servers of Debian, and who may do what in them: step 3 of docs/install.md, as it stands there"
  step 3
  show flashsale db migrate
  (cd / && show runuser -u postgres -- psql -q -d flashsale -v ON_ERROR_STOP=1 </etc/flashsale/roles.sql)
  show flashsale doctor
}

first_boot() {
  install_flashsale
  without_urls
  set_up_servers

  say "Start everything"
  show systemctl enable --now --quiet flashsale.target flashsale-projector@1 flashsale-projector@2 flashsale-sweeper \
    flashsale-reconcile.timer flashsale-warm.timer flashsale-metrics
  await systemctl is-active flashsale-projector@1 flashsale-projector@2 flashsale-sweeper flashsale-metrics
  show systemctl --no-pager list-units 'flashsale*'
  for unit in flashsale-projector@1 flashsale-sweeper flashsale-reconcile flashsale-warm flashsale-metrics; do
    systemd-analyze security --no-pager "$unit.service" | tail -n 1
  done

  say "A sale that opens in half a minute is warmed by the timer, and opens by itself"
  cat >/root/drop.toml <<DEFINITION
sale = "drop"
title = "Drop"
currency = "EUR"
hold = "15m"
opens = $(date -u -d '+30 sec' +%Y-%m-%dT%H:%M:%SZ)

[[items]]
sku = "phone-15"
title = "Phone 15"
quantity = 2000
unit_price_minor = 79900
DEFINITION
  show flashsale sale define /root/drop.toml
  show systemctl start flashsale-warm
  show journalctl --no-pager -o cat -u flashsale-warm -n 3
  await bash -c "flashsale sale show drop --json | grep -q '\"state\":\"open\"'"
  shop 300
  await caught_up
  show flashsale projector status

  say "The exporter"
  await looks_well
  show numbers

  say "kill -9 a projector while it sells: systemd starts it again"
  shop 300 &
  show systemctl kill --signal=KILL flashsale-projector@1
  await is_restarted flashsale-projector@1 1
  wait %1
  await caught_up
  show flashsale projector status

  say "A projector that hangs feeds no watchdog: systemd kills it and starts it again (here after 5 s instead of 60)"
  mkdir -p /run/systemd/system/flashsale-projector@2.service.d
  printf '[Service]\nWatchdogSec=5s\n' >/run/systemd/system/flashsale-projector@2.service.d/test.conf
  systemctl daemon-reload
  systemctl restart flashsale-projector@2
  await caught_up
  show systemctl kill --signal=STOP flashsale-projector@2
  await is_restarted flashsale-projector@2 1
  rm -r /run/systemd/system/flashsale-projector@2.service.d
  systemctl daemon-reload

  say "Stop the target under load: batches are finished, sales go on, Postgres falls behind"
  shop 300 &
  show systemctl stop flashsale.target
  wait %1
  show systemctl show --property=Id,ActiveState,Result,ExecMainStatus flashsale-projector@1 flashsale-sweeper
  show flashsale projector status

  nothing_refused

  say "Reboot under load: what is enabled starts again"
  touch /boot-test/rebooted
  show systemctl start flashsale.target
  shop 300
  show systemctl reboot
}

second_boot() {
  export FLASHSALE_REDIS_URL_FILE=/etc/credstore/flashsale.operator.redis_url
  export FLASHSALE_POSTGRES_URL_FILE=/etc/credstore/flashsale.operator.postgres_url
  say "After the reboot"
  await caught_up
  show systemctl --no-pager list-units 'flashsale*'
  show flashsale projector status
  show flashsale sale show drop
  say "The books"
  show systemctl start flashsale-reconcile
  show journalctl --no-pager -o cat -u flashsale-reconcile -n 5
  as auditor flashsale events export drop >/root/drop.ndjson
  show flashsale verify /root/drop.ndjson
  sold=$(flashsale sale show drop --json | grep -o '"sold":[0-9]*' | head -n 1)
  [[ $sold == '"sold":1200' ]] || { echo "sold is $sold, and 1,200 orders were acknowledged"; exit 1; }
  say "What Postgres has is taken off the log; the daemons go on"
  show as archiver flashsale trim drop --keep 100
  await looks_well
  nothing_refused
  printf '\nEverything held.\n'
  poweroff
}

if [[ -e /boot-test/rebooted ]]; then second_boot; else first_boot; fi
