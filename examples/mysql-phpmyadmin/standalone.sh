#!/bin/bash
# standalone.sh install [PASSWORD_FILE]   MySQL and phpMyAdmin by hand, on this Debian host itself: what containers save you from.
#               start                     starts both, where no service manager does
# It changes this host: packages, users, configuration below /etc, ports 80 and 3306, data below /var/lib. To move it to another host is to do
# all of this there again and to carry the data over by a dump; two of it on one host, or another PHP beside it, do not go. Try it on a
# throw-away host (see README.md), never on one that matters. MariaDB is Debian's MySQL.
set -euo pipefail
case ${1:-} in
install)
  password=$(cat "${2:?standalone: name a file that holds the new root password of the database}")
  case $password in '' | *[!A-Za-z0-9._-]*) echo "standalone: the root password may have letters, digits and . _ - here" >&2; exit 1 ;; esac
  [ "$(id -u)" = 0 ] || { echo "standalone: needs root" >&2; exit 1; }
  export DEBIAN_FRONTEND=noninteractive

  # 1. A hundred packages: a database, a web server, a language and its libraries, all in the versions that this one host has.
  apt-get update -q
  echo 'phpmyadmin phpmyadmin/dbconfig-install boolean false' | debconf-set-selections
  apt-get install -q -y --no-install-recommends mariadb-server apache2 libapache2-mod-php phpmyadmin
  # Where there is a service manager both run already, as their packages left them.
  service apache2 stop || true
  service mariadb stop || true

  # 2. The database's own account and place.
  install -d -o mysql -g mysql /run/mysqld
  [ -d /var/lib/mysql/mysql ] || mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db > /dev/null
  printf '[mysqld]\nbind-address = 127.0.0.1\n' > /etc/mysql/mariadb.conf.d/90-bind.cnf

  # 3. A root password that the page can use: Debian's root may only come in through the local socket.
  printf "FLUSH PRIVILEGES;\nALTER USER 'root'@'localhost' IDENTIFIED BY '%s';\nCREATE DATABASE IF NOT EXISTS shop;\n" "$password" |
    mariadbd --bootstrap --user=mysql --datadir=/var/lib/mysql --skip-networking

  # 4. The web server: which page, for which server, and nothing of it to the outside.
  printf "<?php\n\$cfg['Servers'][1]['host'] = '127.0.0.1';\n\$cfg['Servers'][1]['auth_type'] = 'cookie';\n" > /etc/phpmyadmin/conf.d/standalone.php
  ln -sf /etc/phpmyadmin/apache.conf /etc/apache2/conf-enabled/phpmyadmin.conf
  echo 'ServerName localhost' > /etc/apache2/conf-enabled/name.conf
  sed -i 's/^Listen 80$/Listen 127.0.0.1:80/' /etc/apache2/ports.conf

  if [ -d /run/systemd/system ]; then service mariadb start; service apache2 start; fi

  # 5. What this host now has that it did not have before.
  echo "standalone: $(dpkg-query -W | wc -l) packages, $(du -sxm / | cut -f1) MB; http://127.0.0.1/phpmyadmin" ;;
start)
  install -d -o mysql -g mysql /run/mysqld
  mariadbd --user=mysql > /var/log/mariadb-standalone.log 2>&1 &
  apachectl start ;;
*) sed -n '2,7s/^# //p' "$0" >&2; exit 2 ;;
esac
