#!/usr/bin/env bash
# Boot a Debian with systemd in a container, and try there
#   units    whether the units do what they promise: `make systemd-test`
#   install  docs/install.md, typed word by word into a Debian that has nothing but systemd: `make install-test`
# Needs root on Debian, with debootstrap and systemd-container; takes a few minutes, the first time a few more. Everything
# lies in build/boot, and nothing of this machine is changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
what=${1:-units}
case $what in
units) packages=systemd,systemd-sysv,dbus,python3,python3-venv,redis-server,postgresql,ca-certificates ;;
install) packages=systemd,systemd-sysv,dbus ;;
*) echo "What is '$what'? units or install." && exit 2 ;;
esac
python=.venv/bin/python
build=$PWD/build/boot
base=$build/debian-$what root=$build/root transcript=$build/$what-test.txt

for tool in debootstrap systemd-nspawn; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install debootstrap systemd-container"; exit 1; }
done
[[ $(id -u) == 0 ]] || { echo "Only root can boot a container."; exit 1; }

mkdir -p "$build"
if [[ ! -e $base/.complete ]]; then
  rm -rf "$base"
  debootstrap --variant=minbase --include="$packages" \
    bookworm "$base" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$build/debootstrap.log"
  ! mountpoint --quiet "$base/proc" || umount "$base/proc"
  rm -f "$base"/var/cache/apt/archives/*.deb
  # The container has no network: what its apt-get will ask for lies there already.
  [[ $what != install ]] || chroot "$base" apt-get install --quiet --yes --download-only \
    redis-server postgresql python3-venv >"$build/download.log"
  touch "$base/.complete"
fi
rm -rf "$root"
cp --archive --one-file-system "$base" "$root"

# The wheel as a user gets it, and what it needs, for a machine without a network. Its Python is 3.11.2, for which redis needs
# async-timeout; pip asks this machine's, which may be newer.
mkdir -p "$root/wheels"
make build >"$build/build.log"
$python -m pip download --quiet --disable-pip-version-check --only-binary=:all: --dest "$root/wheels" \
  "$(echo dist/flashsale-*.whl)[http,metrics]" async-timeout
printf '[global]\nno-index = true\nfind-links = /wheels\n' >"$root/etc/pip.conf"

install -D -m 755 "tests/boot/$what.sh" "$root/boot-test/inside.sh"
install -m 644 tests/boot/{shop,order,operator_page}.py docs/{install,gateway,operator-page}.md "$root/boot-test/"
# The blocks of its steps: what somebody copies and pastes.
sed -n '/^## 1\. /,/^## What systemd/p' docs/install.md | sed -n '/^```sh$/,/^```$/p' | sed '/^```/d' >"$root/boot-test/steps.sh"
install -m 644 tests/boot/boot-test.service "$root/etc/systemd/system/"
ln -s ../boot-test.service "$root/etc/systemd/system/multi-user.target.wants/"

# A container that hangs is a failure, too. SIGRTMIN+3 is how systemd is asked to power off; 133 is its wish to boot again.
boot() {
  timeout --signal=RTMIN+3 --kill-after=60 "${BOOT_TIMEOUT_S:-900}" \
    systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit --private-network --console=pipe \
    </dev/null >>"$build/console.log" 2>&1
}
: >"$build/console.log"
for _ in first second; do
  code=0
  boot || code=$?
  [[ $code == 133 ]] || break
done
[[ $code == 0 ]] || echo "The container ended with $code."

cp "$root/boot-test/transcript.txt" "$transcript" 2>/dev/null || { tail -n 50 "$build/console.log"; exit 1; }
cat "$transcript"
grep -q '^Everything held\.$' "$transcript"
