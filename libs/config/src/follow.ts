/**
 * How a service follows the configuration. A change comes in two steps (ADR 80): what is proposed is read beforehand, when
 * console asks for it, and taken over at once when the key `current` says so. Whoever was away then reads it as it comes.
 */
import { randomUUID } from 'node:crypto'
import type { Bucket, Standing } from '@tandem/bus/bucket.ts'
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import { ListConfigFollowers, PrepareConfiguration } from '@tandem/contracts/config.ts'
import { CONFIG_BUCKET, CONFIG_KEY, CONFIG_PROPOSED_KEY } from './revision.ts'

/** A service that has just started reads a proposal as soon as it has the bucket, at most so late, ms. */
const bucketWithinMs = 5_000
/** Pause before the bucket is asked for again while console has not made it yet, ms. */
const retryMs = 250

export type Made<T> = { readonly kind: 'made'; readonly value: T } | { readonly kind: 'bad'; readonly why: string }

export interface FollowOptions<T> {
  /**
   * Makes what the service needs of the bytes of a revision, which are packed when it is large (`isLarge` of aside.ts); what
   * costs time is done here. `urgent`: the service has none yet, and does nothing without. Never throws.
   */
  readonly make: (bytes: Uint8Array, urgent: boolean) => Made<T> | Promise<Made<T>>
  /** Takes it over. */
  readonly use: (made: T, bytes: Uint8Array) => void
  /** A revision that stands in the bucket cannot be used: the one before stays in force. */
  readonly refused: (why: string) => void
  /** The revision in force. */
  readonly revision: () => number | undefined
  /** Instead of a random one: one subject token. */
  readonly instance?: string
  /** Told of what is prepared, before it is in force; undefined: it came to nothing. */
  readonly prepared?: (made: T | undefined) => void
}

interface Prepared<T> {
  readonly stands: Uint8Array
  readonly bytes: Uint8Array
  readonly value: T
}

/** Returns at once; waits for the bucket by itself. */
export function followRevisions<T>(bus: Bus, options: FollowOptions<T>): Stop {
  const instance = options.instance ?? randomUUID().slice(0, 8)
  const self = () => {
    const revision = options.revision()
    return { service: bus.service, instance, ...(revision === undefined ? {} : { revision }) }
  }
  let bucket: Bucket | undefined
  let prepared: Prepared<T> | undefined
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  const stops: Stop[] = []

  const prepare = async (entryRevision: number): Promise<string | undefined> => {
    for (let waited = 0; bucket === undefined && waited < bucketWithinMs; waited += retryMs)
      await new Promise((done) => setTimeout(done, retryMs))
    const there = await bucket?.standing(CONFIG_PROPOSED_KEY)
    if (there?.revision !== entryRevision) return 'the proposal is not there any more'
    const bytes = await there.packed()
    const made = await options.make(bytes, options.revision() === undefined)
    if (made.kind === 'bad') return made.why
    prepared = { stands: there.stands, bytes, value: made.value }
    options.prepared?.(made.value)
    return undefined
  }

  const take = async (there: Standing): Promise<void> => {
    const ready = prepared
    // not fetched again: all services would unpack it in the same moment
    if (ready !== undefined && Buffer.compare(ready.stands, there.stands) === 0) options.use(ready.value, ready.bytes)
    else {
      const bytes = await there.packed()
      const made = await options.make(bytes, options.revision() === undefined)
      if (made.kind === 'made') options.use(made.value, bytes)
      else options.refused(made.why)
    }
    prepared = undefined
    options.prepared?.(undefined)
  }

  // one after the other: what stands in the bucket last is in force last
  let taking: Promise<void> = Promise.resolve()
  const enqueue = (there: Standing): void => {
    taking = taking
      .then(() => (stopped ? undefined : take(there)))
      .catch((error: unknown) => options.refused(`it could not be taken over: ${String(error)}`))
  }

  const open = async (): Promise<void> => {
    try {
      bucket = await bus.bucket(CONFIG_BUCKET)
      if (stopped) return
      stops.push(bucket.watchStanding(CONFIG_KEY, (there) => there && enqueue(there)))
    } catch {
      if (!stopped) timer = setTimeout(() => void open(), retryMs)
    }
  }
  stops.push(
    bus.answer(ListConfigFollowers, () => self(), { everyReplica: true }),
    bus.answer(
      PrepareConfiguration,
      async ({ entry }) => {
        const refused = await prepare(entry)
        return { ...self(), ...(refused === undefined ? {} : { refused: refused.slice(0, 1024) }) }
      },
      { everyReplica: true },
    ),
  )
  const opening = open()
  return async () => {
    stopped = true
    clearTimeout(timer)
    await opening
    await taking
    await Promise.allSettled(stops.map((stop) => stop()))
  }
}
