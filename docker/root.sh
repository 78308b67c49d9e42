#!/bin/sh
# Puts a program into a folder that is to be the root of an image: the program, the libraries it names, the roots of trust,
# and a folder to write to. Usage: root.sh PROGRAM FOLDER
set -eu
program=$1
root=$2
mkdir -p "$root/etc/ssl/certs" "$root/scratch" "$root/tmp"
cp "$program" "$root/oort"
# "libm.so.6 => /lib/…/libm.so.6 (0x…)" and, for the loader, "/lib64/ld-linux… (0x…)".
ldd "$program" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'oort:x:65532:65532::/:' >"$root/etc/passwd"
# What the task definition mounts over; without a mount, runs on one machine write here.
chown 65532:65532 "$root/scratch" "$root/tmp"
