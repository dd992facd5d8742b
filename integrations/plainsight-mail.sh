#!/bin/sh
# Scans logs every night and mails what is new since the last time, or what could not be read.
#
#   /etc/cron.d/plainsight:
#   15 6 * * *  root  PLAINSIGHT_MAIL_TO=ops@example.org /usr/local/bin/plainsight-mail.sh /var/log/nginx
#
# Arguments go to `plainsight scan`. PLAINSIGHT_STATE holds the last report, PLAINSIGHT_MAILER is called as mail(1) is.
set -eu
umask 077
state=${PLAINSIGHT_STATE:-/var/lib/plainsight}
to=${PLAINSIGHT_MAIL_TO:-root}
mailer=${PLAINSIGHT_MAILER:-mail}
mkdir -p "$state"
rm -f "$state/new.json" "$state/text" "$state/diff"

# Mails the files that are named after the subject.
send() {
  subject=$1
  shift
  cat "$@" | "$mailer" -s "plainsight on $(uname -n): $subject" "$to"
}

code=0
plainsight scan -f table="$state/text" -f json="$state/new.json" "$@" 2> "$state/errors" || code=$?
if [ ! -s "$state/new.json" ]; then
  send "the scan did not run" "$state/errors"
  exit 2
fi
new=$code
if [ -s "$state/last.json" ]; then
  new=0
  plainsight diff --fail-on-new --fail-on medium --allow-partial -f table="$state/diff" "$state/last.json" "$state/new.json" 2>> "$state/errors" || new=$?
fi
touch "$state/diff"
case "$new,$code" in
  1,*) send "new leaked credentials" "$state/diff" "$state/text" ;;
  0,2) send "not everything could be read" "$state/text" "$state/errors" ;;
  0,*) ;;
  *) send "something went wrong" "$state/errors" ;;
esac
mv "$state/new.json" "$state/last.json"
