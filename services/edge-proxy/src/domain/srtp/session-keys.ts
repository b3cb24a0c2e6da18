/** Crypto suites, and the session keys that a master key gives (RFC 3711 4.3, RFC 4568 6.2, RFC 6188). */
import { type Cipheriv, createCipheriv } from 'node:crypto'

export interface Suite {
  /** As in `a=crypto`. */
  readonly name: string
  /** Bytes of the master key; its salt has 14. */
  readonly keyBytes: 16 | 32
  /** Bytes of the tag of an SRTP packet; RFC 4568 6.2.2: that of SRTCP has 10 in every suite. */
  readonly tagBytes: 10 | 4
}

/** In the order in which we offer them: what every phone knows first. */
export const SUITES: readonly Suite[] = [
  { name: 'AES_CM_128_HMAC_SHA1_80', keyBytes: 16, tagBytes: 10 },
  { name: 'AES_256_CM_HMAC_SHA1_80', keyBytes: 32, tagBytes: 10 },
  { name: 'AES_CM_128_HMAC_SHA1_32', keyBytes: 16, tagBytes: 4 },
]

export const SALT_BYTES = 14
const BLOCK = 16

export interface SessionKeys {
  readonly cipher: AesCounter
  readonly authentication: Uint8Array
  readonly salt: Uint8Array
}

/** RFC 3711 4.3.2: labels 0, 1, 2 for SRTP and 3, 4, 5 for SRTCP. The key derivation rate is 0. */
export function sessionKeys(master: Uint8Array, salt: Uint8Array, of: 'rtp' | 'rtcp'): SessionKeys {
  const label = of === 'rtp' ? 0 : 3
  return {
    cipher: new AesCounter(derived(master, salt, label, master.length)),
    authentication: derived(master, salt, label + 1, 20),
    salt: derived(master, salt, label + 2, SALT_BYTES),
  }
}

/** RFC 3711 4.3.3: AES in counter mode over x = (label at byte 7) XOR salt. */
function derived(master: Uint8Array, salt: Uint8Array, label: number, bytes: number): Uint8Array {
  const iv = new Uint8Array(BLOCK)
  iv.set(salt)
  iv[7] = (iv[7] as number) ^ label
  const key = new Uint8Array(bytes)
  new AesCounter(master).apply(iv, key, 0, bytes)
  return key
}

/** Blocks of counters on their way into the cipher; grows to the largest packet seen. */
let counters = new Uint8Array(96 * BLOCK)

/**
 * RFC 3711 4.1.1. One cipher object for all packets: the counter blocks go through AES-ECB, which is what counter mode
 * does; an object a packet would cost ten times as much.
 */
export class AesCounter {
  readonly #ecb: Cipheriv

  constructor(key: Uint8Array) {
    this.#ecb = createCipheriv(key.length === 32 ? 'aes-256-ecb' : 'aes-128-ecb', key, null)
    this.#ecb.setAutoPadding(false)
  }

  /** XORs bytes `from` to `to` with the keystream of `iv` (16 bytes, the last two 0). */
  apply(iv: Uint8Array, bytes: Uint8Array, from: number, to: number): void {
    const blocks = Math.ceil((to - from) / BLOCK)
    if (blocks <= 0) return
    if (blocks * BLOCK > counters.length) counters = new Uint8Array(blocks * BLOCK)
    for (let block = 0, at = 0; block < blocks; block++, at += BLOCK) {
      for (let i = 0; i < 14; i++) counters[at + i] = iv[i] as number
      counters[at + 14] = block >>> 8
      counters[at + 15] = block
    }
    const stream = this.#ecb.update(counters.subarray(0, blocks * BLOCK))
    for (let i = from, k = 0; i < to; i++, k++) bytes[i] = (bytes[i] as number) ^ (stream[k] as number)
  }
}
