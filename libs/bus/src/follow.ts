/**
 * Facts for state in memory: heard as they are told, and read from their stream where hearing has a gap.
 *
 *   from the start   heard ────────────────────────────────────────▶
 *                    read (the last `sinceMs`) ─┤ caught up            JetStream has no more work with it
 *   disconnected     ·······│ back: read what the gap may hold ─┤
 *                    once more, a second later: what was on its way into the stream when hearing began
 *
 * A consumer that goes on for ever costs the server the loading, filtering and sending of every fact for each reader.
 */
import type { NatsConnection } from '@nats-io/nats-core'
import type { FactContract } from '@tandem/contracts/contract.ts'
import type { Static, TSchema } from 'typebox'
import { startConsumer, type Trouble } from './consumer.ts'

/** The clocks of hosts differ, and a connection is dead for a while before that is known (two pings), ms. */
const GAP_MARGIN_MS = 30_000

/** A stream stores a fact after it was sent to who heard it, within this time, ms. */
const STORING_MS = 1000

export interface Followed<B extends TSchema> {
  readonly contract: FactContract<B>
  readonly sinceMs: number
  readonly handler: (body: Static<B>) => void
  readonly hear: () => () => Promise<void>
  /** Calls back whenever the connection goes or comes; gives the end of that. */
  readonly watchConnection: (changed: (connected: boolean) => void) => () => void
  readonly trouble: Trouble
}

export function follow<B extends TSchema>(nc: NatsConnection, parts: Followed<B>): () => Promise<void> {
  const { contract, handler } = parts
  const stopHearing = parts.hear()
  const reading = new Set<() => Promise<void>>()
  let awaySince: number | undefined

  const reader = (sinceMs: number, ended: () => void): void => {
    const stop = startConsumer(
      nc,
      contract,
      {
        ...{ ordered: true, sinceMs },
        toTheEnd: () => {
          reading.delete(stop)
          ended()
        },
      },
      async (batch) => {
        for (const d of batch) if (d.kind === 'fact') handler(d.body)
      },
      parts.trouble,
    )
    reading.add(stop)
  }
  const read = (sinceMs: number): void => {
    const began = Date.now()
    reader(sinceMs, () => {
      const again = setTimeout(() => {
        reading.delete(forget)
        reader(Date.now() - began + STORING_MS, () => {})
      }, STORING_MS)
      const forget = async (): Promise<void> => clearTimeout(again)
      reading.add(forget)
    })
  }
  read(parts.sinceMs)
  const unwatch = parts.watchConnection((connected) => {
    if (!connected) awaySince ??= Date.now()
    else if (awaySince !== undefined) {
      read(Math.min(parts.sinceMs, Date.now() - awaySince + GAP_MARGIN_MS))
      awaySince = undefined
    }
  })
  return async () => {
    unwatch()
    await Promise.all([stopHearing(), ...[...reading].map((stop) => stop())])
  }
}
