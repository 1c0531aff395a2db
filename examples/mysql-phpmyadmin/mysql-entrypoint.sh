#!/bin/sh
# Makes the database in an empty volume, with the root password of $MYSQL_ROOT_PASSWORD_FILE or $MYSQL_ROOT_PASSWORD, then becomes the server.
set -eu
case ${1:-} in mariadbd | mysqld) ;; *) exec "$@" ;; esac
shift
data=/var/lib/mysql
if [ ! -d $data/mysql ]; then
  if [ -n "${MYSQL_ROOT_PASSWORD_FILE:-}" ]; then password=$(cat "$MYSQL_ROOT_PASSWORD_FILE"); else password=${MYSQL_ROOT_PASSWORD:-}; fi
  [ -n "$password" ] || { echo "mysql: give a root password, in the file that MYSQL_ROOT_PASSWORD_FILE names or in MYSQL_ROOT_PASSWORD" >&2; exit 1; }
  case $password in *[!A-Za-z0-9._-]*) echo "mysql: the root password may have letters, digits and . _ - here" >&2; exit 1 ;; esac
  chown mysql:mysql $data
  # A volume that holds a half-made database is not taken for a whole one: the system tables are moved to their place last.
  rm -rf $data/.new
  mariadb-install-db --user=mysql --datadir=$data/.new --auth-root-authentication-method=normal --skip-test-db > /dev/null
  {
    echo "DELETE FROM mysql.global_priv WHERE NOT (User IN ('root', 'mariadb.sys', 'mysql') AND Host = 'localhost');" # The installation's others have no password.
    echo "FLUSH PRIVILEGES;"
    echo "ALTER USER 'root'@'localhost' IDENTIFIED BY '$password';"
    echo "CREATE USER 'root'@'%' IDENTIFIED BY '$password';"
    echo "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
    [ -z "${MYSQL_DATABASE:-}" ] || echo "CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`;"
  } | { echo "FLUSH PRIVILEGES;"; cat; } | mariadbd --bootstrap --user=mysql --datadir=$data/.new --skip-networking 2> /tmp/bootstrap || { cat /tmp/bootstrap >&2; exit 1; }
  for file in $data/.new/* ; do [ "$(basename "$file")" = mysql ] || mv "$file" $data/; done
  mv $data/.new/mysql $data/ && rm -rf $data/.new
fi
install -d -o mysql -g mysql /run/mysqld
exec mariadbd --user=mysql --datadir=$data --bind-address=0.0.0.0 --skip-name-resolve --socket=/run/mysqld/mysqld.sock "$@"
