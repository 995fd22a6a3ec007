#!/usr/bin/env bash
# A nightly job: send the users of a file, with their email addresses as aliases.
#
# Copy it, and put a line such as this one into a crontab. Cron sends what it writes on stderr by mail.
#
#   0 2 * * * JOB_FOLDER=/var/lib/permutive /srv/jobs/nightly.sh /srv/exports/users.csv
#
# The key comes from the environment, from .env, or from the credentials file: see `permutive doctor`.
# If a night was not completed, run it again: NIGHT=2027-01-31 nightly.sh users.csv
set -euo pipefail

users=${1:?usage: nightly.sh USERS.csv}
folder=${JOB_FOLDER:-.}
night=${NIGHT:-$(date +%F)}
pause=${PAUSE_SECONDS:-300}

mkdir -p "$folder"
journal=$folder/$night.journal # What is done. Each night needs one of its own, since the users are the same.
failures=$folder/$night-failed.csv
log=$folder/$night.log

note() { printf '%s %s\n' "$(date -u +%FT%TZ)" "$*" >>"$log"; }

send() {
  note "Sending $users."
  status=0
  permutive identify "$users" --alias email=0 --journal "$journal" --failures "$failures" --yes \
    >/dev/null 2>>"$log" || status=$?
  note "Exit status $status."
}

send
if [ "$status" -eq 1 ]; then # Some lines failed, or the service was away. The journal skips the others.
  sleep "$pause"
  send
fi

case $status in
  0) [ -n "${PERMUTIVE_JOURNAL_FOLDER:-}" ] || rm -f "$journal" ;; # In a rehearsal, it is that of the live job.
  1) echo "Some users of $night were not sent. They are in $failures; the reasons are in $log." >&2 ;;
  2) echo "A line of $users, an option or the journal is wrong. $log says which." >&2 ;;
  4) echo "There is no key, or the service refuses it. Look at: permutive doctor" >&2 ;;
  130 | 143) echo "Interrupted. Run it again for the rest: NIGHT=$night $0 $users" >&2 ;;
  *) echo "Exit status $status. See $log." >&2 ;;
esac
exit "$status"
