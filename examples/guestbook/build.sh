#!/bin/bash
# build.sh [FOLDER] : makes both images with docker (Godwit's engine, or another) and lays them where the nodes of a cluster find them.
set -euo pipefail
cd "$(dirname "$0")"
folder=${1:-/var/lib/godwit/images}/containers
export DOCKER_BUILDKIT=0 # Any docker command does, with BuildKit's plugin or without.
docker image inspect example/debian > /dev/null 2>&1 ||
  docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["bash"]' "$(../mysql-phpmyadmin/base.sh)" example/debian > /dev/null
mkdir -p "$folder"
for image in redis guestbook; do
  docker build --target $image -t example/$image:1 .
  docker save example/$image:1 > "$folder/.$image.new" && mv "$folder/.$image.new" "$folder/example-$image.tar"
done
