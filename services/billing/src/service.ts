import type { Bus } from '@tandem/bus/bus.ts'
import { ListCdrs, ShowSavings, SummariseBilling, type UsageSample, UsageSampled } from '@tandem/contracts/billing.ts'
import { CallCorrected, CallEnded } from '@tandem/contracts/call.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { type Database, isDatabaseAway } from '@tandem/store/database.ts'
import { migrate } from '@tandem/store/migrate.ts'
import { createCdrQueries } from './adapters/cdr-queries.ts'
import { createCdrStore } from './adapters/cdr-store.ts'
import { migrations, SCHEMA } from './adapters/migrations.ts'
import { createOpenLegStore } from './adapters/open-leg-store.ts'
import { createUsageStore, type UsageStore } from './adapters/usage-store.ts'
import { watchTariffs } from './adapters/watch-tariffs.ts'
import { compareWays } from './domain/savings.ts'
import { endOrphans } from './orphans.ts'
import { createTakeIn } from './take-in.ts'

export interface BillingDeps {
  bus: Bus
  database: Database
  log: Logger
  /** Wall clock, epoch ms. */
  now?: () => number
  /** How often closed bandwidth samples are told, ms. */
  tellSamplesEveryMs?: number
  /** How often legs that no edge speaks of are looked for, and how long their facts may be under way, ms. */
  orphans?: { lookMs: number; graceMs: number }
}

export interface Billing {
  /** Why calls are not being priced now, or undefined. */
  notReady(): string | undefined
  stop(): Promise<void>
}

const DURABLE = 'billing-cdr'
const CORRECTIONS = 'billing-corrections'
/** What a killed billing had taken comes again after this long, ms; more than the patience of one batch. */
const ACK_WAIT_MS = 10_000
/** A transaction and its wake-ups cost the same for one leg as for a hundred: gather for this long, ms. */
const GATHER_MS = 100

/** Starts at once; legs are taken in from the moment that the schema is there and a configuration is known. */
export function startBilling({
  bus,
  database,
  log,
  now = Date.now,
  tellSamplesEveryMs = 15_000,
  orphans,
}: BillingDeps): Billing {
  let stopped = false
  let why: string | undefined = 'waiting for the database'
  let away = false
  const stops: (() => Promise<void>)[] = []
  const store = createCdrStore(database)
  const queries = createCdrQueries(database)
  const usage = createUsageStore(database)

  const start = async (): Promise<void> => {
    if (!(await migrateWhenThere(database, log, () => stopped))) return
    stops.push(bus.answer(ListCdrs, (question) => queries.list(question)))
    stops.push(
      bus.answer(SummariseBilling, async ({ from, to, closePartial }) => {
        const range = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
        const [summary, samples] = await Promise.all([
          queries.summarise(range),
          usage.read({ ...range, now: now(), partial: closePartial ?? false }),
        ])
        if (closePartial) for (const sample of samples) if (sample.partial) bus.tell(UsageSampled, sample)
        return { ...summary, samples }
      }),
    )
    why = 'waiting for a configuration'
    const watch = watchTariffs(bus, database, log)
    stops.push(() => watch.stop())
    stops.push(
      bus.answer(ShowSavings, async ({ from, to, inputs }) => {
        const tariffs = watch.current()
        if (tariffs === undefined) return undefined
        const range = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
        const [calls, samples] = await Promise.all([
          queries.calls(range),
          usage.read({ ...range, now: now(), partial: true }),
        ])
        const period = {
          start: from === undefined ? (calls[0]?.start ?? now()) : Date.parse(from),
          end: to === undefined ? now() : Date.parse(to),
        }
        return compareWays(calls, pooled(samples), period, tariffs, inputs)
      }),
    )
    const stopTelling = tellSamples(bus, usage, log, now, tellSamplesEveryMs)
    stops.push(stopTelling)
    const initial = await watch.first
    if (stopped) return
    const taking = {
      bus,
      store,
      log,
      now,
      tariffs: () => watch.current() ?? initial,
      stopped: () => stopped,
      databaseAnswers: (answers: boolean) => {
        away = !answers
      },
    }
    const reading = { batch: 500, gatherMs: GATHER_MS, ackWaitMs: ACK_WAIT_MS }
    stops.push(
      bus.consume(CallEnded, { durable: DURABLE, ...reading }, createTakeIn(taking)),
      bus.consume(CallCorrected, { durable: CORRECTIONS, ...reading }, createTakeIn({ ...taking, corrects: true })),
      endOrphans({ bus, store: createOpenLegStore(database), log, now, ...orphans }),
    )
    why = undefined
  }
  const starting = start().catch((error: unknown) => {
    why = `could not start: ${String(error)}`
    log.error({ err: error }, 'billing could not start')
  })

  return {
    notReady: () => why ?? (away ? 'the database is away' : bus.connected ? undefined : 'not connected to NATS'),
    stop: async () => {
      stopped = true
      await Promise.allSettled(stops.toReversed().map((stop) => stop()))
      await Promise.race([starting, Promise.resolve()])
    },
  }
}

/** Samples of all trunks added up by window: what one central trunk would have carried. */
function pooled(samples: readonly UsageSample[]): { bytesIn: number; bytesOut: number }[] {
  const windows = new Map<string, { bytesIn: number; bytesOut: number }>()
  for (const { from, bytesIn, bytesOut } of samples) {
    const window = windows.get(from) ?? { bytesIn: 0, bytesOut: 0 }
    window.bytesIn += bytesIn
    window.bytesOut += bytesOut
    windows.set(from, window)
  }
  return [...windows.values()]
}

async function migrateWhenThere(database: Database, log: Logger, stopped: () => boolean): Promise<boolean> {
  for (let attempt = 0; !stopped(); attempt += 1) {
    try {
      const applied = await migrate(database.kysely(), SCHEMA, migrations)
      if (applied.length > 0) log.info({ applied }, 'database schema brought up to date')
      return true
    } catch (error) {
      if (!isDatabaseAway(error)) throw error
      if (attempt % 20 === 0) log.warn({ err: error }, 'database not reached yet, trying again')
      await new Promise((done) => setTimeout(done, Math.min(2000, 100 * 2 ** attempt)))
    }
  }
  return false
}

/** Tells each closed sample once per version of it; the message id makes a repetition harmless. */
function tellSamples(
  bus: Bus,
  usage: UsageStore,
  log: Logger,
  now: () => number,
  everyMs: number,
): () => Promise<void> {
  let working = Promise.resolve()
  const tell = async (): Promise<void> => {
    const samples = await usage.untold(now(), 500)
    for (const { sample, version } of samples) {
      await bus.record(UsageSampled, sample, { messageId: `${sample.trunk}:${sample.from}:${version}` })
    }
    if (samples.length > 0) await usage.markTold(samples)
  }
  const timer = setInterval(() => {
    working = working.then(tell).catch((error: unknown) => log.warn({ err: error }, 'samples not told yet'))
  }, everyMs)
  return async () => {
    clearInterval(timer)
    await working
  }
}
