#!/usr/bin/env bash
# Installs what a fresh Debian 12 machine needs to run the practice stack and the tests:
# Debian packages, Odoo 19 unpacked beside the system, npm dependencies. Idempotent.
#
#   IPAI_CACHE       where Odoo 19 is unpacked             (default /var/cache/ipai)
#   IPAI_ODOO_HOME   your own Odoo, a folder with odoo-bin: then none is unpacked
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${IPAI_CACHE:-/var/cache/ipai}
ODOO=$CACHE/odoo-19
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

PACKAGES=(
  # the stack
  postgresql-15 postgresql-client-15 postgresql-common redis-server redis-tools nginx-light restic pgbackrest
  curl jq procps util-linux ca-certificates openssh-client
  # another machine to practise on: a server for the tests, and a cable that can be cut
  openssh-server iproute2
  # repositories behind REST and S3 for the tests, and a clock that is another one
  rclone python3-swift faketime
  # a mail server for the tests
  python3-aiosmtpd
  # what Odoo 19's package depends on, by its bookworm names
  python3 python3-asn1crypto python3-babel python3-cbor2 python3-chardet python3-cryptography python3-dateutil
  python3-docutils python3-freezegun python3-geoip2 python3-gevent python3-greenlet python3-idna python3-jinja2
  python3-libsass python3-lxml python3-magic python3-markupsafe python3-num2words python3-ofxparse python3-openpyxl
  python3-openssl python3-passlib python3-pil python3-polib python3-psutil python3-psycopg2 python3-pypdf
  python3-qrcode python3-reportlab python3-requests python3-rjsmin python3-serial python3-stdnum python3-tz
  python3-urllib3 python3-usb python3-vobject python3-werkzeug python3-xlrd python3-xlsxwriter python3-xlwt
  python3-zeep
  fonts-dejavu-core fonts-font-awesome fonts-glyphicons-halflings fonts-inconsolata fonts-ocr-b
  fonts-roboto-unhinted gsfonts libjs-jquery libjs-jquery-form libjs-underscore
  # what Odoo 18 needs besides
  python3-decorator python3-pypdf2 python3-renderpm
)
# Taken from Debian's newest suite and only unpacked: bookworm has neither.
UNPACKED=(odoo-19 fonts-montserrat)

say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

missing_packages() {
  local installed
  installed=" $(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${PACKAGES[@]}" 2>/dev/null |
    sed -n 's/ installed$//p' | tr '\n' ' ' || true)"
  for package in "${PACKAGES[@]}"; do
    [[ $installed == *" $package "* ]] || echo "$package"
  done
}

missing_odoo() {
  if [[ -n ${IPAI_ODOO_HOME:-} ]]; then
    [[ -f $IPAI_ODOO_HOME/odoo-bin ]] || fail "IPAI_ODOO_HOME is $IPAI_ODOO_HOME, but there is no odoo-bin in it."
    return 1
  fi
  [[ ! -x $ODOO/usr/bin/odoo ]]
}

# npm keeps a list of what it installed; it is up to date when it agrees with the lock.
missing_modules() {
  [[ -f $ROOT/package-lock.json ]] || return 1
  [[ -f $ROOT/node_modules/.package-lock.json ]] || return 0
  ! node -e '
    const [lock, have] = process.argv.slice(1).map((f) => JSON.parse(require("fs").readFileSync(f)).packages);
    const same = (a, b) => a && a.version === b.version && a.integrity === b.integrity;
    const stale = Object.keys(have).some((k) => !same(lock[k], have[k]));
    const absent = Object.keys(lock).some((k) => k !== "" && !lock[k].optional && !have[k]);
    process.exit(stale || absent ? 1 : 0);
  ' "$ROOT/package-lock.json" "$ROOT/node_modules/.package-lock.json"
}

require_debian_root() {
  local hint="$1 Then run this again."
  local ID='' VERSION_ID=''
  # shellcheck source=/dev/null
  [[ -r /etc/os-release ]] && . /etc/os-release
  [[ $ID == debian && $VERSION_ID == 12 ]] ||
    fail "this machine is ${ID:-unknown} ${VERSION_ID:-}, but only Debian 12 can be set up by itself. $hint"
  [[ $(id -u) == 0 ]] || fail "only root can install packages. Run this as root. Or: $hint"
}

# Packages must not start their services, nor make a PostgreSQL cluster, just because they were installed.
POLICY=/usr/sbin/policy-rc.d
CREATECLUSTER=/etc/postgresql-common/createcluster.d/ipai-setup.conf
MARK='# put here by scripts/setup.sh for the time of an installation'

keep_services_down() {
  if [[ ! -e $POLICY ]]; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$MARK" >"$POLICY"
    chmod 755 "$POLICY"
  fi
  if ! dpkg-query -W -f '${db:Status-Status}' postgresql-15 2>/dev/null | grep -qx installed; then
    mkdir -p "${CREATECLUSTER%/*}"
    printf '%s\ncreate_main_cluster = false\n' "$MARK" >"$CREATECLUSTER"
  fi
}

