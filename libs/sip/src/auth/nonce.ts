/**
 * Nonces that need no store: issue time, salt and a keyed hash over both (RFC 7616 3.3 leaves the content to the
 * server), and the memory of nonce counts that tells a replay.
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'

const TIME_BYTES = 6
const SALT_BYTES = 8
const MAC_BYTES = 16
const NONCE_BYTES = TIME_BYTES + SALT_BYTES + MAC_BYTES

/**
 * A nonce only the holder of `secret` can make. Every call needs a fresh `salt` (8 random bytes): the nonce count of
 * one client must not be taken for that of another. `binding` is what the nonce is good for (realm, listener …) and
 * must be the same when it is checked. A key of bytes is a KeyObject: node makes one of each Uint8Array it is given,
 * which takes seven times as long as the hash.
 */
export function makeNonce(secret: string | KeyObject, nowMs: number, salt: Uint8Array, binding = ''): string {
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeUIntBE(nowMs, 0, TIME_BYTES)
  nonce.set(salt.subarray(0, SALT_BYTES), TIME_BYTES)
  mac(secret, nonce, binding).copy(nonce, TIME_BYTES + SALT_BYTES, 0, MAC_BYTES)
  return nonce.toString('base64url')
}

/** What stands in a nonce; undefined: it is none of this making. Not proven by itself. */
export function readNonce(nonce: string): { readonly issuedMs: number; readonly salt: Uint8Array } | undefined {
  const bytes = Buffer.from(nonce, 'base64url')
  if (bytes.length !== NONCE_BYTES) return undefined
  return { issuedMs: issuedAt(bytes), salt: bytes.subarray(TIME_BYTES, TIME_BYTES + SALT_BYTES) }
}

/** `fresh`: ours and young enough. `expired`: ours. `foreign`: not made with this secret and binding. */
export type NonceVerdict = 'fresh' | 'expired' | 'foreign'

export function checkNonce(
  secret: string | KeyObject,
  nonce: string,
  nowMs: number,
  lifetimeMs: number,
  binding = '',
): NonceVerdict {
  if (nonce.length !== NONCE_BYTES * (4 / 3)) return 'foreign'
  const bytes = Buffer.from(nonce, 'base64url')
  if (bytes.length !== NONCE_BYTES || bytes.toString('base64url') !== nonce) return 'foreign'
  const expected = mac(secret, bytes, binding).subarray(0, MAC_BYTES)
  if (!timingSafeEqual(expected, bytes.subarray(TIME_BYTES + SALT_BYTES))) return 'foreign'
  const age = nowMs - issuedAt(bytes)
  // A clock set back makes a nonce of the future: as good as expired.
  return age >= 0 && age <= lifetimeMs ? 'fresh' : 'expired'
}

function mac(secret: string | KeyObject, nonce: Buffer, binding: string): Buffer {
  return createHmac('sha256', secret)
    .update(nonce.subarray(0, TIME_BYTES + SALT_BYTES))
    .update(binding)
    .digest()
}

function issuedAt(bytes: Buffer): number {
  return bytes.readUIntBE(0, TIME_BYTES)
}

/** The counts already used, held by the caller for as long as its nonces live. Bounded by `limit`. */
export interface NonceCounts {
  readonly limit: number
  /** nonce -> highest count seen and a bit for each of the 32 counts below it. */
  readonly seen: Map<string, { highest: number; below: number }>
  /** Nonces issued up to here (ms) may have been forgotten: an unknown one of that age counts as used. */
  forgottenMs: number
}

/** `limit` nonces are remembered, about 150 bytes each. */
export function nonceCounts(limit: number): NonceCounts {
  return { limit, seen: new Map(), forgottenMs: -1 }
}

/**
 * Notes that `nonce` was used with count `nc`; false when that is a replay. RFC 7616 3.4: "if the same nc value is
 * seen twice, then the request is a replay". Requests overtake each other over UDP: a lower count that was not used
 * yet passes while it is within 32 of the highest. Call it only for a nonce that is fresh and a response that is right.
 */
export function useCount(counts: NonceCounts, nonce: string, nc: number): boolean {
  const known = counts.seen.get(nonce)
  if (known === undefined) {
    if (issuedAt(Buffer.from(nonce, 'base64url')) <= counts.forgottenMs) return false
    if (counts.seen.size >= counts.limit) forgetOldest(counts)
    counts.seen.set(nonce, { highest: nc, below: 0 })
    return true
  }
  const ahead = nc - known.highest
  if (ahead > 0) {
    known.below = ahead > 32 ? 0 : shift(known.below, ahead) | (1 << (ahead - 1))
    known.highest = nc
    return true
  }
  if (ahead === 0 || ahead < -32) return false
  const bit = 1 << (-ahead - 1)
  if (known.below & bit) return false
  known.below |= bit
  return true
}

function shift(bits: number, by: number): number {
  return by >= 32 ? 0 : bits << by
}

function forgetOldest(counts: NonceCounts): void {
  for (const nonce of counts.seen.keys()) {
    counts.forgottenMs = Math.max(counts.forgottenMs, issuedAt(Buffer.from(nonce, 'base64url')))
    counts.seen.delete(nonce)
    return
  }
}
