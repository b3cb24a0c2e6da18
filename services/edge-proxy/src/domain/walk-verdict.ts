/** What a failure on the walk means: for the next attempt, for the stage that follows, for the caller. */
import type { Attempt } from '@tandem/contracts/routing.ts'

/** RFC 3261 16.7 and routing.md R4: the callee has spoken; nobody else is asked. */
const FINAL = new Set([486, 487, 600, 603])

/** The callee is there and does not want to talk now: forwarding on busy (docs/adr/0062). */
export const BUSY = new Set([486, 600, 603])

/**
 * RFC 3261 16.7 step 6: any 6xx; else of the lowest class. Within a class what tells the caller most: the callee's own
 * word (busy) before a failure on the way, and 503 last.
 */
export function best(statuses: readonly number[]): number {
  let found = 0
  for (const status of statuses) if (found === 0 || rank(status) < rank(found)) found = status
  return found === 0 ? 480 : found
}

function rank(status: number): number {
  if (status >= 600) return 0
  if (status === 486) return 1
  if (status === 408 || status === 480) return 1000
  if (status === 503) return 9999
  return status
}

/** R4; a user's phones are asked once, together: what they say is said, and only if none was reached somebody else is. */
export function mayRetry(what: Attempt, failure: Pick<Failure, 'status' | 'lost'>): boolean {
  if (FINAL.has(failure.status)) return false
  if (failure.lost || what.kind === 'user') return true
  // a redirection that is not followed: to us the trunk has failed
  return failure.status < 400 || what.retry.includes(failure.status)
}

export interface Failure {
  readonly status: number
  readonly why: string
  /** Somebody's phone rang: the call is not tried elsewhere. */
  readonly rang?: boolean | undefined
  readonly lost?: boolean | undefined
  readonly told?: boolean | undefined
}

/**
 * What the caller is told. A challenge or a redirection of the far side is nothing that he could answer; a silent
 * callee is unavailable to him.
 */
export function statusForCaller(status: number): number {
  if (status < 400) return 480
  if (status === 401 || status === 407) return 502
  if (status === 408) return 504
  if (status === 482 || status === 483 || status === 481) return 502
  return status
}
