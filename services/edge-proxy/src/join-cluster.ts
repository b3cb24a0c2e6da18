/** This edge among the others of its cluster, wired together: its lease, the shared secret, the ways to the others. */
import { randomBytes } from 'node:crypto'
import type { TransactionLayer } from '@tandem/sip/transaction/layer.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import { sharedSecret } from './adapters/cluster-secret.ts'
import { holdLease } from './adapters/edge-lease.ts'
import type { Listeners } from './adapters/listeners.ts'
import { type ClusterBindings, createClusterBindings } from './cluster-bindings.ts'
import { createDirectWord } from './direct-word.ts'
import { type HopAddress, hopOf } from './domain/own-hop.ts'
import type { Cluster, Edge, Wire } from './edge.ts'
import { createEdgeHops, type EdgeHops } from './edge-hops.ts'

export interface JoinedCluster extends Cluster {
  readonly bindings: ClusterBindings
  readonly hops: EdgeHops
  /** Where this edge takes what others send it. */
  ownHop(): HopAddress | undefined
  /** True: another edge has asked whether this one lives, and has its answer. */
  answersForItself(transaction: ServerTransaction): boolean
  /** Other listeners or trunks. */
  configured(): void
  close(): Promise<void>
}

export interface JoinParts {
  readonly edge: Pick<Edge, 'node' | 'bus' | 'clock' | 'log' | 'config' | 'env'>
  readonly listeners: Listeners
  readonly transactions: TransactionLayer
  readonly inside: (address: string) => boolean
  readonly failed: (wire: Wire, why: string) => void
}

export function joinCluster({ edge, listeners, transactions, inside, failed }: JoinParts): JoinedCluster {
  const { node, bus, clock } = edge
  const self = { edge: node, life: randomBytes(12).toString('base64url') }
  const secret = sharedSecret(edge)
  let hop: { readonly address: HopAddress | undefined } | undefined
  const ownHop = () => {
    hop ??= { address: hopOf(listeners.list(), edge.config()) }
    return hop.address
  }
  const word = createDirectWord({ clock, self, secret, wires: listeners, transactions })
  const lease = holdLease({ bus, clock, self, log: edge.log, hop: ownHop, ask: word.of })
  const cluster: Cluster = { self, lease, secret }
  const hops = createEdgeHops(listeners)
  const bindings = createClusterBindings({ edge, cluster, wires: listeners, hops, ownHop, inside, failed })
  return {
    ...cluster,
    bindings,
    hops,
    answersForItself: word.answer,
    ownHop,
    configured() {
      hop = undefined
    },
    async close() {
      await bindings.close()
      await cluster.lease.close()
    },
  }
}
