/** The trunks of the configuration, each with its link (edge.md E3, E4, E5). */
import { type Environment, resolveSecret } from '@tandem/config/secrets.ts'
import type { Edge, Timer, Trunks } from './edge.ts'
import { TrunkLink } from './trunk-link.ts'

/** Told again now and then, for those who came late, ms. */
const RETELL_MS = 60_000

export interface TrunksOwner extends Trunks {
  /** The configuration is new (or the first): links that changed are made anew. */
  configured(): void
  retell(): void
  registered(trunk: string): boolean
  close(): Promise<void>
}

type Parts = Pick<Edge, 'node' | 'bus' | 'log' | 'clock' | 'config' | 'transactions' | 'wires'> & { env: Environment }

export function createTrunks(parts: Parts): TrunksOwner {
  const links = new Map<string, TrunkLink>()
  const closing = new Set<Promise<void>>()
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
    callStarted: (trunk) => links.get(trunk)?.callStarted(),
    callEnded: (trunk) => links.get(trunk)?.callEnded(),
    configured() {
      const { trunks } = parts.config()
      for (const [name, link] of [...links]) {
        if (JSON.stringify(trunks[name]) !== JSON.stringify(link.trunk)) end(name, link)
      }
      for (const trunk of Object.values(trunks)) {
        if (links.has(trunk.name)) continue
        const link = new TrunkLink(trunk, { ...parts, password: registerPassword(trunk.name) })
        links.set(trunk.name, link)
        link.start()
      }
      timer ??= parts.clock.setTimer(RETELL_MS, tick)
    },
    retell,
    async close() {
      if (timer) parts.clock.clearTimer(timer)
      for (const [name, link] of [...links]) end(name, link)
      await Promise.allSettled([...closing])
    },
  }
}
