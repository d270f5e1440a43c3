#!/usr/bin/env bash
# Installs a Debian package of ours in a fresh Debian 12 root, runs it there as a user would, removes it and looks for
# what is left. Needs root, debootstrap and a network.
set -euo pipefail
package=$(realpath "${1:?usage: check_package.sh PACKAGE.deb}")
root=$(mktemp -d)
chmod 755 "$root"
trap 'umount "$root/proc" "$root/dev/shm" 2> /dev/null || true; rm -rf "$root"' EXIT

command -v debootstrap > /dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y debootstrap > /dev/null
# The machine's own mirror, if it has another than Debian's.
mirror=$(grep -hoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null | head -1 || true)
debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"} > /dev/null
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm" && mount -t tmpfs tmpfs "$root/dev/shm"
for file in /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf; do [[ ! -e $file ]] || cp "$file" "$root/etc/apt/apt.conf.d/"; done
cp /etc/resolv.conf "$root/etc/" 2> /dev/null || true
cp "$package" "$root/tmp/mortar.deb"
in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
files() { (cd "$root" && find etc usr opt var/lib -xdev \( -path var/lib/apt -o -path var/lib/dpkg \) -prune -o -print |
  grep -v '/python3.*__pycache__' | sort; (cd "$root" && find usr/lib/python3/dist-packages/mortar 2> /dev/null) || true); }

in_root apt-get update > /dev/null
in_root apt-get install -y --no-install-recommends ocl-icd-libopencl1 python3 $(dpkg-deb -f "$package" Depends | tr ',' '\n' |
  sed 's/(.*//; s/|.*//') > /dev/null
files > "$root/before"
in_root apt-get install -y --no-install-recommends /tmp/mortar.deb > /dev/null
in_root mortar --version
in_root mortar run --no-check --name check -- /bin/true
in_root mortar status > /dev/null
in_root mortar plan --profiles sim:orin-agx --train resnet18 --infer mobilenet --rate 60/s --latency 100ms --power 30W > /dev/null
in_root mortar trace show "/usr/share/doc/mortar/data/$(ls "$root/usr/share/doc/mortar/data" | grep 'mtr$' | head -1)" > /dev/null
in_root python3 -c 'import sys; sys.path.insert(0, "/usr/lib/python3/dist-packages"); import mortar; print("python package", mortar.__version__)'
[[ -e $root/usr/share/man/man1/mortar-run.1.gz && -e $root/usr/share/bash-completion/completions/mortar ]]
in_root sh -c '. /usr/share/bash-completion/completions/mortar' 2> /dev/null || in_root bash -n /usr/share/bash-completion/completions/mortar
in_root apt-get purge -y mortar > /dev/null
files > "$root/after"
diff "$root/before" "$root/after" || { echo "check_package: files are left behind" >&2; exit 1; }
echo "check_package: installed, ran and was removed cleanly"
