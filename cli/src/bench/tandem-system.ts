/** A Tandem of its own for a measurement: temporary folder, free ports, nothing shared with another one. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import { steadyPort, whyPortTaken } from '@tandem/testing/ports.ts'
import type { CdrPage } from '../api/resources.ts'
import { startUp, type Up } from '../up/start-up.ts'
import { writeBenchConfiguration } from './calls-configuration.ts'
import type { System } from './system.ts'

export interface TandemSystem extends System {
  up: Up
  password: string
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
/** The first port that Linux gives out by itself. */
const EPHEMERAL = 32_768

export async function startTandem(settings: TandemSettings): Promise<TandemSystem> {
  const { folder, carrierPeer, mediaPorts = 4000, signal, say, warn } = settings
  const ports = {
    inside: await freeUdpPort(),
    carrier: await freeUdpPort(),
    carrierPeer,
    media: await freeMediaRange(mediaPorts),
    mediaPorts,
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

/** Reads every CDR back; gives what is wrong, in words. `calls` were made since the start, and all answered. */
export async function checkCdrs(up: Up, calls: number): Promise<string[]> {
  const wrong: string[] = []
  let counted: CdrPage | undefined
  let unpriced = 0
  for await (const page of up.api.pages<CdrPage>('/cdrs')) {
    counted ??= page
    unpriced += page.cdrs.filter(
      ({ party, cost }) => party.kind === 'trunk' && !(cost.kind === 'per-minute' && Number(cost.amount) > 0),
    ).length
  }
  const { calls: recorded = 0, legs = 0 } = counted ?? {}
  if (recorded !== calls) wrong.push(`${calls} calls were answered, ${recorded} have CDRs`)
  if (legs !== 2 * calls) wrong.push(`${calls} calls have ${legs} leg records, not two each`)
  if (unpriced > 0) wrong.push(`${unpriced} trunk legs have no price`)
  return wrong
}

export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}

/** Below the ports that the system gives out by itself, at random: another measurement may run beside this one. */
async function freeMediaRange(ports: number): Promise<number> {
  for (;;) {
    const from = 10_000 + 2 * Math.floor((Math.random() * (EPHEMERAL - 10_000 - ports)) / 2)
    if ((await whyPortTaken('udp', '127.0.0.1', from)) === undefined) return from
  }
}
