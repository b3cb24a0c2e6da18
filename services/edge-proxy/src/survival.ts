/** What lets calls outlive their edge, wired together: the store of calls, the lease, the key in our Contact, adoption. */
import type { KeyObject } from 'node:crypto'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import { createCallStore } from './adapters/call-store.ts'
import { createAdoption } from './adoption.ts'
import { callKeys, readCallKey } from './domain/call-key.ts'
import type { CallParts, LiveCall } from './domain/call-parts.ts'
import type { HeldCalls } from './domain/held-calls.ts'
import { tellThoseBehind } from './domain/phone-return.ts'
import type { Edge } from './edge.ts'

export interface Survival {
  readonly held: HeldCalls
  /** Begins to look for calls without an edge. */
  begin(parts: CallParts, calls: Map<string, LiveCall>): void
  /** A request for a dialog that is not known here; false: it is none of this cluster's calls. */
  load(transaction: ServerTransaction): boolean
  /** Lets the calls that are up go to the other edges, where there are some. */
  handOver(): Promise<void>
  close(): Promise<void>
}

/** `secret`: that of the cluster, as it is now. */
export function createSurvival(edge: Edge, secret: () => KeyObject): Survival {
  const { bus, clock, log } = edge
  const { self: owner, lease } = edge.cluster
  // with another edge beside it that has no secret in common, the keys have to stand open for it
  const sealing = () => (edge.cluster.secret() !== undefined || lease.others() === 0 ? secret() : undefined)
  const store = createCallStore({ bus, clock, log, owner, sealing })
  let adoption: ReturnType<typeof createAdoption> | undefined
  return {
    held: {
      up: store.up,
      changed: store.changed,
      over: store.over,
      ours: (callId) => lease.awake() && store.ours(callId),
      whenOurs: (callId, transaction) => adoption?.wait(callId, transaction),
      keyOf: callKeys(secret),
    },
    begin(parts, calls) {
      const readKey = (user: string) => readCallKey(user, secret())
      const { ours } = parts.held
      adoption = createAdoption({ parts, calls, store, owner, readKey, ours, lease: () => lease, opening: secret })
      lease.onGone(adoption.search)
      lease.onGone(() => tellThoseBehind(parts, calls.values()))
      lease.onDoubt(store.doubt)
    },
    load: (transaction) => adoption?.load(transaction) ?? false,
    async handOver() {
      adoption?.close()
      if (!bus.connected || lease.others() === 0) return
      await store.release()
      await lease.leave()
    },
    async close() {
      adoption?.close()
      store.close()
    },
  }
}

/** An edge by itself: nobody goes on with its calls. */
export const ALONE: Survival = {
  held: { up() {}, changed() {}, over() {}, ours: () => true, whenOurs() {}, keyOf: (callId) => callId },
  begin() {},
  load: () => false,
  async handOver() {},
  async close() {},
}
