/** One JetStream reader: durable and acked, or ordered and replaying. Restarts itself until it is stopped. */

import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
  jetstream,
  jetstreamManager,
  ReplayPolicy,
} from '@nats-io/jetstream'
import { type NatsConnection, nanos } from '@nats-io/nats-core'
import type { FactContract } from '@tandem/contracts/contract.ts'
import { subjectPattern } from '@tandem/contracts/contract.ts'
import { streams } from '@tandem/contracts/streams.ts'
import type { Static, TSchema } from 'typebox'
import { heard } from './metrics.ts'
import type { Delivered } from './outcome.ts'
import { parseJson } from './parse-json.ts'
import { validator } from './validate.ts'

export interface ReaderOptions {
  readonly durable?: string
  readonly ordered?: boolean
  readonly sinceMs?: number
  /** With `ordered`: the stream keeps the bodies to itself. */
  readonly headersOnly?: boolean
  /** With `ordered`: reads what is there, says so and ends. */
  readonly toTheEnd?: () => void
  /** At most so many messages per batch (default 500). */
  readonly batch?: number
  /** Gather this long after the first message, ms (default 10). */
  readonly gatherMs?: number
  readonly ackWaitMs?: number
}

export type Trouble = (what: string, detail: string) => void

export function streamOf(contract: FactContract): string {
  const plan = streams.find((s) => s.facts.includes(contract))
  if (!plan) throw new Error(`${contract.subject} is in no stream`)
  return plan.name
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Reads facts: the usual `each` message. */
export function startConsumer<B extends TSchema>(
  nc: NatsConnection,
  contract: FactContract<B>,
  options: ReaderOptions,
  handler: (batch: readonly Delivered<Static<B>>[]) => Promise<void>,
  trouble: Trouble,
): () => Promise<void> {
  return startReader(nc, contract, options, (m) => delivered(m, contract), handler, trouble)
}

export function startReader<T>(
  nc: NatsConnection,
  contract: FactContract,
  options: ReaderOptions,
  each: (m: JsMsg) => T,
  handler: (batch: readonly T[]) => Promise<void>,
  trouble: Trouble,
): () => Promise<void> {
  const work = { subject: contract.subject, options, each, handler, trouble }
  let stopped = false
  let messages: ConsumerMessages | undefined
  const place: Place = {
    sequence: 0,
    ...(options.sinceMs === undefined ? {} : { since: new Date(Date.now() - options.sinceMs).toISOString() }),
  }
  const run = (async () => {
    while (!stopped && !nc.isClosed()) {
      try {
        const consumer = await open(nc, contract, options, place)
        const nothing = options.toTheEnd !== undefined && (await consumer.info(true)).num_pending === 0
        if (!nothing && !stopped)
          messages = await consumer.consume({ max_messages: (options.batch ?? 500) * (options.ordered ? 1 : 2) })
        if (stopped) break
        if (options.ordered && messages) endWithItsReader(messages)
        const ended = nothing || (messages && (await read(messages, work, place)))
        if (ended) {
          // the server would keep it for minutes more
          await consumer.delete().catch(() => false)
          options.toTheEnd?.()
          return
        }
      } catch (error) {
        if (!stopped && !nc.isClosed()) trouble('consumer restarts', `${contract.subject}: ${String(error)}`)
      }
      if (!stopped) await pause(250)
    }
  })()
  return async () => {
    stopped = true
    messages?.stop()
    await Promise.race([run, pause(2000)])
  }
}

/** How far has been read: the sequence in the stream; 0: not begun, with what was told `since` (RFC 3339) or all there is. */
type Place = { sequence: number; readonly since?: string }

/**
 * A reader that the server has lost is made anew here: the library would count what its lost one had not read yet as
 * asked for still, stand still after a few messages for half a minute (@nats-io/jetstream 3.4.0), and ask for a sequence
 * beside a start time, which the server refuses for ever.
 */
function endWithItsReader(messages: ConsumerMessages): void {
  const watch = async (): Promise<void> => {
    for await (const { type } of messages.status()) if (type === 'reset') messages.stop()
  }
  // it ends with the messages, and has nothing else to say
  watch().catch(() => {})
}

async function open(
  nc: NatsConnection,
  contract: FactContract,
  options: ReaderOptions,
  place: Place,
): Promise<Consumer> {
  const stream = streamOf(contract)
  const filter = subjectPattern(contract)
  const js = jetstream(nc)
  if (options.ordered) {
    const headers = options.headersOnly ? { headers_only: true } : {}
    return await js.consumers.get(stream, { filter_subjects: filter, ...headers, ...beginning(place) })
  }
  const durable = options.durable as string
  const jsm = await jetstreamManager(nc, { checkAPI: false })
  await jsm.consumers.add(stream, {
    durable_name: durable,
    filter_subject: filter,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    ack_wait: nanos(options.ackWaitMs ?? 30_000),
    max_ack_pending: 10_000,
    max_deliver: -1,
  })
  return await js.consumers.get(stream, durable)
}

function beginning({ sequence, since }: Place) {
  if (sequence > 0) return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: sequence + 1 }
  if (since === undefined) return { deliver_policy: DeliverPolicy.All }
  return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: since }
}

