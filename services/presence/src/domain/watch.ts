/** When a watcher is told (presence.md, Rate). One subscription's step: pure, time comes in. */

export interface Watch {
  /** What the watcher saw last; equal things are not sent twice. */
  readonly seen: string
  readonly inCall: boolean
  /** Wall clock, ms; -Infinity before the first change, which goes out at once. */
  readonly toldAt: number
}

/** Changes of one subscription are gathered this long, ms; entering or leaving a call is never held back. */
export const PRESENCE_GATHER_MS = 5_000

export type Verdict =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'tell'; readonly watch: Watch }
  | { readonly kind: 'wait'; readonly until: number }

export function consider(
  watch: Watch,
  now: { readonly seen: string; readonly inCall: boolean; readonly at: number },
): Verdict {
  if (now.seen === watch.seen) return { kind: 'nothing' }
  const until = watch.toldAt + PRESENCE_GATHER_MS
  if (now.inCall === watch.inCall && now.at < until) return { kind: 'wait', until }
  return { kind: 'tell', watch: { seen: now.seen, inCall: now.inCall, toldAt: now.at } }
}
