/**
 * File systems whose writers the kernel of this machine does not see all of, so that inotify misses their writes.
 * The numbers are `f_type` of statfs(2).
 */
const REMOTE_TYPES: ReadonlySet<number> = new Set([
  0x6969, // NFS
  0x517b, // SMB
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x65735546, // FUSE
  0x01021997, // 9p
  0x5346414f, // AFS
  0x6b414653, // kAFS
  0x73757245, // Coda
  0x564c, // NCP
  0x00c36400, // Ceph
  0x0bd00bd0, // Lustre
  0x47504653, // GPFS
  0x19830326, // BeeGFS
  0x20030528, // OrangeFS
  0x7461636f, // OCFS2
  0x01161970, // GFS2
  0x786f4256, // VirtualBox's shared folders
]);

export function isRemote(statfsType: number): boolean {
  return REMOTE_TYPES.has(statfsType);
}

/** File systems whose content is on a disk or in the memory of this machine. */
const LOCAL_TYPES: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0x01021994, // tmpfs
]);

export function isLocal(statfsType: number): boolean {
  return LOCAL_TYPES.has(statfsType);
}
