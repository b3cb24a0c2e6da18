/** The trunks of the configuration, each with its link (edge.md E3, E4, E5). */
import { type Environment, resolveSecret } from '@tandem/config/secrets.ts'
import { TrunkChanged } from '@tandem/contracts/registration.ts'
import type { Edge, Timer, Trunks } from './edge.ts'
import { createTrunkLeases } from './trunk-leases.ts'
import { TrunkLink } from './trunk-link.ts'

/** Told again now and then, for those who came late, ms. */
const RETELL_MS = 60_000

export interface TrunksOwner extends Trunks {
  /** The configuration is new (or the first): links that changed are made anew. */
  configured(): void
  retell(): void
  registered(trunk: string): boolean
  /** Where carriers know us by a registration: address and port of the other end. */
  registeredAt(trunk: string): { readonly address: string; readonly port: number } | undefined
  /** A connection is gone. */
  flowFailed(flow: string): void
  close(): Promise<void>
}

type Parts = Pick<Edge, 'node' | 'bus' | 'log' | 'clock' | 'config' | 'transactions' | 'wires'> & {
  readonly env: Environment
  readonly registrationChanged: () => void
  /** For tests, ms. */
  readonly leaseMs?: number | undefined
}

export function createTrunks(parts: Parts): TrunksOwner {
  const links = new Map<string, TrunkLink>()
  const closing = new Set<Promise<void>>()
  const leases = createTrunkLeases({ ...parts, changed: (trunk) => links.get(trunk)?.follow() })
  const stopHearing = parts.bus.hear(TrunkChanged, (state) => {
    if (state.prober && state.edge !== parts.node) links.get(state.trunk)?.hear(state)
  })
  let timer: Timer | undefined

  const secretOf = (name: string): { user: string; password: string } | undefined => {
    const credentials = parts.config().trunks[name]?.credentials
    if (!credentials) return undefined
    const secret = resolveSecret(credentials.password, parts.env)
    if (secret.kind === 'ok') return { user: credentials.user, password: secret.value }
    parts.log.warn({ trunk: name, why: secret.message }, 'trunk without its password')
    return undefined
  }

  const registerPassword = (name: string) => (): string | undefined => {
    const register = parts.config().trunks[name]?.register
    const secret = register && resolveSecret(register.password, parts.env)
    return secret?.kind === 'ok' ? secret.value : undefined
  }

  const end = (name: string, link: TrunkLink) => {
    links.delete(name)
    const done = link.close().finally(() => closing.delete(done))
    closing.add(done)
  }

  const retell = () => {
    for (const link of links.values()) link.tell()
  }

  const tick = () => {
    retell()
    timer = parts.clock.setTimer(RETELL_MS, tick)
  }

  return {
    async paths(trunk, call, urgent) {
      const link = links.get(trunk)
      if (!link) throw new Error(`there is no trunk ${trunk}`)
      return await link.paths(call, urgent)
    },
    credentials: secretOf,
    health: (trunk) => links.get(trunk)?.health ?? 'down',
    registered: (trunk) => links.get(trunk)?.registered ?? false,
    registeredAt(trunk) {
      const wire = links.get(trunk)?.registeredOn
      return wire && { address: wire.remoteAddress, port: wire.remotePort }
    },
    callStarted: (trunk) => links.get(trunk)?.callStarted(),
    callEnded: (trunk) => links.get(trunk)?.callEnded(),
    configured() {
      const { trunks } = parts.config()
      for (const [name, link] of [...links]) {
        if (JSON.stringify(trunks[name]) !== JSON.stringify(link.trunk)) end(name, link)
      }
      leases.want(Object.keys(trunks))
      for (const trunk of Object.values(trunks)) {
        if (links.has(trunk.name)) continue
        const link = new TrunkLink(trunk, { ...parts, leases, password: registerPassword(trunk.name) })
        links.set(trunk.name, link)
        link.start()
      }
      timer ??= parts.clock.setTimer(RETELL_MS, tick)
    },
    retell,
    flowFailed(flow) {
      for (const link of links.values()) link.flowFailed(flow)
    },
    async close() {
      if (timer) parts.clock.clearTimer(timer)
      await stopHearing()
      const released = leases.close()
      for (const [name, link] of [...links]) end(name, link)
      await Promise.allSettled([released, ...closing])
    },
  }
}
