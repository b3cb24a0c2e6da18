/** This edge among the others of its cluster, wired together: its lease, the shared secret, the ways to the others. */
import { randomBytes } from 'node:crypto'
import { sharedSecret } from './adapters/cluster-secret.ts'
import { holdLease } from './adapters/edge-lease.ts'
import type { Listeners } from './adapters/listeners.ts'
import { type ClusterBindings, createClusterBindings } from './cluster-bindings.ts'
import { type HopAddress, hopOf } from './domain/own-hop.ts'
import type { Cluster, Edge, Wire } from './edge.ts'
import { createEdgeHops, type EdgeHops } from './edge-hops.ts'

export interface JoinedCluster extends Cluster {
  readonly bindings: ClusterBindings
  readonly hops: EdgeHops
  /** Where this edge takes what others send it. */
  ownHop(): HopAddress | undefined
  /** Other listeners or trunks. */
  configured(): void
  close(): Promise<void>
}

export interface JoinParts {
  readonly edge: Pick<Edge, 'node' | 'bus' | 'clock' | 'log' | 'config' | 'env'>
  readonly listeners: Listeners
  readonly inside: (address: string) => boolean
  readonly failed: (wire: Wire, why: string) => void
}

export function joinCluster({ edge, listeners, inside, failed }: JoinParts): JoinedCluster {
  const { node, bus, clock } = edge
  const self = { edge: node, life: randomBytes(12).toString('base64url') }
  const cluster: Cluster = { self, lease: holdLease({ bus, clock, self }), secret: sharedSecret(edge) }
  const hops = createEdgeHops(listeners)
  let hop: { readonly address: HopAddress | undefined } | undefined
  const ownHop = () => {
    hop ??= { address: hopOf(listeners.list(), edge.config()) }
    return hop.address
  }
  const bindings = createClusterBindings({ edge, cluster, wires: listeners, hops, ownHop, inside, failed })
  return {
    ...cluster,
    bindings,
    hops,
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
