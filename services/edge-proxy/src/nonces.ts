/**
 * Nonces of the cluster (RFC 7616 3.3, docs/adr/0121): made with its secret, so that a phone may answer at B what A asked.
 * Each use is told to the other edges, so that the same one again is a replay everywhere. Who was deaf at that time takes
 * what was asked before for stale: one more round trip, never a second use.
 *
 * Salt of a nonce: 3 bytes that name its edge, 5 random ones.
 */
import { createHash, createSecretKey, randomBytes } from 'node:crypto'
import type { Bus } from '@tandem/bus/bus.ts'
import { NonceUsed } from '@tandem/contracts/edge.ts'
import { checkNonce, makeNonce, type NonceVerdict, nonceCounts, readNonce, useCount } from '@tandem/sip/auth/nonce.ts'
import { derivedKey } from './domain/flow-token.ts'
import type { Clock, Cluster } from './edge.ts'

/** How long a phone may go on with one nonce, ms. */
const NONCE_MS = 300_000
const MAX_NONCES = 200_000
const MARK_BYTES = 3
const RANDOM_BYTES = 5

export interface Nonces {
  make(listener: string): string
  check(nonce: string, listener: string): NonceVerdict
  /** False: it was used so before, here or at another edge. */
  use(nonce: string, count: number): boolean
  /** The bus was away: uses at other edges may have been missed. */
  wasDeaf(): void
  close(): Promise<void>
}

export interface NoncesParts {
  readonly bus: Pick<Bus, 'tell' | 'hear' | 'connected'>
  readonly clock: Pick<Clock, 'wall'>
  readonly cluster: Cluster
}

export function createNonces({ bus, clock, cluster }: NoncesParts): Nonces {
  const own = createSecretKey(randomBytes(32))
  const counts = nonceCounts(MAX_NONCES)
  const mark = createHash('sha256').update(cluster.self.edge).digest().subarray(0, MARK_BYTES)
  const startedMs = clock.wall()
  let hearingSinceMs = startedMs

  const key = () => {
    const secret = cluster.secret()
    return secret === undefined ? own : derivedKey('nonce', secret)
  }

  const stop = bus.hear(NonceUsed, ({ edge, nonce, count }) => {
    if (edge !== cluster.self.edge && readNonce(nonce)) useCount(counts, nonce, count)
  })

  return {
    make: (listener) => makeNonce(key(), clock.wall(), Buffer.concat([mark, randomBytes(RANDOM_BYTES)]), listener),
    check(nonce, listener) {
      const verdict = checkNonce(key(), nonce, clock.wall(), NONCE_MS, listener)
      if (verdict !== 'fresh') return verdict
      const { issuedMs, salt } = readNonce(nonce) ?? { issuedMs: 0, salt: mark }
      // of an earlier life of this edge: its uses are forgotten
      if (mark.equals(salt.subarray(0, MARK_BYTES))) return issuedMs < startedMs ? 'expired' : 'fresh'
      return bus.connected && issuedMs >= hearingSinceMs ? 'fresh' : 'expired'
    },
    use(nonce, count) {
      if (!useCount(counts, nonce, count)) return false
      if (cluster.lease.others() > 0 && cluster.secret() !== undefined) {
        bus.tell(NonceUsed, { edge: cluster.self.edge, nonce, count })
      }
      return true
    },
    wasDeaf() {
      hearingSinceMs = clock.wall()
    },
    close: stop,
  }
}
