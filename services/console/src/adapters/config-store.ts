/**
 * Configuration revisions in KV `config`: `current`, each under `revision.N`, and who, when and why under `note.N`. Only
 * console writes here. A large one is read by a process of its own, beside the page and the API.
 */
import type { Bucket, Entry, Standing } from '@tandem/bus/bucket.ts'
import type { Bus } from '@tandem/bus/bus.ts'
import { isLarge } from '@tandem/config/aside.ts'
import { readRevisionAside } from '@tandem/config/read-aside.ts'
import {
  CONFIG_BUCKET,
  CONFIG_KEY,
  CONFIG_PROPOSED_KEY,
  parseRevision,
  type ReadRevision,
} from '@tandem/config/revision.ts'
import { ConfigApplied } from '@tandem/contracts/config.ts'
import type { RevisionNote } from '../domain/proposal.ts'
import { type Objection, patienceMs, prepare, rollCall, type Settled, settle } from './config-rollout.ts'

export type ApplyOutcome =
  | { kind: 'applied'; settled: Settled }
  /** Somebody else was faster, or is at it. */
  | { kind: 'raced' }
  /** A service cannot take it over: nothing was changed anywhere. */
  | { kind: 'refused'; objections: readonly Objection[] }

type Running = Extract<ReadRevision, { kind: 'ok' }>

export interface ConfigStore {
  /** Of a large one without the text of its files. */
  current(): Running | undefined
  /** Is the revision in force too large to be looked at beside requests? */
  readonly large: boolean
  /** The number of the revision that comes after the one in force. */
  next(): number
  /** As it was written: the one in force, or an earlier one. */
  bytes(revision?: number): Promise<Uint8Array | undefined>
  /** Newest first, below revision `before` when given. */
  list(limit: number, before?: number): Promise<RevisionNote[]>
  /** Makes it the running one everywhere, or nowhere. `bytes` say what `note` says. */
  apply(note: RevisionNote, bytes: Uint8Array, rollbackOf?: number): Promise<ApplyOutcome>
}

/** A proposal that is older than `prepare` may take, and this, was left behind by a console that died, ms. */
const staleMs = 5_000
/** Revisions with large rate decks or inventories are kept for this many changes; small ones for ever. */
const largeRevisions = 20
const keyOf = (revision: number) => `revision.${revision}`
const noteKeyOf = (revision: number) => `note.${revision}`
const read = (bytes: Uint8Array, urgent = false) => readRevisionAside(bytes, { source: true, urgent })

