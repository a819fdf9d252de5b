#!/usr/bin/env bash
# Builds the images redis:7.0 and postgres:15 from Debian 12's packages, for the tests that run with --servers=docker on a
# machine that reaches a Debian mirror and no image registry. Where a registry is reachable, this is not needed.
#
# Runs as root on Debian 12, takes a few minutes and 1 GB below TMPDIR, and leaves two images and nothing else.
# An image that exists under one of the names is left as it is: remove it first (docker rmi) to have it built again.
#
#   apt-get install docker.io debootstrap
#   systemctl start docker            # without systemd: dockerd >/tmp/dockerd.log 2>&1 &
#   ops/docker/build-test-images.sh [MIRROR]
#   TESTCONTAINERS_RYUK_DISABLED=true FLASHSALE_TEST_REDIS_IMAGES=redis:7.0 FLASHSALE_TEST_POSTGRES_IMAGES=postgres:15 \
#     make test-docker
set -euo pipefail

mirror=${1:-http://deb.debian.org/debian}
redis_image=redis:7.0
postgres_image=postgres:15
postgres_bin=/usr/lib/postgresql/15/bin
system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

fail() {
  echo "build-test-images: $*" >&2
  exit 1
}

[[ $(id -u) == 0 ]] || fail "debootstrap needs root"
for program in docker debootstrap; do
  command -v "$program" >/dev/null || fail "$program is missing: apt-get install docker.io debootstrap"
done
docker info >/dev/null 2>&1 || fail "no Docker daemon answers: systemctl start docker, or run dockerd in the background"

exists() {
  docker image inspect "$1" >/dev/null 2>&1
}

if exists "$redis_image" && exists "$postgres_image"; then
  echo "$redis_image and $postgres_image are there already"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree

# ---------------------------------------------------------------------------------------- one tree with both servers

inside() {
  env -i PATH="$system_path" DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$tree" "$@"
}

debootstrap --variant=minbase bookworm "$tree" "$mirror"

# Packages start their services when they are installed, unless this file says no.
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"

# The package would make a cluster of its own; the entrypoint makes the one that is wanted.
install -D -m 644 /dev/stdin "$tree/etc/postgresql-common/createcluster.conf" <<<'create_main_cluster = false'
inside apt-get -qq update
inside apt-get -qq install --yes --no-install-recommends -o Dpkg::Options::=--force-confold redis-server postgresql
inside apt-get -qq clean
rm -rf "${tree:?}"/var/lib/apt/lists/* "${tree:?}"/usr/share/{doc,man,locale}

inside install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data
inside install -d -o postgres -g postgres -m 2775 /run/postgresql

# As much of the official image's entrypoint as testcontainers asks for: a superuser, its password and a database.
install -m 755 /dev/stdin "$tree/usr/local/bin/postgres-entrypoint" <<'ENTRYPOINT'
#!/bin/sh
set -eu
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  password=$(mktemp)
  printf '%s\n' "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}" >"$password"
  initdb --username="$user" --pwfile="$password" --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
  rm "$password"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  [ "$database" = postgres ] || echo "CREATE DATABASE \"$database\"" | postgres --single -j postgres
fi
exec postgres -c listen_addresses='*' "$@"
ENTRYPOINT

# ---------------------------------------------------------------------------------------------- and two images of it

import() {
  local image=$1
  shift
  if exists "$image"; then
    echo "$image is there already"
    return
  fi
  local changes=()
  for change; do changes+=(--change "$change"); done
  tar -C "$tree" --numeric-owner -c . | docker import "${changes[@]}" - "$image"
}

import "$redis_image" \
  "ENV PATH=$system_path" \
  'EXPOSE 6379' \
  'WORKDIR /var/lib/redis' \
  'USER redis' \
  'CMD ["redis-server", "--protected-mode", "no"]'

import "$postgres_image" \
  "ENV PATH=$postgres_bin:$system_path PGDATA=/var/lib/postgresql/data" \
  'EXPOSE 5432' \
  'VOLUME /var/lib/postgresql/data' \
  'USER postgres' \
  'ENTRYPOINT ["postgres-entrypoint"]'

docker image ls --format '{{.Repository}}:{{.Tag}}  {{.Size}}' | grep -F -e "$redis_image" -e "$postgres_image"
