/** A KV bucket: consistent, watched. A value may be larger than a message (large-value.ts). */
import { JetStreamApiError, type JetStreamManager, jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/nats-core'
import { join, joinPacked, PART_PREFIX, type PartStore, partsOf, split } from './large-value.ts'

export interface Entry {
  readonly key: string
  readonly value: Uint8Array
  readonly revision: number
  /** When it was written, by the server's wall clock, ms. */
  readonly at: number
}

/** A value that may be large, before it is fetched. */
export interface Standing {
  /** What stands under the key itself: two values are the same when this is. */
  readonly stands: Uint8Array
  readonly revision: number
  /** The value; one that is larger than a message as it was packed (gzip), so that a process of its own may unpack it. */
  packed(): Promise<Uint8Array>
}

export interface Bucket {
  get(key: string): Promise<Entry | undefined>
  standing(key: string): Promise<Standing | undefined>
  /** Writes whatever is there; the new revision. */
  put(key: string, value: Uint8Array | string): Promise<number>
  /** Writes only if the key is still at this revision (0: does not exist); undefined when it is not. */
  update(key: string, value: Uint8Array | string, revision: number): Promise<number | undefined>
  remove(key: string): Promise<void>
  /** The same only if the key is still at this revision; false when it is not. */
  removeAt(key: string, revision: number): Promise<boolean>
  /** Takes away the parts of large values that none of these keys names any more. */
  sweep(keep: readonly string[]): Promise<void>
  /**
   * Takes away the value of this very revision and leaves no marker behind: for keys that never come again. False: it
   * has been written anew meanwhile, or is gone.
   */
  drop(revision: number): Promise<boolean>
  keys(filter?: string): Promise<string[]>
  /** Every value that is there now; with `values: false` their keys and times only. */
  list(options?: { values?: boolean }): AsyncIterable<Entry>
  /** Calls back with the present value (undefined when there is none) and then with every change; survives reconnects. */
  watch(key: string, changed: (entry: Entry | undefined) => void): () => Promise<void>
  /** The same of what stands there, without fetching it. */
  watchStanding(key: string, changed: (standing: Standing | undefined) => void): () => Promise<void>
  /** The same for every key under a wildcard such as `lease.>`; the keys there are first, and again after a reconnect. */
  watchAll(filter: string, changed: (key: string, entry: Entry | undefined) => void): () => Promise<void>
}

type Kept = { key: string; value: Uint8Array; revision: number; created: Date; operation: string }

/** Entries follow each other within milliseconds. */
const QUIET_MS = 500

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

export async function openBucket(
  nc: NatsConnection,
  name: string,
  own: (stop: () => Promise<void>) => () => Promise<void>,
  trouble: (what: string, detail: string) => void,
): Promise<Bucket> {
  // checkAPI would ask for more permissions than a reader has
  const kv = await new Kvm(nc).open(name, { allow_direct: false })
  const standing = (e: Kept | null): Standing | undefined =>
    e && e.operation === 'PUT'
      ? { stands: e.value, revision: e.revision, packed: () => joinPacked(parts, e.value) }
      : undefined
  const entry = async (e: Kept | null): Promise<Entry | undefined> =>
    e && e.operation === 'PUT'
      ? { key: e.key, value: await join(parts, e.value), revision: e.revision, at: e.created.getTime() }
      : undefined
  const create = async (key: string, value: Uint8Array): Promise<number | undefined> => {
    try {
      return await kv.create(key, value)
    } catch (error) {
      if (String(error).includes('wrong last sequence')) return undefined
      throw error
    }
  }
  const parts: PartStore = {
    get: async (key) => {
      const found = await kv.get(key)
      return found?.operation === 'PUT' ? found.value : undefined
    },
    create: async (key, value) => void (await create(key, value)),
  }
  const follow = (filter: string, begin: () => Promise<void>, changed: (e: Kept) => void | Promise<void>) => {
    let stopped = false
    let iterator: Awaited<ReturnType<typeof kv.watch>> | undefined
    const run = (async () => {
      while (!stopped && !nc.isClosed()) {
        try {
          iterator = await kv.watch({ key: filter })
          if (stopped) break
          await begin()
          for await (const e of iterator) if (!e.key.startsWith(PART_PREFIX)) await changed(e)
        } catch (error) {
          if (!stopped && !nc.isClosed()) trouble('watch restarts', `${name}.${filter}: ${String(error)}`)
        }
        if (!stopped) await pause(250)
      }
    })()
    return own(async () => {
      stopped = true
      iterator?.stop()
      await Promise.race([run, pause(1000)])
    })
  }
  /** A large value that is written under several keys is packed once. A sweep may take its parts away. */
  let written = new WeakMap<Uint8Array, Promise<Uint8Array>>()
  const splitOnce = (value: Uint8Array | string): Promise<Uint8Array> => {
    if (typeof value === 'string') return split(parts, value)
    const cut = written.get(value) ?? split(parts, value)
    written.set(value, cut)
    cut.catch(() => written.delete(value))
    return cut
  }
  const unlessThere = (key: string, changed: (nothing: undefined) => void) => async () => {
    if (!(await kv.get(key))) changed(undefined)
  }
  let jsm: JetStreamManager | undefined
  return {
    get: async (key) => await entry(await kv.get(key)),
    put: async (key, value) => await kv.put(key, await splitOnce(value)),
    update: async (key, value, revision) => {
      const bytes = await splitOnce(value)
      if (revision === 0) return await create(key, bytes)
      try {
        return await kv.update(key, bytes, revision)
      } catch (error) {
        if (String(error).includes('wrong last sequence')) return undefined
        throw error
      }
    },
    sweep: async (keep) => {
      written = new WeakMap()
      const needed = new Set<string>()
      for (const key of keep) {
        const value = await parts.get(key)
        const named = value && partsOf(value)
        if (named) needed.add(named.digest)
      }
      const there: string[] = []
      for await (const key of await kv.keys(`${PART_PREFIX}>`)) there.push(key)
      for (const key of there) if (!needed.has(key.split('.')[1] as string)) await kv.purge(key)
    },
    // not a purge: nats-server 2.9 loses one of two that are under way together, and buckets keep one revision of a key anyhow
    remove: async (key) => await kv.delete(key),
    removeAt: async (key, revision) => {
      try {
        await kv.delete(key, { previousSeq: revision })
        return true
      } catch (error) {
        if (String(error).includes('wrong last sequence')) return false
        throw error
      }
    },
    drop: async (revision) => {
      jsm ??= await jetstreamManager(nc, { checkAPI: false })
      try {
        // not erased, which would write over it on the disk: nothing in it is secret from the server
        return await jsm.streams.deleteMessage(`KV_${name}`, revision, false)
      } catch (error) {
        if (error instanceof JetStreamApiError) return false
        throw error
      }
    },
    list: async function* ({ values = true } = {}) {
      // its interface leaves out what the class takes
      const wanted = { headers_only: !values } as Parameters<typeof kv.history>[0]
      const history = await kv.history(wanted)
      const entries = history[Symbol.asyncIterator]()
      for (;;) {
        const { done, value } = await unlessQuiet(nc, entries.next(), () => history.stop())
        if (done) return
        const found = await entry(value)
        if (found) yield found
      }
    },
    keys: async (filter) => {
      const keys: string[] = []
      for await (const k of await kv.keys(filter)) keys.push(k)
      return keys
    },
    standing: async (key) => standing(await kv.get(key)),
    watch: (key, changed) => follow(key, unlessThere(key, changed), async (e) => changed(await entry(e))),
    watchStanding: (key, changed) => follow(key, unlessThere(key, changed), (e) => changed(standing(e))),
    watchAll: (filter, changed) =>
      follow(
        filter,
        async () => {},
        async (e) => changed(e.key, await entry(e)),
      ),
  }
}

/**
 * A reading ends with the entry that was the last one when it began: one that is dropped or written again meanwhile may
 * never come as that. When nothing comes for a while although the server answers, that was all, and `end` ends it.
 */
async function unlessQuiet<T>(nc: NatsConnection, next: Promise<T>, end: () => void): Promise<T> {
  let here = false
  let timer: NodeJS.Timeout | undefined
  const look = (): void => {
    timer = setTimeout(() => {
      // the answer comes after all that the server had sent before
      nc.rtt().then(
        () => !here && end(),
        () => !here && look(),
      )
    }, QUIET_MS)
  }
  look()
  try {
    return await next
  } finally {
    here = true
    clearTimeout(timer)
  }
}
