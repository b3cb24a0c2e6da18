/**
 * Goes on with the calls of an edge that was lost (edge.md): exactly one edge wins each record, by its revision. Calls are
 * looked for when a lease has run out, and when a request comes in for a dialog that nobody here knows.
 */
import type { KeyObject } from 'node:crypto'
import type { Bucket, Entry } from '@tandem/bus/bucket.ts'
import { validator } from '@tandem/bus/validate.ts'
import { HeldCall, type HeldLeg } from '@tandem/contracts/held-call.ts'
import { callId, fromTag, toTag } from '@tandem/sip/message/read.ts'
import { parseUri } from '@tandem/sip/message/uri.ts'
import type { ServerTransaction } from '@tandem/sip/transaction/server-transaction.ts'
import type { CallStore } from './adapters/call-store.ts'
import { type EdgeLease, LEASE_MS } from './adapters/edge-lease.ts'
import { AdoptedCall } from './domain/adopted-call.ts'
import { legKey } from './domain/call-leg.ts'
import type { CallParts, LiveCall } from './domain/call-parts.ts'
import { lostWire } from './domain/dialog-record.ts'
import { openKeys } from './domain/sealed-keys.ts'
import type { Wire } from './edge.ts'

const check = validator(HeldCall)
/** Records taken over at once. */
const AT_ONCE = 64
/** A search that failed is tried again after this, ms. */
const AGAIN_MS = 1000
/** A request waits so long for the lease of the edge that had its call, ms. */
const WAIT_MS = LEASE_MS + 1500
const LOOK_MS = 250
/** Whose a call is, and its ports, are known within milliseconds; looked at this often, ms. */
const SOON_MS = 20

export interface AdoptionParts {
  readonly parts: CallParts
  readonly calls: Map<string, LiveCall>
  readonly store: CallStore
  readonly lease: () => EdgeLease
  readonly owner: NonNullable<HeldCall['owner']>
  /** The call of a Contact of ours; undefined: nobody of this cluster wrote it. */
  readonly readKey: (user: string) => string | undefined
  readonly ours: (callId: string) => boolean
  /** Opens the keys of media in a record. */
  readonly opening: () => KeyObject
}

export interface Adoption {
  /** Somebody is gone: his calls are looked for. */
  search(): void
  /** A request for a dialog that is not known here. False: it is none of this cluster's calls. */
  load(transaction: ServerTransaction): boolean
  /** A request for a call of which this edge does not know whether another one has taken it. */
  wait(callId: string, transaction: ServerTransaction): void
  close(): void
}

