/** The edge as a service: follows the configuration, answers for itself on the bus, drains and stops in order. */
import type { Bus } from '@tandem/bus/bus.ts'
import type { Environment } from '@tandem/config/secrets.ts'
import { Drain, EdgeStatus } from '@tandem/contracts/edge.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { followConfiguration, keepOnDisk, type Revised, readFromDisk } from './adapters/configuration.ts'
import { type Measured, measure } from './adapters/metrics.ts'
import { atAddress } from './domain/own-address.ts'
import type { Calls, Edge } from './edge.ts'
import { type EdgeCore, startEdgeCore } from './edge-core.ts'

/** With a configuration on disk the bus is waited for no longer than that, ms. */
const PATIENCE_MS = 2_000
/** Running calls may go on that long after the word to stop, ms; a preStop hook that drains gives them more. */
const LAST_CALLS_MS = 5_000

export interface EdgeServiceParts {
  readonly bus: Bus
  /** Resolves when the bus is connected for the first time. */
  readonly connected: Promise<void>
  readonly log: Logger
  readonly env: Environment
  readonly dataFolder: string
  readonly node: string
  /** Of this edge, in place of the one that the configuration writes (own-address.ts). */
  readonly address?: string | undefined
  readonly createCalls: (edge: Edge) => Calls
}

export interface EdgeService {
  /** Undefined when calls can be taken, or why not. */
  ready(): string | undefined
  /** Resolves when the first configuration is in force and every listener is open; rejects when one cannot be opened. */
  readonly started: Promise<void>
  /** The bus was away and is back. */
  reconnected(): void
  core(): EdgeCore | undefined
  stop(): Promise<void>
}

export function startEdge(parts: EdgeServiceParts): EdgeService {
  const { bus, log } = parts
  let core: EdgeCore | undefined
  let stopped = false
  let work: Promise<void> = Promise.resolve()
  const first = Promise.withResolvers<void>()
  // nobody waits for it after a stop
  first.promise.catch(() => {})

  const begin = async (revised: Revised) => {
    const { node, env, createCalls, dataFolder } = parts
    const configuration = atAddress(revised.configuration, parts.address)
    const { revision } = revised
    core = await startEdgeCore({ node, bus, log, env, configuration, revision, createCalls, dataFolder })
    for (const l of core.listeners()) log.info({ listener: l.name, url: l.url }, 'listening')
    answerForIt(bus, core, node)
    measure(figuresOf(core))
    first.resolve()
  }

  const take = async (revised: Revised) => {
    if (stopped || core?.edge.revision() === revised.revision) return
    try {
      if (core) await core.apply(atAddress(revised.configuration, parts.address), revised.revision)
      else await begin(revised)
      log.info({ revision: revised.revision }, 'configuration in force')
    } catch (error) {
      log.error({ err: error, revision: revised.revision }, 'configuration not in force as a whole')
      if (!core) first.reject(error)
    }
  }

  // one after the other: a second revision waits until the first is in force
  const enqueue = (revised: Revised) => {
    work = work.then(() => take(revised))
  }
  const self = { node: parts.node, revision: () => core?.edge.revision() }
  const stopFollowing = followConfiguration(bus, log, self, (revised) => {
    enqueue(revised)
    void keepOnDisk(parts.dataFolder, revised.bytes, log)
  })
  const patience = setTimeout(() => void withoutBus(), PATIENCE_MS)
  const withoutBus = async () => {
    if (core || bus.connected) return
    const kept = await readFromDisk(parts.dataFolder, log)
    if (!kept || core || stopped) return
    log.warn({ revision: kept.revision }, 'NATS is away: starting with the configuration of last time')
    enqueue(kept)
  }
  parts.connected.catch((error: unknown) => first.reject(error))

  return {
    ready() {
      if (!core) return 'no configuration yet'
      if (core.draining()) return 'draining'
      return bus.connected ? undefined : 'not connected to NATS'
    },
    started: first.promise,
    reconnected: () => core?.retell(),
    core: () => core,
    async stop() {
      stopped = true
      clearTimeout(patience)
      await stopFollowing()
      await work
      if (!core) return
      core.drain(true)
      await lastCalls(core)
      measure(undefined)
      await core.close()
    },
  }
}

function figuresOf(core: EdgeCore): Measured {
  const { edge, calls } = core
  return {
    status: calls.status,
    registrations: core.registrations.count,
    subscriptions: core.subscriptions,
    draining: core.draining,
    listeners: core.listeners,
    trunks: () => Object.keys(edge.config().trunks).map((name) => ({ name, health: edge.trunks.health(name) })),
    transactions: () => ({ ...edge.transactions.counters }),
    captureLost: core.captureLost,
    exportLost: core.exportLost,
    credentialFaults: core.credentialFaults,
    dropped: core.dropped,
  }
}

function answerForIt(bus: Bus, core: EdgeCore, node: string): void {
  // every edge answers: the asker sums
  bus.answer(
    EdgeStatus,
    () => ({
      edge: node,
      ...core.calls.status(),
      registrations: core.registrations.count(),
      subscriptions: core.subscriptions(),
      draining: core.draining(),
      listeners: core.listeners().map(({ name, url }) => ({ name, url })),
      revision: core.edge.revision(),
    }),
    { everyReplica: true },
  )
  bus.answer(
    Drain,
    ({ draining }) => {
      core.drain(draining)
      return { calls: core.calls.status().calls }
    },
    { everyReplica: true },
  )
}

/** Waits until no call is left, but not for ever. */
async function lastCalls(core: EdgeCore): Promise<void> {
  const { clock } = core.edge
  const until = clock.now() + Math.min(core.edge.config().edge.drainMs, LAST_CALLS_MS)
  while (core.calls.status().calls > 0 && clock.now() < until) {
    await new Promise<void>((done) => void clock.setTimer(100, done))
  }
}
