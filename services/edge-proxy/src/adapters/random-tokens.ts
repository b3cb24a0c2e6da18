/** Random tokens: drawn from the system a hundred at a time, since each draw costs more than all the rest of a token. */
import { randomFillSync } from 'node:crypto'

export function randomTokens(bytes: number, encoding: 'hex' | 'base64url'): () => string {
  const pool = Buffer.alloc(100 * bytes)
  let at = pool.length
  return () => {
    if (at === pool.length) {
      randomFillSync(pool)
      at = 0
    }
    at += bytes
    return pool.toString(encoding, at - bytes, at)
  }
}
