/** Configuration revisions in KV `config`: `current`, and each under `revision.N`. Only console writes here. */

import type { Bucket } from '@tandem/bus/bucket.ts'
import type { Bus } from '@tandem/bus/bus.ts'
import {
  CONFIG_BUCKET,
  CONFIG_KEY,
  CONFIG_PROPOSED_KEY,
  parseRevision,
  type ReadRevision,
  type Revision,
  readRevision,
  writeRevision,
} from '@tandem/config/revision.ts'
import { ConfigApplied } from '@tandem/contracts/config.ts'
import { type Objection, patienceMs, prepare, rollCall, type Settled, settle } from './config-rollout.ts'

/** Who, when and why, without the text. */
export type RevisionNote = Pick<Revision, 'revision' | 'by' | 'at' | 'why'>
export type ApplyOutcome =
  | { kind: 'applied'; revision: Revision; settled: Settled }
  /** Somebody else was faster, or is at it. */
  | { kind: 'raced' }
  /** A service cannot take it over: nothing was changed anywhere. */
  | { kind: 'refused'; objections: readonly Objection[] }

export interface ConfigStore {
  current(): Extract<ReadRevision, { kind: 'ok' }> | undefined
  get(revision: number): Promise<Revision | undefined>
  /** Newest first, below revision `before` when given. */
  list(limit: number, before?: number): Promise<RevisionNote[]>
  /** Makes it the running one everywhere, or nowhere. */
  apply(change: Omit<Revision, 'revision' | 'at'>, rollbackOf?: number): Promise<ApplyOutcome>
}

/** A proposal that is older than `prepare` may take, and this, was left behind by a console that died, ms. */
const staleMs = 5_000
/** Revisions with large rate decks or inventories are kept for this many changes; small ones for ever. */
const largeRevisions = 20
const keyOf = (revision: number) => `revision.${revision}`

export async function openConfigStore(bus: Bus, onChange: (revision: number) => void): Promise<ConfigStore> {
  const bucket: Bucket = await bus.bucket(CONFIG_BUCKET)
  let current: Extract<ReadRevision, { kind: 'ok' }> | undefined
  let kvRevision = 0
  const take = (value: Uint8Array, revision: number): void => {
    const read = readRevision(value)
    if (read.kind !== 'ok') return
    current = read
    kvRevision = revision
    onChange(read.revision.revision)
  }
  const present = await bucket.get(CONFIG_KEY)
  if (present) {
    take(present.value, present.revision)
    // A console that died between the commit and the note of it.
    const parsed = parseRevision(present.value)
    if (parsed.kind === 'revision') await bucket.update(keyOf(parsed.revision.revision), present.value, 0)
  }
  bucket.watch(CONFIG_KEY, (e) => {
    if (e && e.revision > kvRevision) take(e.value, e.revision)
  })
  const get = async (revision: number): Promise<Revision | undefined> => {
    // what was too large to be kept for ever is gone
    const entry = await bucket.get(keyOf(revision)).catch(() => undefined)
    const parsed = entry && parseRevision(entry.value)
    return parsed?.kind === 'revision' ? parsed.revision : undefined
  }
  const list = async (limit: number, before = Number.POSITIVE_INFINITY): Promise<RevisionNote[]> => {
    const keys = await bucket.keys('revision.*')
    const numbers = keys.map((key) => Number(key.slice('revision.'.length))).filter((n) => n < before)
    const newest = numbers.sort((a, b) => b - a).slice(0, limit)
    const found = await Promise.all(newest.map(get))
    return found.flatMap((r) => (r ? [{ revision: r.revision, by: r.by, at: r.at, why: r.why }] : []))
  }
  const commit = async (bytes: Uint8Array, revision: Revision): Promise<boolean> => {
    const written = await bucket.update(CONFIG_KEY, bytes, kvRevision)
    if (written === undefined) return false
    take(bytes, written)
    await bucket.put(keyOf(revision.revision), bytes)
    const last = Array.from({ length: largeRevisions }, (_, i) => keyOf(revision.revision - i))
    await bucket.sweep([CONFIG_KEY, CONFIG_PROPOSED_KEY, ...last])
    return true
  }
  return {
    current: () => current,
    get,
    list,
    apply: async (change, rollbackOf) => {
      const at = new Date().toISOString()
      const revision: Revision = { ...change, revision: (current?.revision.revision ?? 0) + 1, at }
      const bytes = writeRevision(revision)
      const entry = await propose(bucket, bytes)
      if (entry === undefined) return { kind: 'raced' }
      try {
        const followers = await rollCall(bus)
        const objections = await prepare(
          bus,
          followers,
          { revision: revision.revision, entry },
          patienceMs(bytes.length),
        )
        if (objections.length > 0) return { kind: 'refused', objections }
        if (!(await commit(bytes, revision))) return { kind: 'raced' }
        const more = rollbackOf === undefined ? {} : { rollbackOf }
        const { by, why } = revision
        bus.tell(ConfigApplied, {
          revision: revision.revision,
          by: by.slice(0, 128),
          at,
          why: why.slice(0, 1024),
          ...more,
        })
        return { kind: 'applied', revision, settled: await settle(bus, followers, revision.revision) }
      } finally {
        await bucket.remove(CONFIG_PROPOSED_KEY)
      }
    },
  }
}

/** The proposal is the lock too: one change at a time. The revision of its entry; undefined: another one is under way. */
async function propose(bucket: Bucket, bytes: Uint8Array): Promise<number | undefined> {
  const there = await bucket.get(CONFIG_PROPOSED_KEY)
  if (there === undefined) return await bucket.update(CONFIG_PROPOSED_KEY, bytes, 0)
  const parsed = parseRevision(there.value)
  const age = parsed.kind === 'revision' ? Date.now() - Date.parse(parsed.revision.at) : Number.POSITIVE_INFINITY
  return age < patienceMs(there.value.length) + staleMs
    ? undefined
    : await bucket.update(CONFIG_PROPOSED_KEY, bytes, there.revision)
}
