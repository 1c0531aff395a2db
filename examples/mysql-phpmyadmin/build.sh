#!/bin/bash
# build.sh        makes both images from Debian's packages, for a host that reaches a Debian mirror but no image registry.
# build.sh base   makes only the image that both stand on, example/debian.
# Then:  export MYSQL_IMAGE=example/mysql PHPMYADMIN_IMAGE=example/phpmyadmin
set -euo pipefail
cd "$(dirname "$0")"
export DOCKER_BUILDKIT=0 # Any docker command does, with BuildKit's plugin or without.
docker image inspect example/debian > /dev/null 2>&1 ||
  docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["bash"]' "$(./base.sh)" example/debian > /dev/null
[ "${1:-}" != base ] || exit 0
for image in mysql phpmyadmin; do docker build --target $image -t example/$image .; done
