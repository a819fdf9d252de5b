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
# The commands of a section of a page of docs, as they stand there.
typed() {
  local text
  text=$(sed -n "/^## $2/,/^## /p" "/boot-test/$1" | sed -n '/^```sh$/,/^```$/p' | sed '/^```/d')
  [[ -n $text ]]
  sed 's/^./$ &/' <<<"$text"
  eval "$text"
}
caught_up() { [[ $(as auditor flashsale projector status --json | grep -o '"state":"[a-z]*"' | sort -u) == '"state":"ok"' ]]; }
restarts() { systemctl show --property=NRestarts --value "$1"; }
is_restarted() { [[ $(restarts "$1") == "$2" && $(systemctl is-active "$1") == active ]]; }
shop() { as gateway python /boot-test/shop.py "$@"; }
# The gateway's token for somebody.
token() { FLASHSALE_GATEWAY_KEYS_FILE=/etc/credstore/flashsale.gateway_keys flashsale gateway token "$@"; }
# Orders over HTTP: `http buy KEY`.
http() { python /boot-test/order.py "$@"; }
# Buy one by one until the gateway has been away and five more are paid; what got no answer is sent again with its key.
http_buyer() {
  local paid=0 unanswered=0 afterwards=0 code
  while ((afterwards < 5)); do
    while code=0; http buy "$1-$paid" >>"/boot-test/$1.answers" || code=$?; ((code)); do
      [[ $code == 75 ]] && ((unanswered += 1, unanswered < 1000)) || return 1
    done
    ((paid += 1, afterwards += unanswered > 0)) || true
    echo "$paid orders paid over HTTP; $unanswered times there was no answer" >"/boot-test/$1"
  done
}
# Such a buyer while the gateway goes away and comes back, which the command sees to.
http_through() {
  http_buyer "$1" &
  local buyer=$!
  await test -s "/boot-test/$1"
  "$2"
  wait $buyer
  cat "/boot-test/$1"
}
paid_in() { cut -d' ' -f1 "/boot-test/$1"; }
page_answers() { python -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:8081/login").status)'; }
http_is_ready() { python -c 'import urllib.request; urllib.request.urlopen("http://127.0.0.1:8080/readyz")'; }
kill_gateway() {
  show systemctl kill --signal=KILL flashsale-gateway
  await is_restarted flashsale-gateway 1
}
# The gateway looks at Redis as every daemon does, and its role may not see what it asks for: docs/security.md.
nothing_refused() {
  say "ACL LOG of Redis, and the log of Postgres: nobody was refused anything, but the gateway its look at Redis"
  local asked refused
  # With -e, and assigned alone: a Redis that does not answer is no empty log.
  asked=$(redis-cli -e --no-auth-warning -u "$(</etc/credstore/flashsale.operator.redis_url)" ACL LOG)
  refused=$(
    awk '$0 == "object" { getline; what = $0 } $0 == "username" { getline; print $0 ": " what }' <<<"$asked" | sort -u
    grep -h 'permission denied' /var/log/postgresql/*.log || true
  )
  echo "${refused:-nothing}"
  [[ -z $(grep -vxE '|gateway: info' <<<"$refused") ]]
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
  show pip install --quiet 'flashsale[http,metrics]'
  show flashsale --version
  show flashsale ops install
  show systemd-sysusers
  show systemd-tmpfiles --create
  show systemctl daemon-reload
}

set_up_servers() {
  say "Servers of Debian, and who may do what in them: step 3 of docs/install.md, as it stands there"
  typed install.md '3\. '
  show flashsale db migrate
  (cd / && show runuser -u postgres -- psql -q -d flashsale -v ON_ERROR_STOP=1 </etc/flashsale/roles.sql)
  show flashsale doctor
}

set_up_gateway() {
  say "The gateway: without a secret it does not start"
  ! systemctl start flashsale-gateway 2>/dev/null
  show systemctl show --property=Id,Result,ExecMainStatus,NRestarts flashsale-gateway
  [[ $(systemctl show --property=ExecMainStatus --value flashsale-gateway) == 2 ]]
  journalctl --no-pager -o cat -u flashsale-gateway | grep gateway_keys
  systemctl reset-failed flashsale-gateway

  say "Its secret and its start, as docs/gateway.md says; an order over HTTP"
  typed gateway.md 'On a server'
  show grep 'open files' "/proc/$(systemctl show --property=MainPID --value flashsale-gateway)/limits"
  BUYER_TOKEN=$(token --buyer ada) SERVICE_TOKEN=$(token --service till)
  export BUYER_TOKEN SERVICE_TOKEN
  await http_is_ready
  show http buy cart-4711
}

set_up_operator_page() {
  say "The operator page, as docs/operator-page.md says: it asks who is there"
  typed operator-page.md 'On a server'
  await page_answers
  show page_answers

  say "Somebody logs in, pauses the sale and resumes it; the log says who"
  OPERATOR_TOKEN=$(FLASHSALE_GATEWAY_KEYS_FILE=/etc/credstore/flashsale.gateway_keys flashsale operator token --operator ada)
  export OPERATOR_TOKEN
  show python /boot-test/operator_page.py drop
  show as auditor flashsale events tail drop --number 2 | tee /boot-test/acts
  [[ $(grep -cE 'sale\.(paused|resumed) .*operator:ada' /boot-test/acts) == 2 ]]
}

# The target is away while the shop sells 300 units, and starts again.
stop_and_start() {
  shop 300 &
  local shop=$!
  show systemctl stop flashsale.target
  wait $shop
  show systemctl show --property=Id,ActiveState,Result,ExecMainStatus flashsale-projector@1 flashsale-sweeper flashsale-gateway
  show flashsale projector status
  show systemctl start flashsale.target
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
  for unit in flashsale-{projector@1,sweeper,reconcile,warm,metrics,gateway,operator}; do
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
quantity = 5000
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

  set_up_gateway
  set_up_operator_page

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

  say "kill -9 the gateway while buyers order: systemd starts it again, and they send what got no answer again"
  http_through killed kill_gateway

  say "Stop the target under load: batches and requests are finished, sales go on, Postgres falls behind"
  http_through stopped stop_and_start

  nothing_refused

  say "Reboot under load: what is enabled starts again"
  await http_is_ready
  show http hold before-the-reboot
  touch /boot-test/rebooted
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
  say "The gateway: the same key is the order from before; it is paid now"
  await http_is_ready
  BUYER_TOKEN=$(token --buyer ada) SERVICE_TOKEN=$(token --service till)
  export BUYER_TOKEN SERVICE_TOKEN
  show http buy before-the-reboot | tee /boot-test/replayed
  grep -q '^place, by a buyer: 201 replayed' /boot-test/replayed
  await caught_up
  show flashsale sale show drop
  say "The books"
  show systemctl start flashsale-reconcile
  show journalctl --no-pager -o cat -u flashsale-reconcile -n 5
  show flashsale sale show drop --json | grep -o '"comparison":.*' | tee /boot-test/compared
  grep -q '"differences":0' /boot-test/compared
  as auditor flashsale events export drop >/root/drop.ndjson
  show flashsale verify /root/drop.ndjson
  sold=$(flashsale sale show drop --json | grep -o '"sold":[0-9]*' | head -n 1)
  paid=$((1200 + 2 + $(paid_in killed) + $(paid_in stopped)))
  [[ $sold == "\"sold\":$paid" ]] || { echo "sold is $sold, and $paid orders were paid"; exit 1; }
  say "What Postgres has is taken off the log; the daemons go on"
  show as archiver flashsale trim drop --keep 100
  await looks_well
  nothing_refused
  printf '\nEverything held.\n'
  poweroff
}

if [[ -e /boot-test/rebooted ]]; then second_boot; else first_boot; fi
