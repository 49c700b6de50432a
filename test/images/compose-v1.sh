#!/usr/bin/env bash
# Version 1 of Compose for the tests: Debian 12 has the last one. It is unpacked into a folder with the Python that it needs, and not
# installed. Ends with 1 and a reason on standard output where it cannot be had.
#
#   compose-v1.sh FOLDER   docker-compose will be in it
set -euo pipefail

folder=$1

give_up() {
  echo "$*"
  exit 1
}

works() { [[ $("$1/docker-compose" version --short 2>/dev/null) == 1.* ]]; }
! works "$folder" || exit 0

[[ -x /usr/bin/python3 ]] && command -v apt-get dpkg-deb >/dev/null || give_up 'this is no Debian with Python'
is_offered() { [[ $(apt-cache policy docker-compose) == *Candidate:\ 1.* ]]; }
is_offered || apt-get -q update >&2 || give_up 'apt has no archive'
is_offered || give_up 'the archive of this Debian has no Compose 1'

packages=(docker-compose python3-docker python3-dockerpty python3-docopt python3-dotenv python3-distro python3-jsonschema
  python3-pyrsistent python3-attr python3-requests python3-urllib3 python3-six python3-idna python3-certifi python3-chardet
  python3-charset-normalizer python3-texttable python3-websocket python3-yaml python3-cached-property python3-distutils)
mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download "${packages[@]}" >&2) || give_up 'its packages cannot be downloaded'
for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$work"; done
rm "$work"/*.deb
cat >"$work/docker-compose" <<'EOF'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
PYTHONPATH=$here/usr/lib/python3/dist-packages exec /usr/bin/python3 "$here/usr/bin/docker-compose" "$@"
EOF
chmod 755 "$work" "$work/docker-compose"
works "$work" || give_up 'Compose 1 does not start'
rm -rf "$folder"
mv "$work" "$folder"