interface Work<T> {
  readonly subject: string
  readonly options: ReaderOptions
  readonly each: (m: JsMsg) => T
  readonly handler: (batch: readonly T[]) => Promise<void>
  readonly trouble: Trouble
}

/** True: the end was reached, for who reads to it. */
async function read<T>(messages: ConsumerMessages, work: Work<T>, place: Place): Promise<boolean> {
  const { options } = work
  const limit = options.batch ?? 500
  let gathered: JsMsg[] = []
  let timer: NodeJS.Timeout | undefined
  let working: Promise<void> = Promise.resolve()
  const flush = (): void => {
    if (timer) clearTimeout(timer)
    timer = undefined
    if (gathered.length === 0) return
    const batch = gathered
    gathered = []
    working = working.then(() => deliver(batch, work))
  }
  try {
    for await (const m of messages) {
      place.sequence = m.seq
      gathered.push(m)
      if (options.toTheEnd && m.info.pending === 0) return true
      if (gathered.length >= limit) {
        flush()
        await working
      } else timer ??= setTimeout(flush, options.gatherMs ?? 10)
    }
    return false
  } finally {
    flush()
    await working
  }
}

async function deliver<T>(
  batch: readonly JsMsg[],
  { subject, options, each, handler, trouble }: Work<T>,
): Promise<void> {
  try {
    await handler(batch.map(each))
    if (!options.ordered) for (const m of batch) m.ack()
  } catch (error) {
    trouble('batch failed', `${subject}: ${error instanceof Error ? error.message : String(error)}`)
    // later and later: 0.25 s, 0.5 s … 30 s
    if (!options.ordered) for (const m of batch) m.nak(Math.min(30_000, 125 * 2 ** Math.min(m.info.deliveryCount, 10)))
  }
}

function delivered<B extends TSchema>(m: JsMsg, contract: FactContract<B>): Delivered<Static<B>> {
  const common = {
    subject: m.subject,
    sequence: m.seq,
    deliveries: m.info.deliveryCount,
    traceparent: m.headers?.get('traceparent') || undefined,
  }
  const parsed = parseJson(m.data)
  if (parsed === undefined) {
    heard.inc({ subject: contract.subject, outcome: 'refused' })
    return { kind: 'poison', raw: m.data, why: 'not JSON', ...common }
  }
  const checked = validator(contract.body)(parsed)
  heard.inc({ subject: contract.subject, outcome: checked.ok ? 'heard' : 'refused' })
  return checked.ok
    ? { kind: 'fact', body: checked.value as Static<B>, ...common }
    : { kind: 'poison', raw: m.data, why: checked.why, ...common }
}
