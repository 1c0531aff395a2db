#!/bin/bash
# containers.sh up       MySQL and phpMyAdmin as two containers, by `docker run`; the page is then at http://127.0.0.1:8080 ($PORT)
#               down     removes them; the database stays in its volume
#               forget   removes the volume too
# Runs the official images, or those that $MYSQL_IMAGE and $PHPMYADMIN_IMAGE name (see build.sh).
set -euo pipefail
cd "$(dirname "$0")"
case ${1:-} in
up)
  # The password is in a file that only its owner reads: in no command line, no variable, no image.
  [ -e root-password ] || (umask 077 && head -c 15 /dev/urandom | base64 | tr -d '+/=' > root-password)
  docker network inspect shop > /dev/null 2>&1 || docker network create shop > /dev/null
  docker run -d --name shop-db --network shop --network-alias db --restart unless-stopped \
    -v shop-data:/var/lib/mysql -v "$PWD/root-password:/run/secrets/root-password:ro" \
    -e MYSQL_ROOT_PASSWORD_FILE=/run/secrets/root-password -e MYSQL_DATABASE=shop \
    "${MYSQL_IMAGE:-mysql:8}"
  docker run -d --name shop-phpmyadmin --network shop --restart unless-stopped \
    -p "127.0.0.1:${PORT:-8080}:80" -e PMA_HOST=db \
    "${PHPMYADMIN_IMAGE:-phpmyadmin:5}"
  echo "http://127.0.0.1:${PORT:-8080}  user root, password in $PWD/root-password" ;;
down) docker rm -f shop-phpmyadmin shop-db; docker network rm shop ;;
forget) "$0" down || true; docker volume rm shop-data ;;
*) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
esac
