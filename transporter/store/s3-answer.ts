import { SkaldError } from '../../shared/errors.ts';
import { crc32c, crc32cBase64 } from '../../shared/wire/crc32c.ts';

/**
 * What a store says of an object or part that it has taken. Everything that stores an object has an ETag, and
 * some repeat the checksum that they have computed.
 * Source: docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html#API_PutObject_ResponseSyntax
 */
export interface StoredAnswer {
  ETag?: string | undefined;
  ChecksumCRC32C?: string | undefined;
}

/**
 * Takes nobody's word for it but a store's: a proxy with a page of its own, or an answer that was cut, may
 * have the status of a success.
 * @throws SkaldError STORE_FAILED
 */
export function confirmStored(
  { ETag, ChecksumCRC32C }: StoredAnswer,
  sent: { where: Record<string, string>; checksum?: string },
): void {
  if (ETag === undefined || ETag === '') {
    throw failed('a success without an ETag: whoever answers there has no object', sent.where);
  }
  if (sent.checksum !== undefined && ChecksumCRC32C !== undefined && ChecksumCRC32C !== sent.checksum) {
    throw failed(
      `the CRC-32C ${ChecksumCRC32C} of what it stored, and ${sent.checksum} was sent`,
      sent.where,
    );
  }
}

/** @throws SkaldError STORE_FAILED: without the id, its parts and their removal would be other requests */
export function uploadIdOf({ UploadId }: { UploadId?: string | undefined }, key: string): string {
  if (UploadId === undefined || UploadId === '') throw failed('an upload without an id', { key });
  return UploadId;
}

/** A page of a listing, which always says whether there are more. @throws SkaldError STORE_FAILED */
export function confirmedPage<T extends { IsTruncated?: boolean | undefined }>(
  page: T,
  where: Record<string, string>,
): T {
  if (page.IsTruncated === undefined) throw failed('no listing', where);
  return page;
}

/**
 * The checksum of an object in parts: that of the checksums of its parts, and their number.
 * Source: docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html#Checksum-type-types
 */
export function checksumOfParts(checksums: readonly string[]): string {
  const bytes = Buffer.concat(checksums.map((checksum) => Buffer.from(checksum, 'base64')));
  return `${crc32cBase64(crc32c(bytes))}-${checksums.length}`;
}

function failed(what: string, where: Record<string, string>): SkaldError {
  return new SkaldError('STORE_FAILED', `The object store answers with ${what}. Check store.endpoint.`, {
    where,
  });
}