export function createAdoption(given: AdoptionParts): Adoption {
  const { parts, calls, store, owner } = given
  const { edge } = parts
  let searching = false
  let wanted = false
  let closed = false
  /** Requests that wait for their call, by its id. */
  const waiting = new Map<string, Set<ServerTransaction>>()
  /** Calls taken over whose audio is not described anew yet. */
  const preparing = new Set<string>()

  const search = () => {
    wanted = true
    if (!searching) void run()
  }

  const run = async (): Promise<void> => {
    searching = true
    while (wanted && !closed) {
      wanted = false
      try {
        await sweep(await store.bucket())
      } catch (error) {
        edge.log.debug({ why: String(error) }, 'calls without an edge could not be looked for yet')
        if (closed) break
        await pause(AGAIN_MS)
        wanted = true
      }
    }
    searching = false
  }

  const sweep = async (bucket: Bucket): Promise<void> => {
    const began = edge.clock.now()
    let taken = 0
    const left: Entry[] = []
    // first all, then the claims: each claim moves its record to the end of what is being read
    for await (const entry of bucket.list()) {
      const held = read(entry)
      if (held && !calls.has(held.callId) && given.lease().gone(held.owner)) left.push(entry)
    }
    const working = new Set<Promise<void>>()
    for (const entry of left) {
      const work = adopt(bucket, entry).then(
        (call) => {
          if (call) taken++
        },
        (error: unknown) => {
          edge.log.warn({ call: entry.key, why: String(error) }, 'a call could not be taken over yet')
          edge.clock.setTimer(AGAIN_MS, search)
        },
      )
      working.add(work)
      void work.then(() => working.delete(work))
      if (working.size >= AT_ONCE) await Promise.race(working)
    }
    await Promise.all(working)
    if (taken > 0) edge.log.warn({ calls: taken, ms: Math.round(edge.clock.now() - began) }, 'calls taken over')
  }

  /** Undefined: it has an edge, or another one was quicker. */
  const adopt = async (bucket: Bucket, entry: Entry): Promise<AdoptedCall | undefined> => {
    const held = read(entry)
    if (held === undefined || closed || calls.has(held.callId) || !given.lease().gone(held.owner)) return undefined
    const claimed: HeldCall = { ...held, owner, takeovers: held.takeovers + 1 }
    const revision = await bucket.update(held.callId, JSON.stringify(claimed), entry.revision)
    if (revision === undefined) return undefined
    store.taken(held.callId, revision)
    const wires = await Promise.all(held.legs.map((leg) => wireOf(leg)))
    const call = new AdoptedCall(parts, openKeys(claimed, given.opening()), wires, {
      edge: held.owner?.edge ?? '',
      heardMs: heard(held),
    })
    calls.set(call.id, call)
    preparing.add(call.id)
    call.begin(() => {
      preparing.delete(call.id)
      for (const transaction of waiting.get(call.id) ?? []) answer(call.id, transaction)
    })
    return call
  }

  /** Until then its edge was heard, and the call was there. */
  const heard = (held: HeldCall): number => given.lease().heard(held.owner) ?? Number.NEGATIVE_INFINITY

  const wireOf = async (leg: HeldLeg): Promise<Wire> => {
    const { listener, transport, address, port } = leg.wire
    // the connection of a phone cannot be opened from here
    if (transport === 'UDP' || leg.party.kind === 'trunk') {
      const wire = await edge.wires.to(listener, transport, address, port).catch(() => undefined)
      if (wire) return wire
    }
    return lostWire(leg.wire, await ownEnd(listener, transport))
  }

  /** What our Contact says while there is no connection. */
  const ownEnd = async (listener: string, transport: Wire['transport']) => {
    const { address, port } = edge.config().edge.listen[listener] ?? { address: '0.0.0.0', port: 0 }
    const shown = address.includes(':') ? `[${address}]` : address
    return { localAddress: shown, localPort: port, sentBy: `${shown}:${port}`, transport }
  }

  const read = (entry: Entry): HeldCall | undefined => {
    try {
      const checked = check(JSON.parse(Buffer.from(entry.value).toString()))
      if (checked.ok) return checked.value
    } catch {
      // told below
    }
    edge.log.error({ call: entry.key }, 'the record of a call cannot be read')
    return undefined
  }

  const load = (transaction: ServerTransaction): boolean => {
    const { request } = transaction
    const id = given.readKey(parseUri(request.uri)?.user ?? '')
    if (id === undefined) return false
    wait(id, transaction)
    return true
  }

  const wait = (id: string, transaction: ServerTransaction): void => {
    const beside = waiting.get(id) ?? new Set()
    waiting.set(id, beside.add(transaction))
    loaded(id, transaction)
      .catch((error: unknown) => {
        edge.log.warn({ call: id, why: String(error) }, 'the call of a request could not be loaded')
        // the dialog may well stand: RFC 3261 21.5.1, not a 481
        if (!transaction.answered) transaction.reply(500, { headers: [['Retry-After', '1']] })
      })
      .finally(() => forget(id, transaction))
  }

  /** False: it does not wait any more. */
  const forget = (id: string, transaction: ServerTransaction): boolean => {
    const beside = waiting.get(id)
    const waited = beside?.delete(transaction) ?? false
    if (beside?.size === 0) waiting.delete(id)
    return waited
  }

  const answer = (id: string, transaction: ServerTransaction): void => {
    if (forget(id, transaction) && !deliver(transaction)) transaction.reply(481)
  }

  const loaded = async (id: string, transaction: ServerTransaction): Promise<void> => {
    const { request } = transaction
    const bucket = await store.bucket()
    const until = edge.clock.now() + WAIT_MS
    for (;;) {
      while (!given.ours(id) || preparing.has(id)) await pause(SOON_MS)
      // it was answered when its call was taken over
      if (waiting.get(id)?.has(transaction) !== true) return
      if (deliver(transaction)) return
      const entry = await bucket.get(id)
      const held = entry && read(entry)
      if (entry === undefined || held === undefined || !isOf(held, request)) return void transaction.reply(481)
      if (given.lease().gone(held.owner)) await adopt(bucket, entry)
      else if (held.owner?.life === owner.life) return void transaction.reply(481)
      else if (edge.clock.now() > until || closed) throw new Error(`edge ${held.owner?.edge} has it`)
      else await pause(LOOK_MS)
    }
  }

  const deliver = (transaction: ServerTransaction): boolean => {
    const { request } = transaction
    const entry = parts.dialogs.get(legKey(callId(request), toTag(request) ?? ''))
    if (entry === undefined) return false
    entry.owner.onRequest(entry.leg, transaction)
    return true
  }

  const pause = (ms: number) => new Promise<void>((done) => void edge.clock.setTimer(ms, done))

  return {
    search,
    load,
    wait,
    close() {
      closed = true
    },
  }
}

/** RFC 3261 12: a dialog is Call-ID and both tags. */
function isOf(held: HeldCall, request: ServerTransaction['request']): boolean {
  return held.legs.some(
    ({ dialog }) =>
      dialog.callId === callId(request) &&
      dialog.localTag === toTag(request) &&
      dialog.remoteTag === (fromTag(request) ?? ''),
  )
}
