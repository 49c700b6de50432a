#!/usr/bin/env bash
# Builds, on a Debian base and with apt alone, what the shipped stack otherwise takes from a registry. Idempotent.
#
#   build.sh ODOO   folder of an Odoo: Debian's package unpacked, or a source tree with odoo-bin
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
odoo=${1:?the folder of an Odoo}
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

# The archive that this machine's apt uses.
archive() {
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk '$3 == "main" && $2 !~ /-/ { print $1; exit }'
}

has() { docker image inspect "$1" >/dev/null 2>&1; }

if ! has ipai-test/base; then
  debootstrap --variant=minbase trixie "$work/base" "$(archive)" >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
  tar -C "$work/base" --exclude='./var/cache/apt/archives/*.deb' -c . | docker import - ipai-test/base >/dev/null
fi
# The client leaves folders where temporary files go.
build() { TMPDIR=$work DOCKER_BUILDKIT=1 docker build --quiet --tag "$@" >/dev/null; }
build ipai-test/postgres "$here/postgres"
build ipai-test/database --build-arg BASE=ipai-test/postgres "$here/../../sandbox/compose/images/database"
build ipai-test/redis "$here/redis"
build ipai-test/nginx "$here/nginx"
cp -a "$here/odoo" "$work/odoo"
mkdir "$work/odoo/source"
tar -C "$odoo" --exclude=./.git -c . | tar -C "$work/odoo/source" -x
build ipai-test/odoo "$work/odoo"
