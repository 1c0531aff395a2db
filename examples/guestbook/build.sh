#!/bin/bash
# build.sh [FOLDER] : makes both images with docker (Godwit's engine, or another) and lays them where the nodes of a cluster look, below FOLDER (/var/lib/godwit/images).
set -euo pipefail
cd "$(dirname "$0")"
folder=${1:-/var/lib/godwit/images}/containers
export DOCKER_BUILDKIT=0 # Any docker command does, with BuildKit's plugin or without.
../mysql-phpmyadmin/build.sh base
mkdir -p "$folder"
for image in redis guestbook; do
  docker build --target $image -t example/$image:1 .
  docker save example/$image:1 > "$folder/.$image.new" && mv "$folder/.$image.new" "$folder/example-$image.tar"
done
