#!/bin/sh
# Which pins of a lock have known vulnerabilities: audit.sh PIP_AUDIT LOCK [more arguments for pip-audit]
#
# Ends with 0: none is known, 1: some are, 2: not every pin could be asked about. pip-audit itself passes over what its
# source does not know, and ends with 1 for both of the others.
set -u
pip_audit=$1 lock=$2
shift 2

report=$(mktemp) && errors=$(mktemp) || exit 2
trap 'rm -f "$report" "$errors"' EXIT

# The lock is the answer to all questions of versions: no pip, no resolving.
"$pip_audit" --strict --require-hashes --disable-pip --progress-spinner=off --requirement "$lock" --output "$report" "$@" \
	2>"$errors"
code=$?
printf '%s: ' "$lock"
if [ "$code" -eq 0 ]; then
	tail -n 1 "$errors"
elif [ -s "$report" ]; then # written when every pin was asked about
	tail -n 1 "$errors"
	cat "$report"
	exit 1
else
	echo "not audited"
	tail -n 1 "$errors" >&2
	echo "The advisories come from https://pypi.org/pypi/NAME/VERSION/json, which a mirror or proxy need not have." >&2
	echo "Run it where that can be reached, or ask https://api.osv.dev: make audit ARGS='-s osv'" >&2
	exit 2
fi