let_services_be() {
  if grep -qsxF "$MARK" "$POLICY"; then rm -f "$POLICY"; fi
  rm -f "$CREATECLUSTER"
  rmdir --ignore-fail-on-non-empty "${CREATECLUSTER%/*}" 2>/dev/null || true
}

install_packages() {
  local apt=(apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0)
  export DEBIAN_FRONTEND=noninteractive
  trap let_services_be EXIT
  "${apt[@]}" update || { sleep 3; "${apt[@]}" update; }
  keep_services_down
  "${apt[@]}" install --no-install-recommends "$@"
}

# The archive this machine's apt is configured to use, whatever its sources are written in.
archive_uri() {
  local VERSION_CODENAME=
  # shellcheck source=/dev/null
  . /etc/os-release
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v suite="$VERSION_CODENAME" '$2 == suite && $3 == "main" { print $1; exit }'
}

# A private apt: its own sources, lists and cache, so that the system never sees the newer suite.
unpack_odoo() {
  local work uri
  uri=$(archive_uri)
  [[ -n $uri ]] || { echo 'no main Debian archive in the configuration of apt'; return 1; }
  mkdir -p "$CACHE"
  chmod 755 "$CACHE"
  find "$CACHE" -maxdepth 1 -name '.odoo-19.*' -mmin +60 -exec rm -rf {} +
  work=$(mktemp -d "$CACHE/.odoo-19.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  mkdir -p "$work"/apt/{lists,cache,debs} "$work/tree"
  echo "deb [arch=all signed-by=$KEYRING] $uri sid main" >"$work/apt/sources.list"
  local apt=(apt-get -q -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=-
    -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User=root)
  "${apt[@]}" update || { sleep 3; "${apt[@]}" update; }
  (cd "$work/apt/debs" && "${apt[@]}" download "${UNPACKED[@]}")
  for deb in "$work"/apt/debs/*.deb; do dpkg-deb -x "$deb" "$work/tree"; done
  link_to_system "$work/tree/usr/share"
  chmod -R a+rX "$work/tree"
  rm -rf "$ODOO"
  mv -T "$work/tree" "$ODOO"
}

# Odoo's package links to fonts and scripts of other packages, relative to its own place.
link_to_system() {
  local share=$1
  mkdir -p "$share"/fonts/{opentype,truetype}
  for folder in javascript fonts-font-awesome fonts/opentype/ocr-b fonts/truetype/inconsolata fonts/truetype/roboto; do
    ln -sT "/usr/share/$folder" "$share/$folder"
  done
}

# The service user cannot write there: what is not compiled now would be compiled again at each start.
compile_odoo() {
  /usr/bin/python3 -m compileall -q -j 0 "$ODOO/usr/lib/python3/dist-packages/odoo"
}

install_modules() {
  cd "$ROOT"
  npm ci --no-progress
}

# Each job runs in the background and keeps its output for the case that it fails.
LOGS=
declare -A JOBS=()
start() {
  local title=$1
  shift
  say "$title"
  ("$@") >"$LOGS/${#JOBS[@]}" 2>&1 </dev/null &
  JOBS[$!]="$LOGS/${#JOBS[@]} $title"
}

await_jobs() {
  local failed=0 pid log
  while ((${#JOBS[@]})); do
    local code=0
    wait -n -p pid "${!JOBS[@]}" || code=$?
    log=${JOBS[$pid]%% *}
    if ((code == 0)); then
      say "${JOBS[$pid]#* }: done"
    else
      failed=1
      say "${JOBS[$pid]#* }: FAILED ($code)"
      tail -n 40 "$log" >&2
    fi
    unset "JOBS[$pid]"
  done
  return $failed
}

look() {
  mapfile -t packages < <(missing_packages)
  need_odoo=0
  if missing_odoo; then need_odoo=1; fi
  need_modules=0
  if missing_modules; then need_modules=1; fi
}

command -v dpkg-query >/dev/null || require_debian_root "Install what these Debian packages hold: ${PACKAGES[*]}."
command -v npm >/dev/null || fail 'npm is missing. Install Node.js 20 or newer with npm.'
look
if ((${#packages[@]} == 0 && !need_odoo && !need_modules)); then
  echo ready
  exit 0
fi

# One at a time on this tree; who waited finds the work done.
exec 9<"${BASH_SOURCE[0]}"
if ! flock -n 9; then
  say 'waiting for another setup of this tree'
  flock 9
  look
fi

if ((${#packages[@]})); then require_debian_root "Install these packages yourself: ${packages[*]}."; fi
if ((need_odoo)); then require_debian_root 'Say where your own Odoo is: IPAI_ODOO_HOME=/folder/with/odoo-bin.'; fi

LOGS=$(mktemp -d)
trap 'rm -rf "$LOGS"' EXIT
if ((${#packages[@]})); then start "Debian packages (${#packages[@]})" install_packages "${packages[@]}"; fi
if ((need_odoo)); then start 'Odoo 19' unpack_odoo; fi
if ((need_modules)); then start 'npm dependencies' install_modules; fi
await_jobs || fail 'not everything could be installed; the output above says why. Run this again when that is put right.'
if ((need_odoo)); then
  start 'Odoo 19, compiled' compile_odoo
  await_jobs || true
fi
echo ready
