#!/usr/bin/env bash
# Install the system packages that some tests use, on Debian and its relatives: Chromium, to look at the page as a reader does.
# Without it those tests are skipped and say so; the study itself needs none of this.
set -euo pipefail

refuse() {
    printf 'install-test-system: %s; the tests in a browser will be skipped\n' "$*" >&2
    exit 1
}

for browser in chromium chromium-browser google-chrome chrome; do
    if command -v "$browser" >/dev/null; then
        echo "install-test-system: $browser is there already"
        exit 0
    fi
done
command -v apt-get >/dev/null || refuse "no apt-get here: install Chromium by hand"
[ "$(id -u)" -eq 0 ] || refuse "not root: run 'sudo tools/install-test-system.sh'"

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || refuse "apt-get update failed"
apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null || refuse "apt-get could not install chromium"
echo "install-test-system: installed $(chromium --version 2>/dev/null || echo chromium)"