export async function openConfigStore(bus: Bus, onChange: (revision: number) => void): Promise<ConfigStore> {
  const bucket: Bucket = await bus.bucket(CONFIG_BUCKET)
  let current: Running | undefined
  let large = false
  let kvRevision = 0
  const take = (read: Running, bytes: Uint8Array, revision: number): void => {
    if (revision <= kvRevision) return
    current = read
    large = isLarge(bytes)
    kvRevision = revision
    onChange(read.revision.revision)
  }
  const takeIn = async (there: Standing | undefined): Promise<void> => {
    if (there === undefined || there.revision <= kvRevision) return
    const bytes = await there.packed()
    const changed = await read(bytes, current === undefined)
    if (changed.kind === 'ok') take(changed, bytes, there.revision)
  }
  await takeIn(await bucket.standing(CONFIG_KEY))
  // A console that died between the commit and the note of it.
  const noted = current === undefined ? undefined : keyOf((current as Running).revision.revision)
  if (noted !== undefined && (await bucket.standing(noted)) === undefined) {
    const present = await bucket.get(CONFIG_KEY)
    if (present !== undefined) await bucket.update(noted, present.value, 0)
  }
  // one after the other: what came last is what stays
  let taking: Promise<void> = Promise.resolve()
  bucket.watchStanding(CONFIG_KEY, (there) => {
    taking = taking.then(() => takeIn(there)).catch(() => {})
  })
  const bytes = async (revision?: number): Promise<Uint8Array | undefined> => {
    // what was too large to be kept for ever is gone
    const entry = await bucket.get(revision === undefined ? CONFIG_KEY : keyOf(revision)).catch(() => undefined)
    return entry?.value
  }
  const noteOf = async (revision: number): Promise<RevisionNote[]> => {
    const kept = await bucket.get(noteKeyOf(revision))
    if (kept !== undefined) return [JSON.parse(Buffer.from(kept.value).toString('utf8')) as RevisionNote]
    // written before there were notes
    const text = await bytes(revision)
    const parsed = text && parseRevision(text)
    if (parsed?.kind !== 'revision') return []
    const { by, at, why } = parsed.revision
    return [{ revision, by, at, why }]
  }
  const list = async (limit: number, before = Number.POSITIVE_INFINITY): Promise<RevisionNote[]> => {
    const keys = await bucket.keys('revision.*')
    const numbers = keys.map((key) => Number(key.slice('revision.'.length))).filter((n) => n < before)
    const newest = numbers.sort((a, b) => b - a).slice(0, limit)
    return (await Promise.all(newest.map(noteOf))).flat()
  }
  const commit = async (bytes: Uint8Array, note: RevisionNote, made: Running): Promise<boolean> => {
    const written = await bucket.update(CONFIG_KEY, bytes, kvRevision)
    if (written === undefined) return false
    take(made, bytes, written)
    await bucket.put(noteKeyOf(note.revision), JSON.stringify(note))
    await bucket.put(keyOf(note.revision), bytes)
    const last = Array.from({ length: largeRevisions }, (_, i) => keyOf(note.revision - i))
    await bucket.sweep([CONFIG_KEY, CONFIG_PROPOSED_KEY, ...last])
    return true
  }
  const next = () => (current?.revision.revision ?? 0) + 1
  return {
    current: () => current,
    get large() {
      return large
    },
    next,
    bytes,
    list,
    apply: async (note, bytes, rollbackOf) => {
      const { revision, by, why, at } = note
      if (revision !== next()) return { kind: 'raced' }
      const entry = await propose(bucket, bytes)
      if (entry === undefined) return { kind: 'raced' }
      try {
        // read here while the others read it
        const reading = Promise.resolve(read(bytes))
        const followers = await rollCall(bus)
        const objections = await prepare(bus, followers, { revision, entry }, patienceMs(bytes.length))
        if (objections.length > 0) return { kind: 'refused', objections }
        const made = await reading
        if (made.kind === 'bad') return { kind: 'refused', objections: [{ ...here, why: made.message }] }
        if (!(await commit(bytes, note, made))) return { kind: 'raced' }
        const more = rollbackOf === undefined ? {} : { rollbackOf }
        bus.tell(ConfigApplied, { revision, by: by.slice(0, 128), at, why: why.slice(0, 1024), ...more })
        return { kind: 'applied', settled: await settle(bus, followers, revision) }
      } finally {
        await bucket.remove(CONFIG_PROPOSED_KEY)
      }
    },
  }
}

const here = { service: 'console', instance: 'this one' }

/** The proposal is the lock too: one change at a time. The revision of its entry; undefined: another one is under way. */
async function propose(bucket: Bucket, bytes: Uint8Array): Promise<number | undefined> {
  const there = await bucket.get(CONFIG_PROPOSED_KEY)
  if (there === undefined) return await bucket.update(CONFIG_PROPOSED_KEY, bytes, 0)
  const age = Date.now() - proposedAt(there)
  return age < patienceMs(there.value.length) + staleMs
    ? undefined
    : await bucket.update(CONFIG_PROPOSED_KEY, bytes, there.revision)
}

/** Epoch ms. Of a large one, which took its time to be looked at before, when it was written. */
function proposedAt({ value, at }: Entry): number {
  if (isLarge(value)) return at
  const parsed = parseRevision(value)
  return parsed.kind === 'revision' ? Date.parse(parsed.revision.at) : Number.NEGATIVE_INFINITY
}
