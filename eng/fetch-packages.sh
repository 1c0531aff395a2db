#!/bin/bash
# fetch-packages.sh SUITE FOLDER PACKAGE... : unpacks packages of a Debian suite below FOLDER. Nothing is installed, and the host's own package lists stay as they are.
set -euo pipefail
suite=$1 folder=$2; shift 2
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
chmod 755 "$work"; mkdir -p "$work"/lists/partial "$work"/archives/partial "$work"/debs "$work"/root
# The same mirror that the host already uses.
mirror=$({ cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2> /dev/null || true; } | sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' | grep '/debian/*$' | head -n 1 || true)
printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' "${mirror:-http://deb.debian.org/debian}" "$suite" > "$work/debian.sources"
apt=(apt-get -qq -o Acquire::Retries=3 -o Dir::Etc::sourceparts=/dev/null -o "Dir::Etc::sourcelist=$work/debian.sources" -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work" -o APT::Sandbox::User=root)
"${apt[@]}" update
(cd "$work/debs" && "${apt[@]}" download "$@")
for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$work/root"; done
mkdir -p "$(dirname "$folder")"; rm -rf "$folder"; mv "$work/root" "$folder"
