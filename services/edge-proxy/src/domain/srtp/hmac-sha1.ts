/**
 * HMAC-SHA1 (RFC 2104, FIPS 180-4) with a key that stays: the two padded keys are digested once, a packet costs its own
 * blocks and one more, and nothing is allocated. node:crypto makes an object a packet, which takes four times as long;
 * it is the oracle of the tests.
 */
const BLOCK = 64
const schedule = new Int32Array(80)
/** The end of a message, its padding and its length: two blocks at most. */
const tail = new Uint8Array(2 * BLOCK)

export class HmacSha1 {
  /** The last digest, five words big-endian. */
  readonly digest = new Int32Array(5)
  readonly #inner = initial()
  readonly #outer = initial()
  readonly #innerBytes = new Uint8Array(20)

  constructor(key: Uint8Array) {
    if (key.length > BLOCK) throw new RangeError('the keys of SRTP are shorter than a block')
    const padded = new Uint8Array(BLOCK)
    for (let i = 0; i < BLOCK; i++) padded[i] = (key[i] ?? 0) ^ 0x36
    compress(this.#inner, padded, 0)
    for (let i = 0; i < BLOCK; i++) padded[i] = (key[i] ?? 0) ^ 0x5c
    compress(this.#outer, padded, 0)
  }

  /** Digests bytes 0 to `length` and then `word`, 32 bits big-endian (RFC 3711 4.2: the ROC), when there is one. */
  update(bytes: Uint8Array, length: number, word: number | undefined): Int32Array {
    const { digest } = this
    digest.set(this.#inner)
    let at = 0
    for (; at + BLOCK <= length; at += BLOCK) compress(digest, bytes, at)
    let left = 0
    while (at < length) tail[left++] = bytes[at++] as number
    if (word !== undefined) left = put(tail, left, word)
    finish(digest, left, BLOCK + length + (word === undefined ? 0 : 4))
    for (let i = 0; i < 5; i++) put(this.#innerBytes, 4 * i, digest[i] as number)
    tail.set(this.#innerBytes)
    digest.set(this.#outer)
    finish(digest, 20, BLOCK + 20)
    return digest
  }
}

const initial = (): Int32Array => Int32Array.of(0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0)

function put(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word >>> 24
  bytes[at + 1] = word >>> 16
  bytes[at + 2] = word >>> 8
  bytes[at + 3] = word
  return at + 4
}

/** FIPS 180-4 5.1.1: a one bit, zeros, the length in bits as 64 bits. `left` bytes stand in `tail`. */
function finish(state: Int32Array, left: number, total: number): void {
  tail[left] = 0x80
  const end = left + 9 > BLOCK ? 2 * BLOCK : BLOCK
  tail.fill(0, left + 1, end)
  put(tail, end - 4, total * 8)
  for (let at = 0; at < end; at += BLOCK) compress(state, tail, at)
}

/** FIPS 180-4 6.1.2. */
function compress(state: Int32Array, bytes: Uint8Array, from: number): void {
  const w = schedule
  for (let i = 0, at = from; i < 16; i++, at += 4) {
    w[i] =
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)
  }
  for (let i = 16; i < 80; i++) {
    const x = (w[i - 3] as number) ^ (w[i - 8] as number) ^ (w[i - 14] as number) ^ (w[i - 16] as number)
    w[i] = (x << 1) | (x >>> 31)
  }
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  let e = state[4] as number
  for (let i = 0; i < 80; i++) {
    let f: number
    if (i < 20) f = ((b & c) | (~b & d)) + 0x5a827999
    else if (i < 40) f = (b ^ c ^ d) + 0x6ed9eba1
    else if (i < 60) f = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
    else f = (b ^ c ^ d) + 0xca62c1d6
    const next = (((a << 5) | (a >>> 27)) + f + e + (w[i] as number)) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  state[0] = ((state[0] as number) + a) | 0
  state[1] = ((state[1] as number) + b) | 0
  state[2] = ((state[2] as number) + c) | 0
  state[3] = ((state[3] as number) + d) | 0
  state[4] = ((state[4] as number) + e) | 0
}
