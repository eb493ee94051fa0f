# Compiles zfs.ko for the suite's kernel inside a throw-away tree and puts all
# that the guest needs of it into /tmp/out: a package of the modules alone (no
# compiler enters the guest), kernel and user land of the very same versions.
apt-get install -y --no-install-recommends \
    linux-headers-amd64 linux-libc-dev libc6-dev kmod
apt-get install -y --no-install-recommends zfs-dkms
kernel=$(basename /lib/modules/*)
version=$(dpkg-query -W -f '${Version}' zfs-dkms)
dkms_version=${version%-*}
dkms install "zfs/$dkms_version" -k "$kernel" || {
    tail -n 50 "/var/lib/dkms/zfs/$dkms_version/build/make.log"
    exit 1
}

package=/tmp/package
mkdir -p "$package/usr/lib/modules/$kernel/extra" "$package/DEBIAN" /tmp/out
cp /lib/modules/"$kernel"/updates/dkms/*.ko* "$package/usr/lib/modules/$kernel/extra/"
cat > "$package/DEBIAN/control" <<EOF
Package: zfs-modules-prebuilt
Version: $version
Architecture: amd64
Maintainer: nobody <nobody@localhost>
Provides: zfs-modules
Description: ZFS modules for $kernel
EOF
printf '#!/bin/sh\ndepmod %s || true\n' "$kernel" > "$package/DEBIAN/postinst"
chmod 755 "$package/DEBIAN/postinst"
dpkg-deb -Zgzip -b "$package" /tmp/out/zfs-modules.deb

cp "/usr/src/zfs-$dkms_version/META" /tmp/out/META
printf '%s\n' "$kernel" > /tmp/out/kernel
cd /tmp/out
apt-get download "linux-image-$kernel" zfsutils-linux zfs-dracut zfs-zed \
    libnvpair3linux libuutil3linux libzfs6linux libzpool6linux
