/**
 * Values that are larger than a message: packed, cut, and written under keys of their own before the key that names them.
 * Whoever reads that key sees the old value or the new one, whole. The parts are named by what they hold: the same value
 * under two keys is there once.
 */
import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

const pack = promisify(gzip)
const unpack = promisify(gunzip)

/** Below the 1 MB that a nats-server takes unless it is told otherwise. */
export const PART_BYTES = 768 * 1024
/** Of what is packed and unpacked: each costs the thread a turn. */
const CHUNK_BYTES = 1 << 20
const MOST_BYTES = 256 * 1024 * 1024
const MOST_PARTS = 512
const MARK = '{"tandemParts":1,'
export const PART_PREFIX = 'part.'

interface Parts {
  readonly digest: string
  readonly parts: number
}

export interface PartStore {
  get(key: string): Promise<Uint8Array | undefined>
  /** Only when it is not there yet. */
  create(key: string, value: Uint8Array): Promise<void>
}

const partKey = (digest: string, part: number): string => `${PART_PREFIX}${digest}.${part}`

/** What stands under the key: the value, or the names of its parts, which are written first. Throws RangeError beyond 256 MiB. */
export async function split(store: PartStore, value: Uint8Array | string): Promise<Uint8Array> {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  if (bytes.length <= PART_BYTES) return bytes
  if (bytes.length > MOST_BYTES) throw new RangeError(`a value of ${bytes.length} bytes is larger than ${MOST_BYTES}`)
  const packed = await pack(bytes, { level: 3, chunkSize: CHUNK_BYTES })
  const cut = Array.from({ length: Math.ceil(packed.length / PART_BYTES) }, (_, i) =>
    packed.subarray(i * PART_BYTES, (i + 1) * PART_BYTES),
  )
  const digest = await digestOf(cut)
  for (const [i, part] of cut.entries()) await store.create(partKey(digest, i), part)
  return new TextEncoder().encode(`${MARK}${JSON.stringify({ digest, parts: cut.length }).slice(1)}`)
}

/** The value again. Throws when a part is missing or not what its name says. */
export async function join(store: PartStore, value: Uint8Array): Promise<Uint8Array> {
  const packed = await joinPacked(store, value)
  return packed === value ? value : await unpack(packed, { maxOutputLength: MOST_BYTES, chunkSize: CHUNK_BYTES })
}

/** The same without unpacking (gzip) what was cut into parts. */
export async function joinPacked(store: PartStore, value: Uint8Array): Promise<Uint8Array> {
  const named = partsOf(value)
  if (named === undefined) return value
  const { digest, parts } = named
  const packed: Uint8Array[] = []
  // one after the other: taking one out of its message costs the thread milliseconds, and calls are answered between two
  for (let i = 0; i < parts; i++) {
    const part = await store.get(partKey(digest, i))
    if (part === undefined) throw new Error(`parts of ${digest} are gone`)
    packed.push(part)
    await turn()
  }
  if ((await digestOf(packed)) !== digest) throw new Error(`parts of ${digest} are damaged`)
  return Buffer.concat(packed)
}

/** Part by part: whoever answers calls beside it has a turn between two. */
async function digestOf(parts: readonly Uint8Array[]): Promise<string> {
  const hash = createHash('sha256')
  for (const part of parts) {
    hash.update(part)
    await turn()
  }
  return hash.digest('hex').slice(0, 40)
}

/** Undefined: the value stands there itself. */
export function partsOf(value: Uint8Array): Parts | undefined {
  if (value.length > 256) return undefined
  const text = new TextDecoder().decode(value)
  if (!text.startsWith(MARK)) return undefined
  const { digest, parts } = JSON.parse(text) as Parts
  if (!/^[0-9a-f]{40}$/.test(digest) || !Number.isInteger(parts) || parts < 1 || parts > MOST_PARTS)
    throw new Error('not the names of parts')
  return { digest, parts }
}
