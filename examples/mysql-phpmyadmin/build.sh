#!/bin/bash
# build.sh                  makes both images from Debian's packages, for a host that reaches a Debian mirror but no image registry.
# build.sh base             makes only the image that both stand on, example/debian.
# build.sh nodes [FOLDER]   makes both, and lays them where the nodes of a cluster look, below FOLDER (/var/lib/godwit/images).
# Then:  export MYSQL_IMAGE=example/mysql PHPMYADMIN_IMAGE=example/phpmyadmin
set -euo pipefail
cd "$(dirname "$0")"
export DOCKER_BUILDKIT=0 # Any docker command does, with BuildKit's plugin or without.
docker image inspect example/debian > /dev/null 2>&1 ||
  docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["bash"]' "$(./base.sh)" example/debian > /dev/null
[ "${1:-}" != base ] || exit 0
for image in mysql phpmyadmin; do docker build --target $image -t example/$image .; done
[ "${1:-}" = nodes ] || exit 0
folder=${2:-/var/lib/godwit/images}/containers
mkdir -p "$folder"
for image in mysql phpmyadmin; do docker save example/$image > "$folder/.$image.new" && mv "$folder/.$image.new" "$folder/example-$image.tar"; done
