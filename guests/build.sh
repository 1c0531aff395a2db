#!/bin/bash
# build.sh NAME... : makes ready-made guests (tiny, debian) in the images folder, unless they are there already.
# The folder is $GODWIT_IMAGES, by default /var/lib/godwit/images.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
images=${GODWIT_IMAGES:-/var/lib/godwit/images}
[ $# -gt 0 ] || set -- tiny
for name in "$@"; do
  [ -x "$here/$name/build.sh" ] || { echo "guests: there is no guest '$name'; there are: $(ls -d "$here"/*/ | xargs -n1 basename | tr '\n' ' ')" >&2; exit 2; }
  mkdir -p "$images"
  "$here/$name/build.sh" "$images/$name"
done
