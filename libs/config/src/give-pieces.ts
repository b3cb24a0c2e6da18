/** The other side of `aside.ts`: what a module does that runs as a process of its own. */
import { buffer } from 'node:stream/consumers'

/** Reads the revision from its input and hands over a piece each time one is asked for. Ends with the one who asks. */
export function givePieces<Piece>(make: (bytes: Uint8Array) => Generator<Piece, void, void>): void {
  const made = buffer(process.stdin).then(make)
  process.on('disconnect', () => process.exit())
  process.on('message', () => {
    made.then((pieces) => process.send?.(pieces.next().value ?? 'end')).catch(end)
  })
}

function end(error: unknown): never {
  console.error(error)
  process.exit(1)
}
