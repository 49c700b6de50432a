#!/usr/bin/env bash
# A Docker engine for the tests, and the images of the shipped stack. Ends with 1 and a reason on standard output where there can be
# none. An engine that it starts has its data in IPAI_CACHE and its process number in the file that it is given.
#
#   engine.sh ODOO PID_FILE
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
odoo=$1 pid_file=$2
cache=${IPAI_CACHE:-/var/cache/ipai}
plugins=/usr/local/lib/docker/cli-plugins

give_up() {
  echo "$*"
  exit 1
}

[[ $(id -u) == 0 ]] || give_up 'only root can start a Docker engine'

packages=(docker.io debootstrap iptables)
if ! dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" 2>/dev/null | grep -qx installed ||
  ! command -v dockerd >/dev/null || ! command -v debootstrap >/dev/null; then
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}" >&2 ||
    give_up 'the packages of Docker cannot be installed'
fi

# Compose and buildx are not in Debian 12; a newer suite's are single programs that need nothing else.
archive() {
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk '$3 == "main" && $2 !~ /-/ { print $1; exit }'
}
unpack_plugins() {
  local work
  work=$(mktemp -d)
  mkdir -p "$work"/{lists,cache,debs,tree}
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(archive) trixie main" >"$work/sources.list"
  local apt=(apt-get -q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$work/lists"
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root)
  "${apt[@]}" update >&2
  (cd "$work/debs" && "${apt[@]}" download docker-compose docker-buildx >&2)
  for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/tree"; done
  mkdir -p "$plugins"
  find "$work/tree" -path '*cli-plugins*' -type f -exec cp {} "$plugins" \;
  rm -rf "$work"
}
docker compose version >/dev/null 2>&1 || unpack_plugins || give_up 'Compose cannot be had'

if ! docker info >/dev/null 2>&1; then
  mkdir -p "$cache/docker"
  setsid dockerd --data-root "$cache/docker" --pidfile "$pid_file" >"$cache/docker.log" 2>&1 </dev/null &
  for ((tries = 0; tries < 150; tries++)); do
    docker info >/dev/null 2>&1 && break
    sleep 0.2
  done
  docker info >/dev/null 2>&1 || give_up "no engine starts here ($(grep -m 1 -o 'msg="failed.*' "$cache/docker.log" || tail -n 1 "$cache/docker.log"))"
  # What a killed run of the tests left on this engine, which is theirs alone.
  docker ps -aq | xargs -r docker rm -f -v >&2
  docker volume prune -f >&2
  docker network prune -f >&2
fi

"$here/build.sh" "$odoo" >&2 || give_up 'the images cannot be built'
