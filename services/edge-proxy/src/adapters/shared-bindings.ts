/**
 * The bindings of all edges in the KV bucket `bindings`: what is bound here is written, what is bound elsewhere is heard.
 * No REGISTER and no call waits for it. Each key is written at the revision that was heard last, so that two edges which
 * the same phone has reached know of each other before one of them has the last word: the later REGISTER.
 *
 *   put, remove -> wanted -(5 ms)-> written at the known revision -> settled
 *                              `-- another one was quicker: the later binding stands, and is heard
 */
import type { Bucket, Entry } from '@tandem/bus/bucket.ts'
import type { Bus } from '@tandem/bus/bus.ts'
import { validator } from '@tandem/bus/validate.ts'
import { BINDINGS_BUCKET, HeldBinding } from '@tandem/contracts/held-binding.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { Clock, Timer } from '../edge.ts'

const check = validator(HeldBinding)
/** A phone that comes and goes at once is written once, ms. */
const GATHER_MS = 5
/** The bus does not take it: again after this, ms. */
const AGAIN_MS = 500
const IN_FLIGHT = 256

export interface SharedBindings {
  put(held: HeldBinding): void
  remove(bindingId: string): void
  /** Takes away what another edge left behind. True for one edge only. */
  claim(bindingId: string): Promise<boolean>
  close(): Promise<void>
}

export interface SharedBindingsParts {
  readonly bus: Pick<Bus, 'bucket' | 'connected'>
  readonly clock: Clock
  readonly log: Logger
  /** This life: its own words are no news. */
  readonly life: string
  readonly heard: (held: HeldBinding) => void
  readonly gone: (bindingId: string) => void
}

interface Key {
  /** 0: nothing is there, as far as is known. */
  revision: number
  wanted: HeldBinding | 'nothing' | undefined
  busy: boolean
}

export function createSharedBindings(parts: SharedBindingsParts): SharedBindings {
  const { bus, clock, log } = parts
  const keys = new Map<string, Key>()
  const dirty = new Set<string>()
  let opened: Bucket | undefined
  let stopWatching: (() => Promise<void>) | undefined
  let timer: Timer | undefined
  let opening: Timer | undefined
  let flights = 0
  let closed = false

  const keyOf = (id: string): Key => {
    const known = keys.get(id)
    if (known) return known
    const fresh: Key = { revision: 0, wanted: undefined, busy: false }
    keys.set(id, fresh)
    return fresh
  }
  const later = (ms: number) => {
    if (closed) return
    timer ??= clock.setTimer(ms, () => {
      timer = undefined
      flush()
    })
  }
  const want = (id: string, wanted: Key['wanted']) => {
    keyOf(id).wanted = wanted
    dirty.add(id)
    later(GATHER_MS)
  }

  const flush = () => {
    if (!bus.connected || !opened) {
      if (dirty.size > 0) later(AGAIN_MS)
      return
    }
    for (const id of dirty) {
      if (flights >= IN_FLIGHT) return later(GATHER_MS)
      const key = keyOf(id)
      if (key.busy) continue
      dirty.delete(id)
      void write(opened, id, key)
    }
  }

  const write = async (bucket: Bucket, id: string, key: Key): Promise<void> => {
    const { wanted } = key
    if (wanted === undefined) return
    key.busy = true
    flights++
    try {
      const done = wanted === 'nothing' ? await take(bucket, id, key) : await put(bucket, id, key, wanted)
      if (done && key.wanted === wanted) key.wanted = undefined
      else dirty.add(id)
    } catch (error) {
      log.debug({ binding: id, why: String(error) }, 'a binding could not be written for the other edges yet')
      dirty.add(id)
    } finally {
      key.busy = false
      flights--
      if (key.revision === 0 && key.wanted === undefined) keys.delete(id)
      if (dirty.size > 0) later(key.wanted === undefined ? GATHER_MS : AGAIN_MS)
    }
  }

  const put = async (bucket: Bucket, id: string, key: Key, held: HeldBinding): Promise<boolean> => {
    const revision = await bucket.update(id, JSON.stringify(held), key.revision)
    if (revision !== undefined) {
      key.revision = Math.max(key.revision, revision)
      return true
    }
    await look(bucket, id, key)
    return false
  }

  const take = async (bucket: Bucket, id: string, key: Key): Promise<boolean> => {
    if (key.revision === 0 || (await bucket.removeAt(id, key.revision))) {
      key.revision = 0
      return true
    }
    await look(bucket, id, key)
    return false
  }

  /** Somebody else has written: what is there now, and whether it stands. */
  const look = async (bucket: Bucket, id: string, key: Key): Promise<void> => {
    const entry = await bucket.get(id)
    if (entry || !key.busy) hear(id, entry)
    else key.revision = 0
  }

  const hear = (id: string, entry: Entry | undefined): void => {
    const key = keyOf(id)
    if (entry === undefined) {
      key.revision = 0
      // what is bound here is written anew
      if (key.wanted !== undefined || key.busy) return
      keys.delete(id)
      parts.gone(id)
      return
    }
    if (entry.revision <= key.revision) return
    key.revision = entry.revision
    const held = read(entry)
    if (held === undefined || held.owner.life === parts.life) return
    const { wanted } = key
    // the same phone was here later; what was to be taken away here has been bound anew there
    if (wanted !== undefined && wanted !== 'nothing' && wanted.boundAt >= held.boundAt) return
    key.wanted = undefined
    dirty.delete(id)
    parts.heard(held)
  }

  const read = (entry: Entry): HeldBinding | undefined => {
    try {
      const checked = check(JSON.parse(Buffer.from(entry.value).toString()))
      if (checked.ok && checked.value.bindingId === entry.key) return checked.value
    } catch {
      // told below
    }
    log.error({ binding: entry.key }, 'the binding of another edge cannot be read')
    return undefined
  }

  const open = async (): Promise<void> => {
    opening = undefined
    if (closed) return
    try {
      if (!bus.connected) throw new Error('not connected')
      opened = await bus.bucket(BINDINGS_BUCKET)
      if (closed) return
      stopWatching = opened.watchAll('>', hear)
      flush()
    } catch (error) {
      log.debug({ why: String(error) }, 'the bindings of other edges cannot be heard yet')
      opening = clock.setTimer(AGAIN_MS, () => void open())
    }
  }
  void open()

  return {
    put: (held) => want(held.bindingId, held),
    remove: (id) => {
      // never heard nor written: there is nothing to take away
      if (keys.has(id)) want(id, 'nothing')
    },
    async claim(id) {
      const key = keys.get(id)
      if (!opened || !key || key.revision === 0 || key.wanted !== undefined || key.busy) return false
      key.busy = true
      const won = await opened.removeAt(id, key.revision).catch(() => false)
      key.busy = false
      if (won) keys.delete(id)
      else await look(opened, id, key).catch(() => {})
      return won
    },
    async close() {
      closed = true
      if (timer) clock.clearTimer(timer)
      if (opening) clock.clearTimer(opening)
      await stopWatching?.()
    },
  }
}
