/** Who watches whom. The edge owns the SUBSCRIBE dialogs; here is only what each watcher was told last and until when. */
import type { NotifyBody, PresenceState } from '@tandem/contracts/presence.ts'
import { PIDF_TYPE } from '@tandem/pidf/pidf.ts'
import { isInCall, pidfOf, whatIsSeen } from './domain/show.ts'
import { consider, type Watch } from './domain/watch.ts'

export interface SubscriptionKey {
  readonly edge: string
  readonly subscriptionId: string
}

export interface Notice extends SubscriptionKey {
  readonly notify: NotifyBody
  /** s left. */
  readonly expires: number
}

interface Subscription extends SubscriptionKey {
  readonly user: string
  watch: Watch
  /** Wall clock, ms. */
  expiresAt: number
  /** Wall clock, ms: a gathered change is looked at again. */
  dueAt: number
}

export interface Subscriptions {
  /** A new or refreshed subscription; the NOTIFY that goes out at once (RFC 6665 4.2.1.2). */
  subscribe(key: SubscriptionKey, state: PresenceState, expires: number): NotifyBody
  /** The watcher ends it; the last NOTIFY. */
  unsubscribe(key: SubscriptionKey, state: PresenceState): NotifyBody
  changed(state: PresenceState): void
  /** Ends what has run out and looks at what was gathered. */
  sweep(): void
  /** Users that are gone: their watchers are told so. */
  keepOnly(exists: (user: string) => boolean): void
  size(): number
  close(): void
}

/** NOTIFYs of a burst leave in portions, so that no socket buffer on the way overflows. */
const PORTION = 100
const PORTION_MS = 10
/** Subscriptions at once. */
export const SUBSCRIPTION_LIMIT = 200_000

export function createSubscriptions(deps: {
  readonly tell: (notice: Notice) => void
  readonly now: () => number
  readonly state: (user: string) => PresenceState | undefined
  readonly entity: (user: string) => string
}): Subscriptions {
  const all = new Map<string, Subscription>()
  const byUser = new Map<string, Set<Subscription>>()
  const waiting = new Set<Subscription>()
  let portion: NodeJS.Timeout | undefined
  let bodies = new Map<string, { version: number; body: string }>()

  function bodyOf(state: PresenceState): string {
    const made = bodies.get(state.user)
    if (made?.version === state.version) return made.body
    const body = pidfOf(state, deps.entity(state.user))
    bodies.set(state.user, { version: state.version, body })
    return body
  }

  function remove(s: Subscription): void {
    all.delete(keyOf(s))
    waiting.delete(s)
    const watchers = byUser.get(s.user)
    watchers?.delete(s)
    if (watchers?.size === 0) byUser.delete(s.user)
  }

  function add(s: Subscription): void {
    all.set(keyOf(s), s)
    const watchers = byUser.get(s.user) ?? new Set()
    byUser.set(s.user, watchers.add(s))
  }

  function enqueue(s: Subscription): void {
    waiting.add(s)
    portion ??= setTimeout(sendPortion, 0)
  }

  function sendPortion(): void {
    portion = undefined
    let sent = 0
    for (const s of waiting) {
      if (sent++ >= PORTION) break
      waiting.delete(s)
      look(s)
    }
    if (waiting.size > 0) portion = setTimeout(sendPortion, PORTION_MS)
  }

  /** Tells the watcher the state of this moment, if it differs from what was told and may be told now. */
  function look(s: Subscription): void {
    const state = deps.state(s.user)
    if (!state) return
    const at = deps.now()
    const verdict = consider(s.watch, { seen: whatIsSeen(state), inCall: isInCall(state), at })
    s.dueAt = verdict.kind === 'wait' ? verdict.until : Number.POSITIVE_INFINITY
    if (verdict.kind !== 'tell') return
    s.watch = verdict.watch
    const notify: NotifyBody = { state: 'active', contentType: PIDF_TYPE, body: bodyOf(state) }
    deps.tell({
      edge: s.edge,
      subscriptionId: s.subscriptionId,
      notify,
      expires: Math.max(0, Math.ceil((s.expiresAt - at) / 1000)),
    })
  }

  function end(s: Subscription, reason: string): void {
    remove(s)
    deps.tell({ edge: s.edge, subscriptionId: s.subscriptionId, notify: { state: 'terminated', reason }, expires: 0 })
  }

  return {
    subscribe(key, state, expires) {
      const before = all.get(keyOf(key))
      if (before) remove(before)
      const watch: Watch = {
        seen: whatIsSeen(state),
        inCall: isInCall(state),
        toldAt: before?.watch.toldAt ?? Number.NEGATIVE_INFINITY,
      }
      add({ ...key, user: state.user, watch, expiresAt: deps.now() + expires * 1000, dueAt: Number.POSITIVE_INFINITY })
      return { state: 'active', contentType: PIDF_TYPE, body: bodyOf(state) }
    },
    unsubscribe(key, state) {
      const before = all.get(keyOf(key))
      if (before) remove(before)
      // RFC 6665 4.4.1: the NOTIFY that ends a subscription at the watcher's wish says "timeout"
      return { state: 'terminated', reason: 'timeout', contentType: PIDF_TYPE, body: bodyOf(state) }
    },
    changed(state) {
      for (const s of byUser.get(state.user) ?? []) enqueue(s)
    },
    sweep() {
      const now = deps.now()
      for (const s of all.values()) {
        if (s.expiresAt <= now) end(s, 'timeout')
        else if (s.dueAt <= now) enqueue(s)
      }
      if (bodies.size > byUser.size + 1000) bodies = new Map()
    },
    keepOnly(exists) {
      for (const s of all.values()) if (!exists(s.user)) end(s, 'noresource')
    },
    size: () => all.size,
    close() {
      clearTimeout(portion)
      waiting.clear()
    },
  }
}

function keyOf(key: SubscriptionKey): string {
  return `${key.edge} ${key.subscriptionId}`
}
