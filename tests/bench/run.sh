#!/usr/bin/env bash
# run.sh [--quick|--smoke] BUILD_DIR [FILTER]: measures, beside the floors. README.md says what.
exec python3 "$(dirname "$0")/bench.py" "$@"
