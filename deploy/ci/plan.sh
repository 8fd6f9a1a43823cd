#!/bin/sh
# Checks changed SLO specs and tells which pages they would have caused: for any CI.
#
#   deploy/ci/plan.sh OLD NEW       OLD: the specs as they are, NEW: as they would be (files or folders)
#
# Where the past is, one of:
#   SLOBURN_SERVER=http://sloburn:8080   a running sloburn
#   SLOBURN_RECORDING=file.jsonl         recorded telemetry (JSON lines of the Collector's file exporter)
# FAIL_ON: what fails, as of `sloburn plan --fail-on` (unless set, pages-added,pages-missed). COMMENT: where to write the Markdown (plan.md).
#
# Exit status: 0 nothing that FAIL_ON names, 1 the specs have problems or the past cannot be read, 3 what FAIL_ON names.
set -eu

old=${1:?the folder with the specs as they are}
new=${2:?the folder with the specs as they would be}

sloburn check "$new"

if [ -n "${SLOBURN_SERVER:-}" ]; then
    set -- --server "$SLOBURN_SERVER"
else
    set -- --recording "${SLOBURN_RECORDING:?set it, or SLOBURN_SERVER}"
fi
status=0
sloburn plan "$old" "$new" --format markdown --fail-on "${FAIL_ON:-pages-added,pages-missed}" "$@" >"${COMMENT:-plan.md}" || status=$?
cat "${COMMENT:-plan.md}"
exit "$status"
