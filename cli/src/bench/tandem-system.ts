/** A Tandem of its own for a measurement: temporary folder, free ports, nothing shared with another one. */
import { join } from 'node:path'
import { mediaPorts, steadyPort } from '@tandem/testing/ports.ts'
import type { CdrPage } from '../api/resources.ts'
import { startUp, type Up } from '../up/start-up.ts'
import { type BenchPorts, writeBenchConfiguration } from './calls-configuration.ts'
import type { System } from './system.ts'

export interface TandemSystem extends System {
  up: Up
  password: string
  ports: BenchPorts
}

export interface TandemSettings {
  folder: string
  /** where the measurement's carrier answers */
  carrierPeer: number
  /** UDP ports for audio, default 4000: a thousand calls at a time */
  mediaPorts?: number
  signal: AbortSignal
  say(line: string): void
  warn(line: string): void
}

/** What would tie the measurement to a running platform, or lead its records into somebody's database. */
const NOT_OURS = /^(TANDEM_|NATS_|DATABASE_URL$)/
const PASSWORD = 'bench-password'

export async function startTandem(settings: TandemSettings): Promise<TandemSystem> {
  const { folder, carrierPeer, signal, say, warn } = settings
  const count = settings.mediaPorts ?? 4000
  const ports = {
    inside: await steadyPort(),
    carrier: await steadyPort(),
    carrierPeer,
    media: mediaPorts(count),
    mediaPorts: count,
  }
  const config = writeBenchConfiguration(folder, ports)
  const kept = Object.entries(process.env).filter(([name]) => !NOT_OURS.test(name))
  const up = await startUp({
    config,
    data: join(folder, 'data'),
    environment: {
      ...Object.fromEntries(kept),
      TANDEM_API: `127.0.0.1:${await steadyPort()}`,
      BENCH_PASSWORD: PASSWORD,
    },
    signal,
    say,
    warn,
  })
  return {
    name: 'Tandem',
    target: `127.0.0.1:${ports.inside}`,
    up,
    password: PASSWORD,
    ports,
    roots: () => up.state().parts.map(({ name, pid }) => ({ name, pid })),
    recorded: () => storedCalls(up),
    stop: () => up.stop(),
  }
}

/** From the counter of billing, which costs it less than a query would: legs that the database has taken, two a call. */
async function storedCalls(up: Up): Promise<number | undefined> {
  const health = up.state().parts.find((part) => part.name === 'billing')?.health
  try {
    const text = await (await fetch(`${health}/metrics`, { signal: AbortSignal.timeout(5000) })).text()
    return Number(/^tandem_billing_legs_total\{[^}]*outcome="stored"[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0) / 2
  } catch {
    return undefined
  }
}

/** Reads every CDR back; gives what is wrong, in words. `calls` were made since the start, and all answered. Calls for help are free. */
export async function checkCdrs(up: Up, calls: number): Promise<string[]> {
  const wrong: string[] = []
  let counted: CdrPage | undefined
  let unpriced = 0
  for await (const page of up.api.pages<CdrPage>('/cdrs')) {
    counted ??= page
    unpriced += page.cdrs.filter(
      ({ party, cost, emergency }) =>
        party.kind === 'trunk' && !emergency && !(cost.kind === 'per-minute' && Number(cost.amount) > 0),
    ).length
  }
  const { calls: recorded = 0, legs = 0 } = counted ?? {}
  if (recorded !== calls) wrong.push(`${calls} calls were answered, ${recorded} have CDRs`)
  if (legs !== 2 * calls) wrong.push(`${calls} calls have ${legs} leg records, not two each`)
  if (unpriced > 0) wrong.push(`${unpriced} trunk legs have no price`)
  return wrong
}
