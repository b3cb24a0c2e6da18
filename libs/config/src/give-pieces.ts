/** The other side of `aside.ts`: what a module does that runs as a process of its own. */
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { isPacked } from './aside.ts'
import type { User } from './defaults.ts'

/** Of what the bucket takes. */
const maxOutputLength = 256 * 1024 * 1024

/** Reads the revision from its input and hands over a piece each time one is asked for. Ends with the one who asks. */
export function givePieces<Piece>(make: (bytes: Uint8Array) => Generator<Piece, void, void>): void {
  const made = buffer(process.stdin).then((bytes) =>
    make(isPacked(bytes) ? gunzipSync(bytes, { maxOutputLength }) : bytes),
  )
  process.on('disconnect', () => process.exit())
  process.on('message', () => {
    made.then((pieces) => process.send?.(pieces.next().value ?? 'end')).catch(end)
  })
}

/** Of what is large each piece takes the one who asks no more than a moment. */
const chunkBytes = 512 * 1024

export type Flat = Uint8Array | Uint32Array | Int32Array | Float64Array | BigInt64Array

/** Windows on an array, with the place of their first element. */
export function* chunksOf<T extends Flat>(array: T): Generator<{ at: number; chunk: T }, void, void> {
  const length = chunkBytes / array.BYTES_PER_ELEMENT
  for (let at = 0; at < array.length; at += length) yield { at, chunk: array.subarray(at, at + length) as T }
}

const usersInChunk = 200

/** As text: reading that takes half of the time that an object takes from process to process, and the same words are one. */
export function* usersAsText(users: Readonly<Record<string, User>>): Generator<string, void, void> {
  const all = Object.values(users)
  for (let at = 0; at < all.length; at += usersInChunk) yield JSON.stringify(all.slice(at, at + usersInChunk))
}

function end(error: unknown): never {
  console.error(error)
  process.exit(1)
}
