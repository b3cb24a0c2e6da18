/**
 * Where an edge takes what other edges send it (docs/adr/0120): at the address itself, not at the one advertised to
 * phones; TCP before UDP, as the hop repeats nothing; where carriers are only if there is nothing else.
 */
import type { Configuration } from '@tandem/config/defaults.ts'
import type { Wire } from '../edge.ts'

export interface HopAddress {
  readonly listener: string
  readonly transport: 'UDP' | 'TCP'
  readonly address: string
  readonly port: number
}

interface Open {
  readonly name: string
  readonly transport: Wire['transport']
  readonly address: string
  readonly port: number
}

/** Undefined: every listener is bound to all addresses, and none is known that others could reach. */
export function hopOf(open: readonly Open[], { trunks }: Pick<Configuration, 'trunks'>): HopAddress | undefined {
  const carriers = new Set(Object.values(trunks).map((trunk) => trunk.listener))
  const reachable = open.flatMap(({ name: listener, transport, address, port }) =>
    (transport === 'TCP' || transport === 'UDP') && address !== '0.0.0.0' && address !== '::'
      ? [{ listener, transport, address, port }]
      : [],
  )
  const cost = (hop: HopAddress) => (carriers.has(hop.listener) ? 2 : 0) + (hop.transport === 'TCP' ? 0 : 1)
  return reachable.toSorted((a, b) => cost(a) - cost(b))[0]
}

export const hostPort = ({ address, port }: Pick<HopAddress, 'address' | 'port'>): string =>
  `${bracketed(address)}:${port}`

export const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address)
